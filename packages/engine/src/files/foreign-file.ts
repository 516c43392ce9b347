/** What a file is that is not what its name says, and what to do about it. */
export interface ForeignFile {
  readonly what: string
  readonly remedy: string
}

/** So many of a file's first bytes tell what it is. */
export const FOREIGN_BYTES = 512

/**
 * Recognises what people really have in place of a model's file, from its first bytes: a git-lfs pointer, a web page,
 * an archive. Undefined for anything else.
 */
export function foreignFile(first: Uint8Array): ForeignFile | undefined {
  const text = new TextDecoder('latin1').decode(first.subarray(0, FOREIGN_BYTES))
  if (text.startsWith('version https://git-lfs.github.com/spec/')) {
    return { what: 'a git-lfs pointer in place of the file', remedy: 'Run `git lfs pull` in the folder it came from.' }
  }
  if (/^\s*<(!doctype|html|head|\?xml)/i.test(text)) {
    return {
      what: 'a web page, such as an error or a sign-in form saved under this name',
      remedy: 'Download the file itself; some need a sign-in or an access token.',
    }
  }
  if (text.startsWith('PK\u0003\u0004')) {
    return { what: 'a zip archive, as torch.save makes them', remedy: 'Save the model with save_pretrained.' }
  }
  if (text.startsWith('\u001f\u008b')) return { what: 'a gzip archive', remedy: 'Unpack it first.' }
  return undefined
}
