import manifest from '../package.json' with { type: 'json' }

/** The release of fedsvd that this command is. */
export const VERSION = manifest.version
