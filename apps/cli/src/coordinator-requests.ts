import {
  type Budget,
  type ClientDetail,
  type ClientView,
  clientCapsSchema,
  clientDetailSchema,
  clientViewSchema,
  type EnrolmentTokenView,
  enrolmentTokenListSchema,
  type ModelList,
  modelListSchema,
  type PlanChange,
  parseMessage,
  type RunPrice,
  type RunRequest,
  type RunSnapshot,
  runPriceSchema,
  runSnapshotSchema,
} from '@fedsvd/core/protocol'
import { z } from 'zod'
import { askJson, type OperatorAccess } from './operator-client.ts'

/** Runs that the operator may see, the newest first, each with its newest rounds. */
export async function fetchRuns(access: OperatorAccess): Promise<RunSnapshot[]> {
  const reply = await askJson(access, 'GET', '/v1/runs')
  return parseMessage(z.strictObject({ runs: z.array(runSnapshotSchema) }), reply, 'the list of runs').runs
}

/** @throws FedsvdError RUN_STATE where the run is in no state for it */
export async function moveRun(
  access: OperatorAccess,
  runId: string,
  move: 'pause' | 'resume' | 'stop',
): Promise<RunSnapshot> {
  const reply = await askJson(access, 'POST', `/v1/runs/${encodeURIComponent(runId)}/${move}`)
  return parseMessage(runSnapshotSchema, reply, 'a run snapshot')
}

/** What is to be otherwise from the next round on. */
export async function changePlan(access: OperatorAccess, runId: string, change: PlanChange): Promise<RunSnapshot> {
  const reply = await askJson(access, 'PATCH', `/v1/runs/${encodeURIComponent(runId)}/plan`, change)
  return parseMessage(runSnapshotSchema, reply, 'a run snapshot')
}

/** Checks a run as though it were opened, and prices it for every client; nothing is opened. */
export async function priceRun(access: OperatorAccess, request: RunRequest): Promise<RunPrice> {
  return parseMessage(runPriceSchema, await askJson(access, 'POST', '/v1/runs/price', request), 'the price of a run')
}

export async function fetchModels(access: OperatorAccess): Promise<ModelList> {
  return parseMessage(modelListSchema, await askJson(access, 'GET', '/v1/models'), 'the list of models')
}

export async function fetchClients(access: OperatorAccess): Promise<ClientView[]> {
  const reply = await askJson(access, 'GET', '/v1/clients')
  return parseMessage(z.strictObject({ clients: z.array(clientViewSchema) }), reply, 'the list of clients').clients
}

export async function fetchClient(access: OperatorAccess, clientId: string): Promise<ClientDetail> {
  const reply = await askJson(access, 'GET', `/v1/clients/${encodeURIComponent(clientId)}`)
  return parseMessage(clientDetailSchema, reply, 'a client')
}

/** The most that all runs together may spend of a client's data. @throws FedsvdError BUDGET_RAISED */
export async function capClient(access: OperatorAccess, clientId: string, cap: Budget) {
  const reply = await askJson(access, 'PATCH', `/v1/clients/${encodeURIComponent(clientId)}/budget`, cap)
  return parseMessage(clientCapsSchema, reply, 'the caps of a client').caps
}

/** The newest enrolment tokens. */
export async function fetchTokens(access: OperatorAccess): Promise<EnrolmentTokenView[]> {
  const reply = await askJson(access, 'GET', '/v1/enrolment-tokens')
  return parseMessage(enrolmentTokenListSchema, reply, 'the list of enrolment tokens').tokens
}

/** Ends a token that has not been used. @throws FedsvdError TOKEN_NOT_FOUND */
export async function withdrawToken(access: OperatorAccess, tokenId: string): Promise<EnrolmentTokenView[]> {
  const reply = await askJson(access, 'POST', `/v1/enrolment-tokens/${encodeURIComponent(tokenId)}/withdraw`)
  return parseMessage(enrolmentTokenListSchema, reply, 'the list of enrolment tokens').tokens
}

/** Turns a client away for good. */
export async function revokeClient(access: OperatorAccess, clientId: string): Promise<ClientView> {
  const reply = await askJson(access, 'POST', `/v1/clients/${encodeURIComponent(clientId)}/revoke`)
  return parseMessage(clientViewSchema, reply, 'a client')
}
