import { chmod, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FedsvdError } from '@fedsvd/core/errors'
import { type EncodedRecord, type ReadOptions, readSiteRecords, taskEncoder } from '@fedsvd/engine/datasets'
import { isThere, makeFolder } from '@fedsvd/engine/files'
import { readAdapterFolder } from '@fedsvd/engine/inference'
import { type Measurement, splitForValidation, trainLocally } from '@fedsvd/engine/local-training'
import type { ModelStore } from '@fedsvd/engine/models'
import { engineFor, tokenizerFor } from '@fedsvd/engine/training'
import { writeAdapter } from '@fedsvd/engine/weights/peft'
import { registerStarter } from '@fedsvd/starter/register'

registerStarter()

export interface Personalisation {
  /** The adapter that training goes on from, as `fedsvd export` writes it. */
  readonly folder: string
  readonly data: readonly string[]
  readonly reading: ReadOptions
  readonly out: string
  readonly train: 'all' | 'head'
  readonly epochs: number
  readonly threads: number
  readonly seed: string
  readonly models: ModelStore
  readonly onEpoch: (epoch: number, measurement: Measurement) => void
}

export interface PersonalisedAdapter {
  readonly files: readonly string[]
  /** Records that were trained on, and those that were kept to measure on. */
  readonly training: number
  readonly validation: number
  readonly before: Measurement
  readonly after: Measurement
}

const VALIDATION_SHARE = 0.2
const BATCH = 32

/** Gradients of one record are about as long. */
const CLIP_NORM = 1

/** Heads that are scaled and those that are not learn at rates that are so far apart. */
const LEARNING_RATES = [0.1, 1, 10, 100]

/**
 * Goes on training an adapter with the records of this site, without privacy: what follows the last release of a run is
 * post-processing for everybody outside only as long as nothing of it leaves.
 *
 * @throws FedsvdError CONFIG_INVALID where `out` is there already or records are for another task, DATA_EMPTY for too
 *   few records, and as `readAdapterFolder` and `readSiteRecords`
 */
export async function personalise(request: Personalisation): Promise<PersonalisedAdapter> {
  const { folder, out, train, epochs, threads, seed, models, onEpoch } = request
  if (await isThere(out)) throw outIsThere(out)
  const adapter = await readAdapterFolder(folder, models)
  const { task, model, labels, adapter: schema } = adapter.request
  const encode = taskEncoder(await tokenizerFor(model, models), { task, labels, maxTokens: model.maxTokens })
  const records: EncodedRecord[] = []
  for await (const record of readSiteRecords(request.data, { ...request.reading, task })) {
    records.push(await encode(record, `in record ${records.length + 1}`))
  }
  const parts = splitForValidation(records, VALIDATION_SHARE, seed)
  if (parts.training.length === 0 || parts.validation.length === 0) throw tooFew(records.length)
  await using engine = await engineFor(adapter.request, { threads }, models)
  const trained = await trainLocally(
    engine,
    parts,
    adapter.state,
    {
      train,
      epochs,
      batchSize: BATCH,
      learningRates: LEARNING_RATES,
      clipNorm: CLIP_NORM,
      seed,
      classes: labels.length,
    },
    onEpoch,
  )
  makeFolder(out)
  await chmod(out, 0o700)
  const files = await writeAdapter(out, trained.state, {
    task,
    schema,
    baseModel: model.name,
    labels,
    metadata: {
      personalised: 'true',
      maxTokens: String(model.maxTokens),
      ...(model.checkpoint && { checkpoint: JSON.stringify(model.checkpoint) }),
    },
  })
  const page = join(out, 'README.md')
  await writeFile(page, PAGE)
  return {
    files: [...files, page],
    training: parts.training.length,
    validation: parts.validation.length,
    before: trained.before,
    after: trained.after,
  }
}

const PAGE = `# A personalised adapter: it stays at this site

It was trained on the records of this site **without differential privacy**, from the adapter of a federated run. It can
tell of single records, and so can every figure that is measured with it: keep both here. Use it with \`fedsvd predict\`.
`

function outIsThere(out: string): FedsvdError {
  return new FedsvdError('CONFIG_INVALID', {
    expected: 'a folder that is still to be made',
    got: `${out}, which is there`,
    remedy: 'Name another folder with --out, so that an adapter that may leave and one that may not are never mixed',
  })
}

function tooFew(records: number): FedsvdError {
  return new FedsvdError('DATA_EMPTY', {
    expected: 'records to train on and others to measure on',
    got: `${records} with different texts at most`,
    remedy: 'Give more records',
  })
}
