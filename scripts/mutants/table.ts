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

const core = (file: string): string => `packages/core/src/${file}`
const client = (file: string): string => `apps/client/src/${file}`
const server = (file: string): string => `apps/server/src/${file}`

const SUM_TESTS = [
  core('privacy/clipped-sum.test.ts'),
  core('privacy/clip.test.ts'),
  core('privacy/sensitivity.test.ts'),
]
const ROUND_TESTS = [core('privacy/private-round.test.ts'), core('privacy/resume.test.ts')]
const LEDGER_TESTS = [
  client('ledger/ledger.test.ts'),
  client('ledger/verify.test.ts'),
  client('ledger/ledger.property.test.ts'),
]

export const MUTANTS: readonly Mutant[] = [
  // Clip, bound and the sum of a lot
  ...breaksOf(core('privacy/clip.ts'), SUM_TESTS, [
    ['Math.min(2 ** GRID_BITS / clipNorm, CLIP_TARGET / norm)', '2 ** GRID_BITS / clipNorm'],
    [
      'Math.min(2 ** GRID_BITS / clipNorm, CLIP_TARGET / norm)',
      'Math.max(2 ** GRID_BITS / clipNorm, CLIP_TARGET / norm)',
    ],
    ['return a + b + (c + d)', 'return a + b + c'],
    ['    units[start + i] = p\n    a += p * p\n  }\n', '    units[start + i] = p\n  }\n'],
    ['clipNorm >= CLIP_NORMS.least && clipNorm <= CLIP_NORMS.most', 'clipNorm > -1'],
  ]),
  ...breaksOf(core('privacy/clipped-sum.ts'), SUM_TESTS, [
    ['if (!(squares <= most)) {', 'if (squares > most) {'],
    ['if (!(squares <= most)) {', 'if (false) {'],
    [
      'const most = squaredBound({ dimension, gridBits: GRID_BITS })',
      'const most = 4 * squaredBound({ dimension, gridBits: GRID_BITS })',
    ],
    ['squares += roundTo(units, end, part, factor)', 'squares = roundTo(units, end, part, factor)'],
    ['candidate instanceof LotSum && #sums in candidate ? candidate.#sums : undefined', '(candidate as LotSum).units'],
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
    [core('random/discrete-gaussian.test.ts')],
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
    ['v[i] = momentum * v[i]! + (sum[i]! + noisySum[i]!)', 'v[i] = momentum * v[i]! + sum[i]!'],
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
    ["advance('step', 'closed')\n", ''],
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
      ['entry.event.steps === 1 &&\n', ''],
      ['kept.attempt === attempt && kept.step === step', 'kept.attempt === attempt'],
    ],
  ),
  ...breaksOf(
    core('privacy/private-update.ts'),
    [core('privacy/private-update.test.ts'), client('privacy-traps.test.ts')],
    [
      ['if (!NoisedUpdate.isOne(candidate)) throw notMade()', ''],
      ['candidate instanceof NoisedUpdate && #made in candidate', 'candidate instanceof NoisedUpdate'],
    ],
  ),
  ...breaksOf(
    core('privacy/saved-step.ts'),
    [core('privacy/resume.test.ts')],
    [['if (NoisedStep.isOne(candidate)) return\n', 'return\n']],
  ),
  // Adaptive clipping
  ...breaksOf(
    core('privacy/private-round.ts'),
    [core('privacy/adaptive-clipping.test.ts')],
    [['voteNoise.fill(bits, drawn)', '']],
  ),
  ...breaksOf(
    core('privacy/adaptive-clipping.ts'),
    [core('privacy/adaptive-clipping.test.ts')],
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
    [core('privacy/client-level.test.ts')],
    [
      ['(units + noise[i]!) * unit', 'units * unit'],
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
    [core('accounting/accountant.test.ts'), core('accounting/filter.test.ts')],
    [
      ['steps: (merged.get(key)?.steps ?? 0) + event.steps', 'steps: event.steps'],
      ['    checkEvent(event)\n    const key', '    const key'],
      ['delta >= LEAST_DELTA && delta < 1', 'delta < 1e9'],
    ],
  ),
  ...breaksOf(
    core('accounting/filter.ts'),
    [core('accounting/filter.test.ts')],
    [
      ['epsilonAt(events, delta) <= epsilon,', 'epsilonAt(events, delta) <= 1.01 * epsilon,'],
      ['sum + steps / noiseMultiplier ** 2', 'sum + 1 / noiseMultiplier ** 2'],
      ["return isPaid ? { kind: 'renyi', order } : scheduleRule(first)", "return { kind: 'renyi', order }"],
    ],
  ),
  ...breaksOf(
    core('accounting/event.ts'),
    [client('node.test.ts'), core('accounting/accountant.test.ts')],
    [['steps: run.localSteps,', 'steps: 1,']],
  ),
  // The ledger of a site
  ...breaksOf(client('ledger/ledger.ts'), LEDGER_TESTS, [
    ['attempt: (last?.attempt ?? 0) + 1 }', 'attempt: 1 }'],
    ['      if (known !== undefined) return requireSameTerms(known, run)\n', '      if (known !== undefined) return\n'],
    ['      assertSavedStep(saved)\n', ''],
  ]),
  ...breaksOf(client('ledger/budget.ts'), LEDGER_TESTS, [
    ['requireWithin(makeFilter(rule), spentEvents(state), next, state.budget, whose)', ''],
    ["requireWithin(filter, spentEvents(state, run.runId), next, run.terms.budget, 'this run')", ''],
    ['filter.allows([...spent, next], { ...budget, delta })', 'filter.allows(spent, { ...budget, delta })'],
  ]),
  ...breaksOf(client('ledger/replay.ts'), LEDGER_TESTS, [
    [
      "if (canonicalJson(due) !== canonicalJson(event)) throw contradiction('the event of the bound terms', 'another')",
      '',
    ],
    [
      'const lower = fact.budget.epsilon <= epsilon && fact.budget.delta <= delta',
      'const lower = fact.budget.epsilon <= epsilon',
    ],
    [
      'if (last?.frameSha256 !== undefined) throw contradiction(`no attempt after',
      'if (false as boolean) throw contradiction(`no attempt after',
    ],
    ['return [...state.attempts, ...state.charges]', 'return [...state.attempts]'],
  ]),
  ...breaksOf(client('ledger/verify.ts'), LEDGER_TESTS, [
    ['if (hash !== entry.hash) throw damaged(', 'if (false as boolean) throw damaged('],
    ['if (entry.seq !== seq) throw damaged(', 'if (false as boolean) throw damaged('],
    ['    head = entry.hash\n  }', '  }'],
  ]),
  ...breaksOf(
    client('ledger/ledger-file.ts'),
    [...LEDGER_TESTS, client('ledger/crash.test.ts')],
    [
      ["    appendDurably(this.#fd, Buffer.from(entries.map(encodeEntry).join('')))\n", ''],
      ['    if (!this.#usable) throw notUsable()\n', ''],
    ],
  ),
  ...breaksOf(
    client('ledger/adopted.ts'),
    [client('ledger/adopted.test.ts')],
    [['epsilon: Math.min(one.epsilon, other.epsilon)', 'epsilon: Math.max(one.epsilon, other.epsilon)']],
  ),
  // The round of a client, its outbox, its randomness
  ...breaksOf(
    client('round/round.ts'),
    [client('node.test.ts'), 'tests/attacks/randomness.test.ts'],
    [
      ['const finished = finishedBefore(parts) ?? (await train(parts))', 'const finished = await train(parts)'],
      [
        '    source: parts.source,\n',
        "    source: { kind: 'os-csprng', fill: (bytes) => bytes.set(bytes.map(() => 256 * Math.random())) },\n",
      ],
      ['const expectedLotSize = sampleRate * declaredRecords', 'const expectedLotSize = 1'],
    ],
  ),
  ...breaksOf(
    client('compose.ts'),
    ['tests/attacks/randomness.test.ts'],
    [
      [
        'source: parts.source ?? osRandomness,',
        "source: parts.source ?? { kind: 'os-csprng', fill: (bytes) => bytes.set(bytes.map(() => 256 * Math.random())) },",
      ],
    ],
  ),
  ...breaksOf(
    client('round/encode-update.ts'),
    [client('privacy-traps.test.ts')],
    [
      ["if (update.randomness !== 'secure') throw notPrivate(update.randomness)", ''],
      ['  assertPrivateUpdate(update)\n', ''],
    ],
  ),
  ...breaksOf(
    client('outbox/outbox.ts'),
    [client('node.test.ts'), client('outbox/outbox.test.ts')],
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
    server('rounds/noised-mean.ts'),
    [server('rounds/noised-mean.test.ts'), 'tests/attacks/randomness.test.ts'],
    [
      ["if (randomness !== 'secure') throw notPrivate(randomness)", ''],
      ['    if (!paying.has(clientId)) continue\n', ''],
      ['expectedClients: clientsPerRound,', 'expectedClients: delivered.length,'],
      [
        'source: run.noiseSource(),',
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
    ['tests/server-client-level.test.ts'],
    [['if (delta <= 1 / clients) return', 'if (delta <= 1) return']],
  ),
  ...breaksOf(
    server('privacy/reconcile.ts'),
    [server('privacy/reconcile.test.ts')],
    [
      ['(attempt > 1 && sameEvent(event, oneStep))', 'sameEvent(event, oneStep)'],
      ['.filter((round) => !reportedRounds.has(round))', '.filter(() => false)'],
      [
        "source === 'client' && !voided && quarantinedAt === undefined",
        "source === 'client' && voided && quarantinedAt === undefined",
      ],
    ],
  ),
  ...breaksOf(
    server('privacy/terms.ts'),
    ['tests/server-privacy.test.ts', 'tests/server-bad-input.test.ts'],
    [
      ['if (budget.delta > 1 / declaredRecords) {', 'if (false as boolean) {'],
      ['if (Math.abs(sampleRate - rate) > ROUNDING * rate) {', 'if (false as boolean) {'],
      ['budget.epsilon > target.epsilon * (1 + ROUNDING) ||', ''],
    ],
  ),
  ...breaksOf(
    core('federation/norm-bound.ts'),
    [server('rounds/progress.test.ts'), 'tests/server-byzantine.test.ts'],
    [
      [
        'return ((run.learningRate / run.expectedLotSize) * (signal + noise)) / (1 - run.momentum)',
        'return Number.POSITIVE_INFINITY',
      ],
    ],
  ),
]
