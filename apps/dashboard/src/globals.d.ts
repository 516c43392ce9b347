/** The version of fedsvd that the page was built from. */
declare const __FEDSVD_VERSION__: string
