/**
 * What is said in one place of the sources and nowhere else. A second place is right on the day that it is written and
 * wrong on the day that the first one changes.
 */
export const ONE_HOME: readonly { readonly uses: RegExp; readonly within: RegExp; readonly because: string }[] = [
  {
    uses: /(?:\?\?|\btask\??\s*=)\s*['"]sequence-classification['"]/,
    within: /^packages\/core\/src\/lora\/task\.ts$/,
    because: 'the task of what names none is DEFAULT_TASK, and that of a manifest comes from resolveManifest',
  },
  {
    uses: /\b(?:aggregation|mode)(?:\?\.name)?\s*(?:\?\?|=)\s*(?:\{\s*name:\s*)?['"](?:mean|synchronous)['"]/,
    within: /^packages\/core\/src\/protocol\/resolve-manifest\.ts$/,
    because: 'what a run goes by where its manifest says nothing comes from resolveManifest',
  },
  {
    uses: /\b(?:maxStaleness|overSelection|featureScale|FEATURE_SCALE|USUAL_\w+|maxRecords|lateUpdates)\s*(?:\?\?|=)\s*(?:\d|['"])/,
    within: /^packages\/core\/src\/protocol\/resolve-manifest\.ts$|^apps\/cli\/src\/audit\/starter-audit\.ts$/,
    because: 'what a run goes by where its manifest says nothing comes from resolveManifest',
  },
  {
    uses: /\?\?\s*['"]record['"]/,
    within: /^packages\/core\/src\/accounting\/event\.ts$/,
    because: 'the unit of a run comes from unitOfRun, and that of a ledger from the ledger',
  },
  {
    uses: /['"](?:waiting|running|paused|completed|stopped|failed)['"]\s*(?:,|\|\||&&)\s*(?:\w+(?:\.\w+)*\s*[!=]==\s*)?['"](?:waiting|running|paused|completed|stopped|failed)['"]/,
    within: /^packages\/core\/src\/protocol\/run-state\.ts$|^apps\/server\/src\/storage\/records\/postgres\//,
    because: 'whether a run is active, paused or over is asked of isRunActive and isRunOver',
  },
  {
    uses: /\bz\.(?:object|looseObject)\(|\.(?:passthrough|loose|strip|catchall)\(/,
    within:
      /^packages\/core\/src\/(?:protocol\/stored-form|registry\/schemas)\.ts$|^apps\/server\/src\/trackers\/mlflow\/answers\.ts$/,
    because:
      'a key that is not read is refused with the nearest name: use z.strictObject; only what an earlier or later release has stored is read with storedForm, and what another system answers in its answers.ts',
  },
  {
    uses: /\$\{(?:\w+\.)?sampleRate\}\/\$\{(?:\w+\.)?noiseMultiplier\}/,
    within: /^packages\/core\/src\/accounting\/events\.ts$/,
    because: 'the key of a mechanism is mechanismKey of accounting: two keys that differ count one mechanism as two',
  },
  {
    uses: /\bMath\.min\([^;]*Number\.MAX_VALUE/,
    within: /^packages\/core\/src\/accounting\/events\.ts$/,
    because: 'an epsilon without a bound becomes a number in finiteEpsilon alone',
  },
  {
    uses: /\bversion\b['"]?\s*[(=:]\s*['"]\d+\.\d+\.\d+['"]|\bVERSION\s*=\s*['"]\d/,
    within: /^packages\/testing\//,
    because: 'a release is named in package.json, and read from there',
  },
]
