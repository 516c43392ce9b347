import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { z } from 'zod'

const name = z.string().min(1).max(250)
/** As MLflow's `validate_metric_name`: these letters, and no path that means another one. */
const key = name.regex(/^[/\w.\- :]*$/).refine((text) => !/(^\/|\/\/|(^|\/)\.{1,2}(\/|$)|\/$)/.test(text))
const tag = z.strictObject({ key: name, value: z.string().max(5000) })
const timestamp = z.number().int().min(0)
const metric = z.strictObject({ key, value: z.number(), timestamp, step: z.number().int() })
const param = z.strictObject({ key, value: z.string().min(1).max(500) })
const runId = z.string().regex(/^[0-9a-f]{32}$/)

const BODIES = {
  'experiments/create': z.strictObject({ name }),
  'runs/create': z.strictObject({
    experiment_id: z.string(),
    start_time: timestamp,
    run_name: z.string(),
    tags: z.array(tag),
  }),
  'runs/search': z.strictObject({
    experiment_ids: z.array(z.string()).min(1),
    filter: z.string().regex(/^tags\."[\w.]+" = '[^']*'$/),
    run_view_type: z.enum(['ACTIVE_ONLY', 'DELETED_ONLY', 'ALL']),
    max_results: z.number().int().min(1).max(50_000),
  }),
  'runs/log-batch': z.strictObject({
    run_id: runId,
    metrics: z.array(metric).max(1000).optional(),
    params: z.array(param).max(100).optional(),
    tags: z.array(tag).max(100).optional(),
  }),
  'runs/update': z.strictObject({
    run_id: runId,
    status: z.enum(['RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED']),
    end_time: timestamp.optional(),
  }),
  'runs/set-tag': z.strictObject({ run_id: runId, key: name, value: z.string() }),
  'runs/delete': z.strictObject({ run_id: runId }),
} as const

/** What may be in a change of a run. */
type Change = Partial<
  z.infer<(typeof BODIES)['runs/log-batch']> &
    z.infer<(typeof BODIES)['runs/update']> &
    z.infer<(typeof BODIES)['runs/set-tag']>
>

export interface StoredMetric {
  readonly key: string
  readonly value: number
  readonly timestamp: number
  readonly step: number
}

export interface StoredMlflowRun {
  readonly id: string
  readonly experimentId: string
  readonly name: string
  readonly startTime: number
  readonly metrics: StoredMetric[]
  readonly params: Map<string, string>
  readonly tags: Map<string, string>
  status: string
  endTime?: number
  isDeleted: boolean
}

/** Where it redirects to. */
export const ELSEWHERE = '/elsewhere'

/** How it misbehaves instead of answering. */
export type MlflowFault = 'error-500' | 'hangs' | 'garbage' | 'endless' | 'redirects'

/** A tracking server that speaks as much of MLflow's REST API 2.0 as is used, and refuses whatever is not in it. */
export interface MlflowDouble extends AsyncDisposable {
  readonly url: string
  readonly runs: StoredMlflowRun[]
  readonly experiments: Map<string, string>
  readonly artifacts: Map<string, Buffer>
  /** Method and path of each request, in their order. */
  readonly requests: string[]
  /** All that came: headers and bodies. */
  readonly received: string[]
  fault: MlflowFault | undefined
  /** Of new runs. */
  artifactRoot: string
}

class Refusal extends Error {
  readonly code: string
  readonly status: number
  constructor(code: string, status = 400, message = code) {
    super(message)
    this.code = code
    this.status = status
  }
}

export async function mlflowDouble(authorization?: string): Promise<MlflowDouble> {
  const server = createServer((request, response) => void answer(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const double: MlflowDouble = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    runs: [],
    experiments: new Map(),
    artifacts: new Map(),
    requests: [],
    received: [],
    fault: undefined,
    artifactRoot: 'mlflow-artifacts:/',
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const body = Buffer.concat(chunks)
    double.requests.push(`${request.method} ${request.url}`)
    double.received.push(JSON.stringify(request.headers), body.toString())
    if (double.fault !== undefined && request.url !== ELSEWHERE) return misbehave(double.fault, response)
    try {
      if (authorization !== undefined && request.headers.authorization !== authorization) throw new Refusal('', 401)
      const result = handle(request, body)
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(result))
    } catch (error) {
      const { status, code, message } =
        error instanceof Refusal ? error : new Refusal('BAD_REQUEST', 400, String(error))
      // As a proxy in front of it answers: no JSON.
      if (status === 401) response.writeHead(401).end('Unauthorized')
      else response.writeHead(status).end(JSON.stringify({ error_code: code, message }))
    }
  }

  function handle({ method, url, headers }: IncomingMessage, body: Buffer): object {
    const { pathname, searchParams } = new URL(url!, double.url)
    const artifact = /^\/api\/2\.0\/mlflow-artifacts\/artifacts\/(.+)$/.exec(pathname)?.[1]
    if (artifact !== undefined && method === 'PUT') {
      double.artifacts.set(decodeURIComponent(artifact), body)
      return {}
    }
    const path = /^\/api\/2\.0\/mlflow\/(.+)$/.exec(pathname)?.[1] ?? ''
    if (method === 'GET' && path === 'experiments/get-by-name') {
      const experiment = double.experiments.get(searchParams.get('experiment_name') ?? '')
      if (experiment === undefined) throw new Refusal('RESOURCE_DOES_NOT_EXIST', 404)
      return { experiment: { experiment_id: experiment, lifecycle_stage: 'active' } }
    }
    if (method !== 'POST' || !Object.hasOwn(BODIES, path)) throw new Refusal('ENDPOINT_NOT_FOUND', 404)
    if (headers['content-type'] !== 'application/json') throw new Refusal('INVALID_PARAMETER_VALUE')
    return post(path as keyof typeof BODIES, JSON.parse(body.toString()) as unknown)
  }

  function post(path: keyof typeof BODIES, given: unknown): object {
    if (path === 'experiments/create') {
      const { name: experiment } = BODIES[path].parse(given)
      if (double.experiments.has(experiment)) throw new Refusal('RESOURCE_ALREADY_EXISTS')
      double.experiments.set(experiment, String(double.experiments.size + 1))
      return { experiment_id: double.experiments.get(experiment) }
    }
    if (path === 'runs/create') {
      const { experiment_id: experimentId, run_name, start_time: startTime, tags } = BODIES[path].parse(given)
      const id = randomUUID().replaceAll('-', '')
      const stored = { id, experimentId, name: run_name, startTime, metrics: [], params: new Map(), status: 'RUNNING' }
      const run = { ...stored, tags: new Map(tags.map(({ key: of, value }) => [of, value])), isDeleted: false }
      double.runs.push(run)
      return { run: shown(run) }
    }
    if (path === 'runs/search') {
      const { experiment_ids: ids, filter } = BODIES[path].parse(given)
      const [, wanted, value] = /^tags\."([\w.]+)" = '([^']*)'$/.exec(filter)!
      const found = double.runs.filter(
        ({ experimentId, tags }) => ids.includes(experimentId) && tags.get(wanted!) === value,
      )
      return found.length === 0 ? {} : { runs: found.map(shown) }
    }
    return change(path, given)
  }

  function change(
    path: Exclude<keyof typeof BODIES, 'experiments/create' | 'runs/create' | 'runs/search'>,
    given: unknown,
  ) {
    const { run_id: id, ...what } = BODIES[path].parse(given)
    const run = double.runs.find((one) => one.id === id)
    if (run === undefined) throw new Refusal('RESOURCE_DOES_NOT_EXIST', 404)
    if (run.isDeleted) throw new Refusal('INVALID_PARAMETER_VALUE', 400, 'The run must be in the active state')
    if (path === 'runs/delete') run.isDeleted = true
    const { status, end_time: endTime, key: tagKey, value: tagValue, metrics = [], params = [] } = what as Change
    if (status !== undefined) Object.assign(run, { status, endTime })
    if (tagKey !== undefined) run.tags.set(tagKey, tagValue!)
    for (const { key: of, value } of params) {
      if (run.params.has(of) && run.params.get(of) !== value) throw new Refusal('INVALID_PARAMETER_VALUE')
      run.params.set(of, value)
    }
    run.metrics.push(...metrics)
    return {}
  }

  function shown({ id, experimentId, status, tags, params, metrics, isDeleted }: StoredMlflowRun): object {
    const newest = new Map<string, StoredMetric>()
    for (const one of metrics) if (one.step >= (newest.get(one.key)?.step ?? 0)) newest.set(one.key, one)
    const pairs = (map: Map<string, string>) => Array.from(map, ([of, value]) => ({ key: of, value }))
    return {
      info: {
        run_id: id,
        experiment_id: experimentId,
        status,
        lifecycle_stage: isDeleted ? 'deleted' : 'active',
        artifact_uri: `${double.artifactRoot}${experimentId}/${id}/artifacts`,
      },
      // As protobuf's JSON has it: a list that is empty is absent.
      data: {
        tags: pairs(tags),
        ...(params.size > 0 && { params: pairs(params) }),
        ...(newest.size > 0 && { metrics: [...newest.values()] }),
      },
    }
  }
  return double
}

function misbehave(fault: MlflowFault, response: ServerResponse): void {
  if (fault === 'error-500') response.writeHead(500).end('Internal Server Error')
  if (fault === 'garbage') response.writeHead(200).end('<html>welcome to the hotel</html>')
  if (fault === 'redirects') response.writeHead(302, { location: ELSEWHERE }).end()
  if (fault === 'endless') {
    response.writeHead(200)
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(2 ** 16, 'x')));
      response.once('drain', more)
    }
    more()
  }
}
