import { FedsvdError } from '@fedsvd/core/errors'
import type { RunManifest, RunRequest } from '@fedsvd/core/protocol'
import { loadExtensions } from '@fedsvd/engine/extensions'
import { loadRuntime } from '@fedsvd/engine/runtime'
import type { PrivateEngine, TaskEngine } from '@fedsvd/engine/training'
import { evaluatorOn } from '@fedsvd/server/evaluation'
import { type Model, type ModelRegistry, modelsOf } from '@fedsvd/server/models'
import { type EncodedSet, encodeTexts, readingFor, readTexts, splitHoldOut, type TextSet } from './data-set.ts'
import { type Cell, cellsOf, type Experiment, modelOf, requestFor } from './experiment.ts'
import { settingsOf } from './experiment-config.ts'
import { type CellResult, runCell } from './run-cell.ts'
import { sharedEngine } from './shared-engine.ts'
import { sitesOf } from './sites.ts'

/** Engines that are kept: one for each size of model that a grid goes through. */
const MOST_ENGINES = 4

/** What the cells of an experiment share within one process: its texts, tokenised once, and its model. */
export class Laboratory implements AsyncDisposable {
  readonly #experiment: Experiment
  readonly #models: ModelRegistry
  readonly #training: TextSet
  /** Where it is files of its own. */
  readonly #holdOut: TextSet | undefined
  readonly #encoded = new Map<string, Promise<EncodedSet>>()
  readonly #engines = new Map<string, Promise<TaskEngine>>()

  private constructor(experiment: Experiment, models: ModelRegistry, training: TextSet, holdOut?: TextSet) {
    this.#experiment = experiment
    this.#models = models
    this.#training = training
    this.#holdOut = holdOut
  }

  /** @throws FedsvdError DATA_UNREADABLE, DATA_EMPTY, CONFIG_INVALID, RUNTIME_UNAVAILABLE */
  static async open(experiment: Experiment): Promise<Laboratory> {
    const { extension, threads, data, holdOut, partition, config } = experiment
    await loadExtensions(extension)
    await loadRuntime({ threads })
    const reading = readingFor(config.task, experiment.reading)
    const training = await readTexts(data, reading, partition.kind === 'column' ? partition.name : undefined)
    const aside = 'files' in holdOut ? await readTexts(holdOut.files, { ...reading, unitColumn: undefined }) : undefined
    return new Laboratory(experiment, modelsOf(experiment.models), training, aside)
  }

  /** Rows of the files that are no records. */
  get leftOutRows(): number {
    return this.#training.leftOut + (this.#holdOut?.leftOut ?? 0)
  }

  get records(): number {
    return this.#training.records.length
  }

  /** @throws FedsvdError CONFIG_INVALID for what cannot be run, before anything is */
  async cells(): Promise<readonly Cell[]> {
    const { config, methods, seeds } = this.#experiment
    const settings = settingsOf(config, methods)
    const maxTokens = new Map<string, number>()
    for (const name of new Set(settings.map((setting) => modelOf(setting.config))))
      maxTokens.set(name, (await this.#models.open({ name })).maxTokens)
    const sites = new Map<number, number>()
    for (const seed of seeds) {
      const request = requestFor(settings[0]!.config, { clients: 1, maxTokens, seed })
      sites.set(seed, (await this.#parts(request, seed)).sites.length)
    }
    const fingerprints = [this.#training.fingerprint, ...(this.#holdOut ? [this.#holdOut.fingerprint] : [])]
    return cellsOf(this.#experiment, { fingerprints, sites, maxTokens })
  }

  /** Runs one cell. @throws FedsvdError as `runCell` */
  async run(cell: Cell, onUpdate?: (updates: number) => void, signal?: AbortSignal): Promise<CellResult> {
    const { request, seed } = cell
    const { sites, holdOut } = await this.#parts(request, seed)
    let shared: Promise<PrivateEngine> | undefined
    return await runCell({
      request,
      seed: request.seed,
      sites,
      models: this.#models,
      engineFor: async (manifest) => {
        shared ??= this.#engineFor(manifest).then(sharedEngine) // one for all sites, which ask at the same moment
        return await shared
      },
      evaluatorFor: async (manifest) => ({
        ...evaluatorOn(await this.#engineFor(manifest), holdOut, manifest),
        [Symbol.asyncDispose]: async () => {},
      }),
      ...(onUpdate && { onUpdate }),
      ...(signal && { signal }),
    })
  }

  /** Sites and hold-out of a seed. */
  async #parts(request: RunRequest, seed: number) {
    const { holdOut, partition, clients, declared } = this.#experiment
    const encoded = await this.#encodedFor(this.#training, request)
    const key = String(seed)
    const split =
      'share' in holdOut
        ? splitHoldOut(encoded.records, { share: holdOut.share, seed: key })
        : { training: encoded.records, holdOut: (await this.#encodedFor(this.#holdOut!, request)).records }
    return {
      sites: sitesOf(split.training, { partition, clients, declared, seed: key, request }),
      holdOut: split.holdOut.map((record) => record.encoded),
    }
  }

  async #encodedFor(texts: TextSet, request: RunRequest): Promise<EncodedSet> {
    const { task, labels, model } = request
    const key = JSON.stringify([texts.fingerprint, task, labels, model])
    const known = this.#encoded.get(key)
    if (known !== undefined) return await known
    const encoding = this.#models
      .open(model)
      .then(async (opened: Model) => requireRecords(await encodeTexts(texts, request, await opened.loadTokenizer())))
    this.#encoded.set(key, encoding)
    return await encoding
  }

  async #engineFor(manifest: RunManifest): Promise<TaskEngine> {
    const { task, labels, model, adapter } = manifest
    const key = JSON.stringify([task, labels, model, adapter])
    const known = this.#engines.get(key)
    if (known !== undefined) return await known
    const { threads } = this.#experiment
    const engine = this.#models.open(model).then((opened) => opened.createEngine(manifest, { threads }))
    this.#engines.set(key, engine)
    const [oldest] = this.#engines
    if (this.#engines.size > MOST_ENGINES && oldest !== undefined) {
      this.#engines.delete(oldest[0])
      await (await oldest[1])[Symbol.asyncDispose]()
    }
    return await engine
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const engine of this.#engines.values()) await (await engine)[Symbol.asyncDispose]()
    this.#engines.clear()
  }
}

/** @throws FedsvdError the fault of the first record, where the run can take none */
function requireRecords(encoded: EncodedSet): EncodedSet {
  if (encoded.records.length > 0) return encoded
  if (encoded.firstFault !== undefined) throw encoded.firstFault
  throw new FedsvdError('DATA_EMPTY', {
    expected: 'at least one record that the run can take',
    got: '0 records',
    remedy: 'Look at the labels and the columns.',
  })
}
