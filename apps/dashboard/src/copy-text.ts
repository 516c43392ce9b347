/**
 * How a text gets to the clipboard: browsers offer the first way only to pages that came over TLS or from this machine.
 */
export interface Clipboards {
  readonly clipboard: Pick<Clipboard, 'writeText'> | undefined
  /** Copies what is selected; false where it did not. */
  readonly bySelection: (text: string) => boolean
}

/** True when the text is in the clipboard. */
export async function copyText(text: string, { clipboard, bySelection }: Clipboards): Promise<boolean> {
  if (clipboard !== undefined) {
    try {
      await clipboard.writeText(text)
      return true
    } catch {
      // Not permitted: the older way may be.
    }
  }
  return bySelection(text)
}

/** Those of this page. */
export function clipboards(): Clipboards {
  return { clipboard: navigator.clipboard as Clipboard | undefined, bySelection }
}

function bySelection(text: string): boolean {
  const field = Object.assign(document.createElement('textarea'), { value: text, readOnly: true })
  field.className = 'off-screen'
  document.body.append(field)
  field.select()
  try {
    return document.execCommand('copy') // there is no other way over plain HTTP
  } finally {
    field.remove()
  }
}
