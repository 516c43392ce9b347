import { FedsvdError } from '@fedsvd/core/errors'
import { readSiteRecords } from '@fedsvd/engine/datasets'
import type { RuntimeSettings } from '@fedsvd/engine/settings'
import { createStarterEngine, loadStarterTokenizer } from '@fedsvd/starter'
import { auditEngine, type EngineAuditReport } from './engine-audit.ts'
import { madeUpTexts } from './engine-canaries.ts'
import type { AuditSettings } from './settings.ts'

/** Canaries of one label: more overlap, fewer make the head larger. */
const PER_LABEL = 8

/** More canaries than this make a head that no machine holds comfortably. */
const CANARIES = { fewest: 256, usual: 4096, most: 16_384 } as const

/** Tokens of a canary: one length for all, so that one shape computes them. */
const MAX_TOKENS = 16

/** At unit length the head's bias, which canaries of one label share, would be half of a gradient. */
const FEATURE_SCALE = 10

/**
 * Audits the starter's engine on the runtime and device that are asked for. Its texts are made up, or those of a data
 * set; nothing of them is kept or shown.
 *
 * @throws FedsvdError CONFIG_INVALID, RUNTIME_UNAVAILABLE, DATA_UNREADABLE
 */
export async function auditStarter(
  settings: AuditSettings & RuntimeSettings & { readonly data?: string },
  onStage: (stage: string) => void,
): Promise<EngineAuditReport> {
  const tokenizer = await loadStarterTokenizer()
  const asked = Math.min(settings.canaries, CANARIES.usual)
  const most = CANARIES.most
  const texts =
    settings.data === undefined
      ? madeUpTexts(2 * asked, tokenizer.vocabularySize)
      : await textsOf(settings.data, most, async (text) => await tokenizer.encode(text, MAX_TOKENS))
  const labels = Math.floor(Math.min(asked, texts.length) / PER_LABEL)
  if (labels * PER_LABEL < CANARIES.fewest) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `at least ${CANARIES.fewest} canaries`,
      got: String(labels * PER_LABEL),
      remedy: 'Ask for more canaries, or leave --data out for made-up texts',
    })
  }
  await using engine = await createStarterEngine({
    ...settings,
    rank: 1,
    alpha: 1,
    headMode: 'trained',
    classes: labels,
    maxTokens: MAX_TOKENS,
    featureScale: FEATURE_SCALE,
  })
  return await auditEngine(engine, texts, { ...settings, labels, perLabel: PER_LABEL }, onStage)
}

/** The first texts of a data set, whatever they are labelled. */
async function textsOf(
  path: string,
  most: number,
  encode: (text: string) => Promise<Int32Array>,
): Promise<Int32Array[]> {
  const texts: Int32Array[] = []
  for await (const record of readSiteRecords(path, { task: 'causal-lm' })) {
    if (texts.length === most) break
    if ('text' in record) texts.push(await encode(record.text))
  }
  return texts
}
