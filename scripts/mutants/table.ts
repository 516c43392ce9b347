/** A break of one line that privacy rests on, and the tests that have to notice it. */
export interface Mutant {
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
  readonly tests: readonly string[]
  /** Why nothing can notice it; such a break has to survive, or the argument is wrong. */
  readonly equivalent?: string
}

type Break = readonly [find: string, replace: string, equivalent?: string]

const breaksOf = (file: string, tests: readonly string[], breaks: readonly Break[]): Mutant[] =>
  breaks.map(([find, replace, equivalent]) => ({ file, find, replace, tests, ...(equivalent && { equivalent }) }))

const engine = (file: string): string => `packages/engine/src/${file}`
const attack = (name: string): string => `tests/attacks/${name}.test.ts`
const core = (file: string): string => `packages/core/src/${file}`
const client = (file: string): string => `apps/client/src/${file}`
const server = (file: string): string => `apps/server/src/${file}`

const SUM_TESTS = [
  core('privacy/clipped-sum.slow.test.ts'),
  core('privacy/clip.test.ts'),
  core('privacy/sensitivity.test.ts'),
]
const ROUND_TESTS = [core('privacy/private-round.test.ts'), core('privacy/resume.test.ts')]
const secure = (file: string): string => core(`secure-aggregation/${file}`)
const LYING_COORDINATOR = [secure('hostile-coordinator.test.ts'), secure('drop-outs.test.ts')]
const LEDGER_TESTS = [
  client('ledger/ledger.test.ts'),
  client('ledger/verify.test.ts'),
  client('ledger/ledger.property.slow.test.ts'),
]

export const MUTANTS: readonly Mutant[] = [
  // Counts of units that are set aside
  ...breaksOf(
    core('privacy/noised-counts.ts'),
    [core('privacy/noised-counts.test.ts')],
    [
      ['!(squares <= bound * bound)', 'squares > 4 * bound * bound'],
      ['Number.isInteger(value) ? value! * value! : Number.POSITIVE_INFINITY', 'value! * value!'],
      ['Math.hypot(noiseMultiplier * bound, SMOOTHING)', 'Math.hypot(noiseMultiplier, SMOOTHING)'],
      ['sum.map((value, cell) => value + noise[cell]!)', 'sum.map((value, cell) => value + noise[0]! * cell)'],
      ['      requireFullBatch(reserved, noiseMultiplier)\n', ''],
      ['      isFinished = true\n', ''],
      ["source.kind === 'os-csprng' ? 'secure' : 'NOT PRIVATE'", "'secure'"],
    ],
  ),
  ...breaksOf(
    core('site-evaluation/layout.ts'),
    [core('site-evaluation/site-evaluation.test.ts')],
    [
      ['Math.min(1, Math.max(0, loss / lossCap))', 'loss / lossCap'],
      ['Math.floor(value / predictions.length)', 'Math.floor(value)'],
      ['const OUTCOME = 768', 'const OUTCOME = 832'],
    ],
  ),
  ...breaksOf(
    client('ledger/unit-classes.ts'),
    [client('ledger/unit-classes.test.ts')],
    [
      ["return side === 'evaluated' ? place < share : place >= share", "return side === 'evaluated'"],
      ['if (side === undefined) return true\n', 'if (side === undefined) return place > 0\n'],
      ['if (count > MOST_CLASSES) return [spending]', 'if (count > MOST_CLASSES) return []'],
      ['shares.get(dataset) ?? new Set([0])', 'new Set([0])'],
    ],
  ),
  ...breaksOf(
    client('ledger/budget.ts'),
    [client('ledger/unit-classes.test.ts')],
    [["requireWithin(makeFilter(scheduleRule(event)), ofRun, event, run.terms.budget, 'this run')", '']],
  ),
  ...breaksOf(
    client('ledger/replay.ts'),
    [client('ledger/unit-classes.test.ts')],
    [['      requireEvaluation(state, charge, contradiction)\n', '']],
  ),
  ...breaksOf(
    client('round/evaluate-state.ts'),
    [client('site-evaluation.test.ts')],
    [
      ['!isEvaluationRound(manifest, round) ||', ''],
      ['counts.add(vectorOfUnit(', 'void (vectorOfUnit('],
    ],
  ),
  ...breaksOf(
    engine('datasets/unit-places.ts'),
    [engine('datasets/unit-places.test.ts'), client('site-evaluation.test.ts')],
    [['isSetAside(unit) === wanted', 'wanted || true']],
  ),
  // The noise that a site may take part with
  ...breaksOf(
    core('accounting/calibrate.ts'),
    [core('accounting/calibrate.test.ts')],
    [['(1 - LANDING) * (epsilon - spent)', '(1 - LANDING) * epsilon']],
  ),
  // Clip, bound and the sum of a lot
  ...breaksOf(core('privacy/clip.ts'), SUM_TESTS, [
    ['Math.min(2 ** GRID_BITS / clipNorm, CLIP_TARGET / norm)', '2 ** GRID_BITS / clipNorm'],
    [
      'Math.min(2 ** GRID_BITS / clipNorm, CLIP_TARGET / norm)',
      'Math.max(2 ** GRID_BITS / clipNorm, CLIP_TARGET / norm)',
    ],
    ['return a + b + (c + d)', 'return a + b + c'],
    ['return a + b + (c + d)', 'return Math.fround(a + b + (c + d))'],
    ['    integers[start + i] = p\n    a += p * p\n  }\n', '    integers[start + i] = p\n  }\n'],
    ['clipNorm >= CLIP_NORMS.least && clipNorm <= CLIP_NORMS.most', 'clipNorm > -1'],
  ]),
  ...breaksOf(core('privacy/clipped-sum.ts'), SUM_TESTS, [
    ['if (!(squares <= most)) {', 'if (squares > most) {'],
    ['if (!(squares <= most)) {', 'if (false) {'],
    [
      'const most = squaredBound({ dimension, gridBits: GRID_BITS })',
      'const most = 4 * squaredBound({ dimension, gridBits: GRID_BITS })',
    ],
    ['squares += roundTo(', 'squares = roundTo('],
    ["stage = 'adding' //", '//'],
    [
      'candidate instanceof ClippedSum && #sums in candidate ? candidate.#sums : undefined',
      '(candidate as ClippedSum).gridSum',
    ],
    ['votes += norm <= clipNorm ? 1 : -1', 'votes += norm <= clipNorm ? 2 : -2'],
  ]),
  ...breaksOf(core('privacy/clipped-sum.ts'), ROUND_TESTS, [['candidate.terms.clipNorm === clipNorm &&', '']]),
  // Sensitivity and noise
  ...breaksOf(
    core('privacy/sensitivity.ts'),
    [...SUM_TESTS, ...ROUND_TESTS],
    [
      ['Math.ceil((2 ** gridBits + Math.sqrt(dimension) / 2) ** 2)', 'Math.ceil((2 ** gridBits) ** 2)'],
      ['return Math.sqrt(squaredBound(size))', 'return Math.sqrt(squaredBound(size)) / 2'],
      ['noiseMultiplier * gridSensitivity({ dimension, gridBits: GRID_BITS })', 'noiseMultiplier * 2 ** GRID_BITS'],
      [
        'noiseMultiplier * gridSensitivity({ dimension, gridBits: GRID_BITS })',
        'Math.sqrt(noiseMultiplier) * gridSensitivity({ dimension, gridBits: GRID_BITS })',
      ],
      ['return clipNorm * 2 ** -GRID_BITS', 'return clipNorm * 2 ** (1 - GRID_BITS)'],
      ['export const SMOOTHING = 3', 'export const SMOOTHING = 0'],
    ],
  ),
  ...breaksOf(
    core('random/discrete-gaussian.ts'),
    [core('random/discrete-gaussian.slow.test.ts')],
    [
      ['const table = proposalTable(sigma)', 'const table = proposalTable(sigma * 0.97)'],
      ['if (y === 0 && negative) continue', ''],
      ['out[i] = negative ? -y : y', 'out[i] = y'],
    ],
  ),
  ...breaksOf(
    core('random/poisson.ts'),
    [core('random/poisson.test.ts')],
    [
      [
        'if (word !== digits) return word < digits',
        'if (word !== digits) return word <= digits',
        'where the words differ, below and at most are the same',
      ],
      [
        'if (bernoulli(bits, sampleRate)) drawn.push(record)',
        'if (bernoulli(bits, sampleRate / 2)) drawn.push(record)',
      ],
      ['for (let record = 0; record < records; record++)', 'for (let record = 1; record < records; record++)'],
      ['rest -= digits\n', ''],
    ],
  ),
  ...breaksOf(
    core('random/source.ts'),
    [core('random/random.test.ts')],
    [
      ["if (this.kind === 'os-csprng' && before.every((word, i) => word === words[i])) {", 'if (false as boolean) {'],
      ['return this.#words[this.#next++]!', 'return this.#words[this.#next]!'],
      ['this.kind = source.kind', "this.kind = 'os-csprng'"],
    ],
  ),
  // A private round: noise on every coordinate, terms, order, reservation
  ...breaksOf(core('privacy/private-round.ts'), ROUND_TESTS, [
    ['v[i] = momentum * v[i]! + (sum[i]! + noisySum[i - begin]!)', 'v[i] = momentum * v[i]! + sum[i]!'],
    ['noise.fill(bits, noisySum)', 'noise.fill(bits, noisySum.subarray(1))'],
    [
      'discreteGaussian(gridSigma({ noiseMultiplier: split.sum, dimension }))',
      'discreteGaussian(gridSigma({ noiseMultiplier: split.sum / 2, dimension }))',
    ],
    ['return drawPoissonLot(lotBits, records, sampleRate)', 'return drawPoissonLot(lotBits, records, 1)'],
    ["=== 'os-csprng') && resumed?.randomness !== 'NOT PRIVATE'", "=== 'os-csprng')"],
    ['[bits, lotBits].every(', '[bits].every('],
    ["(['noiseMultiplier', 'sampleRate', 'steps'] as const)", "(['noiseMultiplier', 'steps'] as const)"],
    ["(['noiseMultiplier', 'sampleRate', 'steps'] as const)", "(['sampleRate', 'steps'] as const)"],
    ["(['noiseMultiplier', 'sampleRate', 'steps'] as const)", "(['noiseMultiplier', 'sampleRate'] as const)"],
    ["event.unit !== 'client' &&", ''],
    ["advance('draw', 'step')\n", ''],
    ["advance('step', 'stepping')\n", ''],
    ["advance('step', 'stepping')\n", "advance('step', 'draw')\n"],
    ["stage = 'saving'\n", ''],
    ['      requireKept(proof, reserved, stepsDone)\n', ''],
    ["stage = reserved.stepwise === true && stepsDone < steps ? 'keep' : 'draw'", "stage = 'draw'"],
    ['if (hexOf(sha256(bytes)) !== savedSha256) return undefined', ''],
    ['JSON.stringify(found.savedFor) === JSON.stringify(savedForOf(options, place)) &&', ''],
  ]),
  ...breaksOf(
    core('privacy/reservation.ts'),
    [...ROUND_TESTS, core('privacy/private-update.test.ts')],
    [
      ['    candidate.#used = true\n', ''],
      [
        "if (entry.durable !== true) throw missing('a ledger entry",
        "if (false as boolean) throw missing('a ledger entry",
      ],
      ['if (kept.durable !== true) throw missing(', 'if (false as boolean) throw missing('],
      [' && entry.event.steps === 1', ''],
      ['attempt === entry.attempt && step <= steps', 'step <= steps'],
      ['kept.attempt === attempt && kept.step === step', 'kept.attempt === attempt'],
      ['candidate instanceof DurableStep && #made in candidate ?', 'candidate instanceof DurableStep ?'],
      ['(step === 0) === (savedSha256 === undefined)', 'true'],
    ],
  ),
  ...breaksOf(
    core('privacy/private-update.ts'),
    [core('privacy/private-round.test.ts'), core('privacy/private-update.test.ts')],
    [
      ['if (!NoisedUpdate.isOne(candidate)) throw notMade()', ''],
      ['candidate instanceof NoisedUpdate && #made in candidate', 'candidate instanceof NoisedUpdate'],
    ],
  ),
  ...breaksOf(
    core('privacy/saved-step.ts'),
    [core('privacy/resume.test.ts')],
    [
      ['if (NoisedStep.isOne(candidate)) return\n', 'return\n'],
      ['candidate instanceof NoisedStep && #made in candidate', 'candidate instanceof NoisedStep'],
    ],
  ),
  // Adaptive clipping
  ...breaksOf(
    core('privacy/private-round.ts'),
    [core('privacy/adaptive-clipping.slow.test.ts')],
    [['voteNoise.fill(bits, drawn)', '']],
  ),
  ...breaksOf(
    core('privacy/adaptive-clipping.ts'),
    [core('privacy/adaptive-clipping.slow.test.ts')],
    [
      ['sum: noiseMultiplier / Math.sqrt(1 - countShare)', 'sum: noiseMultiplier'],
      ['votes: noiseMultiplier / Math.sqrt(countShare)', 'votes: noiseMultiplier * Math.sqrt(countShare)'],
      ['Math.hypot(voteNoise * VOTE_UNIT, SMOOTHING)', 'Math.hypot(voteNoise, SMOOTHING)'],
      ['Math.min(1, Math.max(0, share))', 'share'],
      ['Math.min(start * CLIP_NORM_RANGE, Math.max(start / CLIP_NORM_RANGE, moved))', 'moved'],
    ],
  ),
  // Client level
  ...breaksOf(
    core('privacy/client-level.ts'),
    [core('privacy/client-level.slow.test.ts')],
    [
      ['(integer + noise[i]!) * scale', 'integer * scale'],
      ['if (added.has(clientId)) throw addedBefore(clientId)', ''],
      ['gridOf(clipNorm) / expectedClients', 'gridOf(clipNorm) / added.size'],
      ["event.unit === 'client' &&", ''],
      ['event.noiseMultiplier === noiseMultiplier', 'true'],
      ["source.kind === 'os-csprng' ? 'secure' : 'NOT PRIVATE'", "'secure' as const"],
    ],
  ),
  // Accounting and the filter
  ...breaksOf(
    core('accounting/events.ts'),
    [core('accounting/accountant.slow.test.ts'), core('accounting/filter.slow.test.ts')],
    [
      ['steps: (merged.get(key)?.steps ?? 0) + event.steps', 'steps: event.steps'],
      ['    checkEvent(event)\n    const key', '    const key'],
      ['delta >= LEAST_DELTA && delta < 1', 'delta < 1e9'],
    ],
  ),
  ...breaksOf(
    core('accounting/filter.ts'),
    [core('accounting/filter.slow.test.ts')],
    [
      ['epsilonAt(events, delta) <= epsilon,', 'epsilonAt(events, delta) <= 1.01 * epsilon,'],
      ['sum + steps / noiseMultiplier ** 2', 'sum + 1 / noiseMultiplier ** 2'],
      ["return isPaid ? { kind: 'renyi', order } : scheduleRule(first)", "return { kind: 'renyi', order }"],
      ['isCovered(events) && FIXED.allows(events, budget)', 'FIXED.allows(events, budget)'],
      ['sum + event.steps * divergenceOf(event, order)', 'sum + divergenceOf(event, order)'],
      ['return Math.log1p(-1 / order) - (Math.log(delta)', 'return 2 * Math.log1p(-1 / order) - (Math.log(delta)'],
    ],
  ),
  ...breaksOf(
    core('accounting/event.ts'),
    [client('node.slow.test.ts'), core('accounting/accountant.slow.test.ts')],
    [['steps: run.localSteps,', 'steps: 1,']],
  ),
  // The ledger of a site
  ...breaksOf(client('ledger/ledger.ts'), LEDGER_TESTS, [
    ['attempt: (last?.attempt ?? 0) + 1 }', 'attempt: 1 }'],
    ['      if (known !== undefined) return requireSameTerms(known, run)\n', '      if (known !== undefined) return\n'],
    ['      requireUnit(current(), run.event.unit)\n', ''],
  ]),
  ...breaksOf(
    client('ledger/ledger.ts'),
    [attack('progress-told')],
    [['const missing = Math.max(last.steps, kept + 1) - from - written - (last.levelled ?? 0)', 'const missing = 0']],
  ),
  ...breaksOf(
    client('ledger/ledger.ts'),
    [client('budget.test.ts')],
    [['if (owner !== undefined && owner !== statement.publicKey)', 'if (false as boolean)']],
  ),
  ...breaksOf(
    client('ledger/ledger.ts'),
    [client('ledger/budget.test.ts')],
    [["file.append({ kind: 'rule-fixed', rule })", 'void rule']],
  ),
  ...breaksOf(
    client('ledger/ledger.ts'),
    [client('step-snapshots/step-snapshots.test.ts')],
    [['      assertSavedStep(saved)\n', '']],
  ),
  ...breaksOf(client('ledger/budget.ts'), LEDGER_TESTS, [
    ['requireWithin(filter, { events, releases: releasesOf(state) }, next, state.budget, whose)', ''],
    ["requireWithin(filter, spendingOf(state, run.runId), next, run.terms.budget, 'this run')", ''],
    ['filter.allows(events, { ...budget, delta })', 'filter.allows(spent, { ...budget, delta })'],
  ]),
  ...breaksOf(client('ledger/replay.ts'), LEDGER_TESTS, [
    ['if (!isDue) throw contradiction(', 'if (false as boolean) throw contradiction('],
    [' && steps <= most', ''],
    [
      'const lower = fact.budget.epsilon <= epsilon && fact.budget.delta <= delta',
      'const lower = fact.budget.epsilon <= epsilon',
    ],
    [
      'if (last?.frameSha256 !== undefined) throw contradiction(`no attempt after',
      'if (false as boolean) throw contradiction(`no attempt after',
    ],
  ]),
  ...breaksOf(
    client('ledger/replay.ts'),
    [client('ledger/adopted.test.ts'), client('ledger/verify.test.ts')],
    [['if (!isSigned(statement)) throw contradiction(', 'if (false as boolean) throw contradiction(']],
  ),
  ...breaksOf(
    client('ledger/state.ts'),
    [client('ledger/adopted.test.ts'), client('ledger/verify.test.ts')],
    [['return [...attempts, ...charges.filter(({ round }) => round === undefined)]', 'return [...attempts]']],
  ),
  ...breaksOf(client('ledger/verify.ts'), LEDGER_TESTS, [
    ['if (hash !== entry.hash) throw damaged(', 'if (false as boolean) throw damaged('],
    ['if (entry.seq !== seq) throw damaged(', 'if (false as boolean) throw damaged('],
    ['    head = entry.hash\n  }', '  }'],
  ]),
  ...breaksOf(client('ledger/ledger-file.ts'), LEDGER_TESTS, [
    ['      appendDurably(this.#fd, lines)\n', ''],
    ['    if (!this.#usable) throw notUsable(this.#path)\n', ''],
  ]),
  ...breaksOf(
    client('ledger/adopted.ts'),
    [client('ledger/adopted.test.ts')],
    [
      ['epsilon: Math.min(one.epsilon, other.epsilon)', 'epsilon: Math.max(one.epsilon, other.epsilon)'],
      ['...after.charges.slice(before?.charges.length ?? 0)', '...[]'],
      [
        'if (fact.from !== hashes.length) throw damaged(',
        'if (false as boolean) throw damaged(',
        'the lines carry their own numbers, which go on from the same place, and nothing else reads `from`',
      ],
      ['? attempt : { ...attempt, aside: true })', '? attempt : attempt)'],
    ],
  ),
  // The round of a client, its outbox, its randomness
  ...breaksOf(
    client('round/round.ts'),
    [client('node.slow.test.ts'), attack('randomness')],
    [
      ['(await parts.whenDiskHasRoom(() => finishedBefore(parts))) ?? (await train(parts))', 'await train(parts)'],
      [
        '    source: parts.source,\n',
        "    source: { kind: 'os-csprng', fill: (bytes) => bytes.set(bytes.map(() => 256 * Math.random())) },\n",
      ],
      ['const expectedLotSize = sampleRate * declaredRecords', 'const expectedLotSize = 1'],
    ],
  ),
  ...breaksOf(
    client('compose.ts'),
    [attack('randomness')],
    [
      [
        'source: parts.source ?? osRandomness,',
        "source: parts.source ?? { kind: 'os-csprng', fill: (bytes) => bytes.set(bytes.map(() => 256 * Math.random())) },",
      ],
    ],
  ),
  ...breaksOf(
    client('round/encode-update.ts'),
    [client('round/encode-update.test.ts')],
    [
      ["if (randomness !== 'secure' && !isSimulated(simulated)) throw notPrivate(randomness)", ''],
      ['  assertPrivateUpdate(update)\n', ''],
    ],
  ),
  // What follows from a seed stays within the process of a simulation
  ...breaksOf(
    client('round/simulated-randomness.ts'),
    [client('round/encode-update.test.ts')],
    [['return randomness !== undefined && made.has(randomness)', 'return randomness !== undefined']],
  ),
  ...breaksOf(
    client('node.ts'),
    [client('simulation/own-process.test.ts')],
    [['if (simulated === undefined || transport.coordinator === LOOPBACK) return', 'return']],
  ),
  ...breaksOf(
    client('outbox/outbox.ts'),
    [client('node.slow.test.ts'), client('outbox/outbox.test.ts')],
    [
      ['if (frame !== undefined && sha256Hex(frame) === sha256) return frame', 'if (frame !== undefined) return frame'],
      ['  if (orphan === undefined) return\n', '  if (orphan === undefined || orphan.attempt > 0) return\n'],
    ],
  ),
  ...breaksOf(
    'packages/engine/src/crypto/os-randomness.ts',
    ['packages/engine/src/crypto/os-randomness.test.ts', 'scripts/check-imports.test.ts'],
    [
      ['void randomFillSync(bytes)', 'bytes.set(bytes.map(() => 256 * Math.random()))'],
      ['void randomFillSync(bytes)', 'void randomFillSync(bytes).fill(0, 1)'],
    ],
  ),
  // The coordinator: its own noise, its ledger, the clients' ledgers, terms
  ...breaksOf(
    server('rounds/client-level-mean.ts'),
    [server('rounds/client-level-mean.test.ts'), attack('randomness')],
    [
      ["if (randomness !== 'secure') throw notPrivate(randomness)", ''],
      ['    if (!paying.has(clientId)) continue\n', ''],
      ['expectedClients: clientsPerRound,', 'expectedClients: delivered.length,'],
      [
        'source: run.mechanism.noiseSource(),',
        "source: { kind: 'os-csprng', fill: (bytes) => bytes.set(bytes.map(() => 256 * Math.random())) },",
      ],
    ],
  ),
  ...breaksOf(
    server('privacy/central-ledger.ts'),
    [server('privacy/central-ledger.test.ts')],
    [
      ['const attempt = 1 + (await store.lastDraw(runId, round))', 'const attempt = 1'],
      ['const paying = clients.filter((_, index) => verdicts[index])', 'const paying = clients'],
      ['    if (paying.length < atLeast) return undefined\n', ''],
      [', new Map(paying.map((clientId) => [clientId, stepsOf(this.eventsOf(clientId))])))', ')'],
    ],
  ),
  ...breaksOf(
    server('privacy/client-level.ts'),
    ['apps/server/tests/client-level.test.ts'],
    [['if (delta <= 1 / clients) return', 'if (delta <= 1) return']],
  ),
  ...breaksOf(
    server('privacy/reconcile.ts'),
    [server('privacy/reconcile.test.ts')],
    [
      [' && steps >= 1 && steps <= agreed.steps', ''],
      ['return sameEvent(event, { ...agreed, steps }) &&', 'return'],
      ['.filter((round) => !reportedRounds.has(round))', '.filter(() => false)'],
      [
        "source === 'client' && !voided && quarantinedAt === undefined",
        "source === 'client' && voided && quarantinedAt === undefined",
      ],
    ],
  ),
  ...breaksOf(
    server('privacy/terms.ts'),
    [server('privacy/terms.test.ts')],
    [
      ['if (isWithinNoiseRatio(terms.noiseMultiplier, most, 1)) return', 'if (true as boolean) return'],
      ['return untouched && maxNoiseRatio * untouched', 'return untouched && 10 * untouched'],
      ['(await mostNoise(manifest, terms, bounds)) ?? 0', '(await mostNoise(manifest, terms, bounds)) ?? 1e6'],
    ],
  ),
  ...breaksOf(
    server('privacy/terms.ts'),
    ['apps/server/tests/privacy.test.ts', 'apps/server/tests/bad-input.test.ts'],
    [
      ['if (budget.delta > 1 / declaredRecords) {', 'if (false as boolean) {'],
      ['if (Math.abs(sampleRate - rate) > ROUNDING * rate) {', 'if (false as boolean) {'],
      ['budget.epsilon > target.epsilon * (1 + ROUNDING) ||', ''],
    ],
  ),
  ...breaksOf(
    core('federation/norm-bound.ts'),
    [core('federation/norm-bound.test.ts')],
    [
      [
        'return ((run.learningRate / run.expectedLotSize) * (signal + noise)) / (1 - run.momentum)',
        'return Number.POSITIVE_INFINITY',
      ],
    ],
  ),
  // When a round is released, and what else would tell how its training went
  ...breaksOf(
    core('privacy/release-slot.ts'),
    [core('privacy/release-slot.test.ts')],
    [
      ['>= -Math.log(MISS_PROBABILITY)', '>= -Math.log(MISS_PROBABILITY) / 2'],
      ['isUnlikely(middle + 1)', 'isUnlikely(middle + 2)'],
      ['const coins = declaredRecords * steps', 'const coins = declaredRecords'],
    ],
  ),
  ...breaksOf(
    core('privacy/release-slot.ts'),
    [client('ledger/ledger.test.ts')],
    [['return delta - rounds * MISS_PROBABILITY', 'return delta']],
  ),
  ...breaksOf(
    client('release/release-grid.ts'),
    [client('release/release-grid.test.ts')],
    [
      ['Math.max(1, Math.ceil(elapsed / slotMs)) * slotMs', 'elapsed'],
      ['Math.max(1, Math.ceil(elapsed / slotMs))', 'Math.ceil(elapsed / slotMs)'],
      [' - (pausedMs(now) - start.pausedMs)', ''],
      ['slotMs === 0 || begun === undefined', 'slotMs > 0 || begun === undefined'],
    ],
  ),
  ...breaksOf(
    client('node.ts'),
    [attack('busy-process')],
    [
      ['grid.begin(moment && Math.max(moment.at, run.readyAt()))', 'grid.begin()'],
      ['if (!isReleased) await', 'await'],
    ],
  ),
  ...breaksOf(
    client('round/deliver.ts'),
    [attack('busy-process')],
    [['moment.at = Math.max(moment.at, tokenCameAt())', 'void tokenCameAt']],
  ),
  ...breaksOf(
    client('release/slot-length.ts'),
    [client('release/slot-length.test.ts')],
    [
      ['members * resolveManifest(manifest).unit.maxRecords', 'members'],
      ['const tokenIds = new Int32Array(maxTokens)', 'const tokenIds = new Int32Array(1)'],
      ['slowest = Math.max(slowest, clock.now() - started)', 'slowest = clock.now() - started'],
      ['steps: manifest.localSteps })', 'steps: 1 })'],
    ],
  ),
  ...breaksOf(
    client('round/round.ts'),
    [attack('release-times')],
    [['  await parts.release.endOfSlot(parts.signal)\n', '']],
  ),
  ...breaksOf(
    client('round/round.ts'),
    [attack('slow-coordinator')],
    [
      [
        '  const state = await loadState(parts, manifest.adapter)\n',
        '  parts.release.begin()\n  const state = await loadState(parts, manifest.adapter)\n',
      ],
    ],
  ),
  ...breaksOf(
    client('runs/terms.ts'),
    [client('runs/terms.test.ts')],
    [
      ['  requireDrawable(noiseMultiplier, manifest.adapter)\n', ''],
      ['if (!isWithinNoiseRatio(noiseMultiplier, untouched, maxNoiseRatio)) {', 'if (false as boolean) {'],
      ['  const isOfTarget = ', '  const isOfTarget = true || '],
    ],
  ),
  // What answers would tell of a process that is busy
  ...breaksOf(
    client('transport/serve-connection.ts'),
    [client('transport/connection-thread.slow.test.ts')],
    [
      ['      await hold.behind(at)\n', ''],
      ['      if (cause !== undefined) await hold.behind(cause)\n      signal', '      signal'],
    ],
  ),
  ...breaksOf(
    client('transport/answer-hold.ts'),
    [client('transport/answer-hold.test.ts')],
    [
      ['Math.max(1, Math.ceil((ready - cause) / holdMs))', '1'],
      ['cause + holdMs * Math.max', 'ready + holdMs * Math.max'],
    ],
  ),
  ...breaksOf(
    client('compose.ts'),
    [attack('asked-while-training')],
    [['holdMs: config.releaseGrid ? ANSWER_HOLD_MS : 0', 'holdMs: 0']],
  ),
  ...breaksOf(
    client('node.ts'),
    [attack('asked-while-training')],
    [
      ['          if (moment !== undefined) moment.at = end\n', ''],
      ['const round = this.#work.hold(runId, at)', 'const round = this.#work.hold(runId)'],
      ['whenDiskHasRoom(agreeOrAsk), at)', 'whenDiskHasRoom(agreeOrAsk))'],
    ],
  ),
  ...breaksOf(
    client('ledger/state.ts'),
    [client('ledger/renewal.test.ts')],
    [
      ['broken !== undefined && isOfThisPeriod(state, broken) ? broken : undefined', 'broken'],
      [
        'return { attempts: state.attempts.filter(isOfRun), charges',
        'return { attempts: state.attempts.slice(attempts).filter(isOfRun), charges',
      ],
    ],
  ),
  ...breaksOf(
    client('ledger/budget.ts'),
    [client('ledger/renewal.test.ts')],
    [
      [
        'if (state.rule !== undefined && hasSpent(state)) return state.rule',
        'if (state.rule !== undefined && spent.length > 0) return state.rule',
      ],
    ],
  ),
  ...breaksOf(
    client('ledger/replay.ts'),
    [client('ledger/renewal.test.ts')],
    [
      ['given: budget, rule: undefined, periods', 'given: budget, periods'],
      ['if (last !== undefined && from <= last)', 'if (last !== undefined && from < last)'],
      ['if (at !== undefined && dayOf(at) < from)', 'if (at === undefined)'],
      ["statement?.kind !== 'renewal' || statement.budget !== state.name", "statement?.kind !== 'renewal'"],
    ],
  ),
  ...breaksOf(
    client('approvals/decision.ts'),
    [client('approvals/decision.test.ts')],
    [
      ['return isAbout && isCovered && isSigned(decision, publicKey)', 'return isAbout && isCovered'],
      ['decision.manifestSha256 === run.manifestSha256', 'true'],
      ['epsilon <= decision.epsilon && delta <= decision.delta', 'true'],
    ],
  ),
  ...breaksOf(
    client('release/quiet-time.ts'),
    [client('release/quiet-time.test.ts')],
    [['asked === undefined || this.#holdMs === 0 ? now : endOfHold(since, now, this.#holdMs)', 'now']],
  ),
  ...breaksOf(
    client('release/ready-turns.ts'),
    [client('release/ready-turns.test.ts')],
    [['cutAt ?? readyAt ?? clock.now()', 'cutAt ?? clock.now()']],
  ),
  ...breaksOf(
    client('runs/closed-rounds.ts'),
    [attack('rounds-closed-before-a-restart')],
    [['if (!isTold) writeFileDurably', 'if (isTold) writeFileDurably']],
  ),
  ...breaksOf(
    client('release/ready-turns.ts'),
    [attack('ready-times'), client('release/ready-turns.test.ts')],
    [['      begun += clock.now() - noticed\n', '']],
  ),
  ...breaksOf(client('runs/open-runs.ts'), [attack('release-times')], [['first: timed,', 'first: async () => {},']]),
  ...breaksOf(
    client('runs/open-runs.ts'),
    [attack('persons-as-units'), client('node.slow.test.ts')],
    [
      ['  requireUnitOf(declaration, unitOfRun(manifest))\n', ''],
      ['  requireWithinLimits(manifest, limits)\n', ''],
    ],
  ),
  ...breaksOf(
    client('node.ts'),
    [attack('progress-told'), client('node.slow.test.ts'), attack('release-times')],
    [
      ['if (this.#inTraining === 0) this.#told =', 'this.#told ='],
      ['void cut.then(released)', 'released()'],
      ['        this.#padToFullLength(runId, round)\n', ''],
      ['      if (!isReleased) await release?.endOfSlot(signal).catch(() => {})\n', ''],
      ['code: roundFailureCode(failure.code)', 'code: failure.code as never'],
      ['      requireStateSize(run.manifest, invitation)\n', ''],
      ['accept: (state) => requireUsualState(state, this.#parts.limits)', 'accept: () => {}'],
      ['if (mismatch !== undefined) throw mismatch', ''],
      ['error: toWireError(refusal).toJSON()', 'error: refusal.toJSON()'],
    ],
  ),
  // What a site agrees to
  ...breaksOf(
    client('policy/wire-codes.ts'),
    [client('policy/wire-codes.test.ts')],
    [["return code in WIRE_CODES ? code : 'SITE_DECLINED'", 'return code']],
  ),
  ...breaksOf(
    client('policy/run-limits.ts'),
    [client('policy/run-limits.test.ts'), client('node.slow.test.ts')],
    [
      ['if (value >= min && value <= max) continue', 'if (value <= max) continue'],
      ['!(Math.abs(value) <= stateValue)', 'Math.abs(value) > stateValue'],
    ],
  ),
  ...breaksOf(
    client('policy/declaration.ts'),
    [client('node.slow.test.ts'), attack('neighbouring-data')],
    [['return some.length === set.size && some.every((label) => set.has(label))', 'return true']],
  ),
  ...breaksOf(
    client('runs/terms.ts'),
    [client('runs/terms.test.ts')],
    [
      ['  requireDelta(site.budget.delta, site.declaredRecords)\n', ''],
      ['Math.max(forThisRun, noiseBesideSpent(', 'Math.min(forThisRun, noiseBesideSpent('],
      ['sampleRate: manifest.expectedLotSize / site.declaredRecords', 'sampleRate: 0.01'],
      ['steps: scheduledSteps(manifest)', 'steps: manifest.localSteps'],
    ],
  ),
  ...breaksOf(
    client('ledger/unit.ts'),
    [client('ledger/ledger.test.ts')],
    [['if (own === undefined || own === unit) return', 'return']],
  ),
  ...breaksOf(
    client('ledger/budget.ts'),
    [client('ledger/ledger.test.ts'), client('ledger/budget.test.ts')],
    [
      ['if (state.rule !== undefined && hasSpent(state)) return state.rule\n', ''],
      ['deltaWithoutMisses(budget.delta, releases + 1)', 'budget.delta'],
      ['deltaWithoutMisses(budget.delta, releases + 1)', 'deltaWithoutMisses(budget.delta, 1)'],
    ],
  ),
  // One budget for a site: data sets that overlap, and what its owner signs
  ...breaksOf(
    client('overlap/seen-data.ts'),
    [client('budget.test.ts')],
    [
      ['MOST_OVERLAP = 0.01', 'MOST_OVERLAP = 0.5'],
      ['MOST_OVERLAP = 0.01', 'MOST_OVERLAP = 0.001'],
      ['if (share > MOST_OVERLAP) throw overlaps(', 'if (false as boolean) throw overlaps('],
      [
        "if (own === undefined || theirs === undefined) throw overlaps('records that cannot be compared', budget)",
        'if (own === undefined || theirs === undefined) continue',
      ],
    ],
  ),
  ...breaksOf(
    client('overlap/sketch.ts'),
    [client('overlap/sketch.test.ts')],
    [
      [".normalize('NFC')", ''],
      ['.toLowerCase()', ''],
      ['this.#limit = all[this.#most - 1]!', 'this.#limit = Number.POSITIVE_INFINITY'],
    ],
  ),
  ...breaksOf(
    client('budget.ts'),
    [client('budget.test.ts')],
    [
      [
        "if (statement.kind === 'disjoint' && statement.budget === budget && statement.dataset === fingerprint)\n",
        "if (statement.kind === 'disjoint')\n",
      ],
      ['if (isStated && ledger.owner === owner) return', 'if (isStated) return'],
      ['    requireDisjoint()\n    return', '    return'],
      ['return [...inLedgers, ...datasetsInUse(stateDir, name)]', 'return inLedgers'],
    ],
  ),
  ...breaksOf(
    client('owner/statement.ts'),
    [client('budget.test.ts')],
    [
      [
        "return verify(null, signedBytes(statement), key, Buffer.from(statement.signature, 'base64url'))",
        'return key !== undefined',
      ],
    ],
  ),
  // Persons as units, and records on which an engine fails
  ...breaksOf(
    engine('training/unit-sum.ts'),
    [engine('training/unit-sum.slow.test.ts')],
    [
      ['if (gradient === undefined) unit.sum = undefined', 'if (gradient === undefined) continue'],
      ['if (record === undefined) unit.sum = undefined', 'if (record === undefined) continue'],
      ['part[i]! /= by', 'part[i]! /= 1'],
    ],
  ),
  ...breaksOf(
    engine('datasets/record-store/unit-index.ts'),
    [engine('datasets/record-store/unit-index.test.ts')],
    [
      ['if (positions.length < maxRecords) positions', 'positions'],
      ['if (!name.equals(unit)) {', 'if (unit.length === 0) {'],
    ],
  ),
  ...breaksOf(
    engine('training/lot-sum.ts'),
    [engine('training/lot-sum.test.ts')],
    [['if (gradient === undefined) sum.leaveOut()', 'if (gradient === undefined) return']],
  ),
  ...breaksOf(
    engine('training/gradient-source.ts'),
    [engine('training/lot-sum.test.ts')],
    [['for (const record of records) {\n    signal', 'for (const record of records.slice(1)) {\n    signal']],
  ),
  ...breaksOf(
    client('round/sum-despite-faults.ts'),
    [client('node-resume.slow.test.ts')],
    [['      throw fault\n', '']],
  ),
  ...breaksOf(
    client('data/site-data.ts'),
    [client('data/site-data.test.ts')],
    [['        withoutUnit += 1\n        continue\n', '        withoutUnit += 1\n']],
  ),
  // The audit
  ...breaksOf(
    core('privacy-audit/judge.ts'),
    [core('privacy-audit/audit.slow.test.ts')],
    [
      ['const level = (1 - confidence) / plans', 'const level = 1 - confidence'],
      ['Math.min(1, plans * Math.min(', 'Math.min(1, Math.min('],
    ],
  ),
  ...breaksOf(
    core('privacy-audit/curve-test.ts'),
    [core('privacy-audit/curve-test.test.ts')],
    [
      ['const needed = least(right)', 'const needed = least(right) / 2'],
      ['(k / (guesses - k))', '(k / guesses)'],
    ],
  ),
  // A coordinator's caps, its memory of ledgers, and what it accounts for
  ...breaksOf(
    server('privacy/client-caps.ts'),
    [server('privacy/client-caps.test.ts'), attack('adaptive-caps')],
    [
      ['const budget = this.#origins.get(clientId)', 'const budget = this.#caps.get(clientId)'],
      ['if (before === undefined || isLarger(cap, before)) origins.set', 'if (before === undefined) origins.set'],
      ['return rule !== undefined && (await', 'return rule === undefined || (await'],
    ],
  ),
  ...breaksOf(
    server('privacy/epsilon.ts'),
    [server('privacy/epsilon.slow.test.ts')],
    [
      [
        "if (rule.kind === 'schedule' && !events.every((event) => mechanismKey(event) === mechanismKey(rule))) return false\n",
        '',
      ],
      ['events.map((event) => ({ ...event, sampleRate: 1 }))', 'events'],
    ],
  ),
  ...breaksOf(
    server('privacy/ledger-head.ts'),
    [server('privacy/ledger-head.test.ts')],
    [
      ['if (given.length < remembered.length) throw notExtended(', 'if (false as boolean) throw notExtended('],
      ["if (there.head !== remembered.head) throw notExtended(remembered, 'a ledger with another history')", ''],
    ],
  ),
  ...breaksOf(
    core('protocol/accountable.ts'),
    [server('privacy/epsilon.slow.test.ts'), attack('hostile-client')],
    [['isWithin(noiseMultiplier, LIMITS.noiseMultiplier) &&', '']],
  ),
  ...breaksOf(
    server('rounds/receive.ts'),
    [attack('hostile-client')],
    [['Math.min(terms.noiseMultiplier, await update.mostNoise())', 'terms.noiseMultiplier']],
  ),
  ...breaksOf(
    'packages/engine/src/crypto/public-key.ts',
    [attack('weak-keys-and-secrets')],
    [["? ed25519KeyFault(Buffer.from(text, 'base64url')) : 'another text'", '? undefined : undefined']],
  ),
  // Secure aggregation
  ...breaksOf(secure('site-shares.ts'), LYING_COORDINATOR, [
    ['if (state.dealt !== undefined) {', 'if (false as boolean) {'],
    ['if (place < 0 || advertisements[place]!.signature !== state.advertisement.signature) {', 'if (place < 0) {'],
    ['sharers.length >= (isComplete ? roster.advertisements.length : leastSites) &&', ''],
    ['(!isComplete || boxes.length === sharers.length - 1)', 'true'],
  ]),
  ...breaksOf(secure('site-opening.ts'), LYING_COORDINATOR, [
    ['if (state.maskedSha256 !== undefined && state.maskedSha256 !== maskedSha256) {', 'if (false as boolean) {'],
    ['if (state.survivors !== undefined && state.survivors.join() !== survivors.join()) {', 'if (false as boolean) {'],
    ['const next: SiteState = { ...state, survivors }', 'const next: SiteState = { ...state }'],
    ['isSurvivor.has(of) ? seedShare : maskKeyShare', 'isSurvivor.has(of) ? maskKeyShare : seedShare'],
    ['if (signers < leastSites) {', 'if (false as boolean) {'],
    ['addOwnMask(vector, own, primitives)', 'void own'],
  ]),
  ...breaksOf(secure('survivors.ts'), LYING_COORDINATOR, [
    ['if (!survivors.includes(place)) return', 'if (false as boolean) return'],
    ['if (stranger !== undefined) return', 'if (false as boolean) return'],
    ['survivors.length < leastSites ?', 'survivors.length < 2 ?'],
    ['verify(roster.advertisements[by]!.site, text, bytesOf(signature))', '(verify, roster, text, bytesOf(signature))'],
    ['return genuine\n', 'return confirmations.length\n'],
  ]),
  ...breaksOf(secure('roster.ts'), LYING_COORDINATOR, [
    ['if (!isAscending || new Set(keys).size < keys.length) {', 'if (!isAscending) {'],
    ['if (!isAscending || new Set(keys).size < keys.length) {', 'if (new Set(keys).size < keys.length) {'],
    ['if (fault !== undefined) throw rosterFault(', 'if (false as boolean) throw rosterFault('],
    ['const asked = Math.max(leastHonest, terms.leastHonest)', 'const asked = terms.leastHonest'],
  ]),
  ...breaksOf(secure('terms.ts'), LYING_COORDINATOR, [['const numbers = [round, attempt,', 'const numbers = [round,']]),
  ...breaksOf(
    secure('transcript.ts'),
    [secure('transcript.test.ts')],
    [['    view.setUint32(offset, piece.length)\n', '    view.setUint32(offset, 0)\n']],
  ),
  ...breaksOf(
    secure('thresholds.ts'),
    [secure('thresholds.test.ts')],
    [
      ['2 * leastSites <= sites + mostColluders', '2 * leastSites < sites + mostColluders'],
      ['Math.floor((honest * mostLost) / (honest - mostLost))', 'mostLost'],
      ['honestInTheSum: honest - outside', 'honestInTheSum: honest'],
    ],
  ),
  ...breaksOf(
    secure('degree.ts'),
    [secure('degree.test.ts')],
    [
      ['const unsafe = Math.log(n) + logTail(', 'const unsafe = logTail('],
      ['s <= honest / 2', 's <= 0'],
    ],
  ),
  ...breaksOf(
    secure('masks.ts'),
    [secure('ring.test.ts')],
    [
      ['primitives.hkdf(secret, bytesOf(session), pair)', 'primitives.hkdf(secret, new Uint8Array(32), pair)'],
      ["bytesOf(session), transcript('own mask', site)", "bytesOf(session), transcript('own mask', 0 * site)"],
    ],
  ),
  ...breaksOf(
    secure('durable-site.ts'),
    [secure('durable-site.test.ts')],
    [
      ['await this.#save(step.state)', 'void this.#save'],
      ['const turn = this.#last.then(async () => {', 'const turn = Promise.resolve().then(async () => {'],
    ],
  ),
  ...breaksOf(
    secure('known-sites.ts'),
    [secure('known-sites.test.ts')],
    [
      ['certificate.lastDay < today', 'false as boolean'],
      ["transcript('site of a consortium', name, site, lastDay)", "transcript('site of a consortium', site, lastDay)"],
    ],
  ),
  ...breaksOf(
    secure('noise-shares.ts'),
    [secure('noise-shares.test.ts'), secure('sum-accounting.test.ts')],
    [
      ['noiseMultiplier / Math.sqrt(honestInTheSum)', 'noiseMultiplier / honestInTheSum'],
      ['Math.max(ownFloor, ', 'Math.max(0 * ownFloor, '],
      ['slack += 5 * Math.exp(', 'slack += 0.5 * Math.exp('],
    ],
  ),
  ...breaksOf(
    secure('sum-accounting.ts'),
    [secure('sum-accounting.test.ts')],
    [
      ['shares: honestInTheSum })', 'shares: honestInTheSum + 1 })'],
      ['const left = (delta - failing * steps)', 'const left = (delta - 0 * failing)'],
      ['thresholds.isComplete ? 0 :', 'true ? 0 :'],
    ],
  ),
  ...breaksOf(
    secure('wrap-around.ts'),
    [secure('sum-accounting.test.ts')],
    [['Math.exp(-(ofNoise ** 2) / (2 * variance))', 'Math.exp(-(ofNoise ** 2) / variance)']],
  ),
]
