import { useEffect, useState } from 'react'

/** Where drafts are kept: of one tab, and gone with it. */
export type DraftStorage = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>

/** What was kept of a form, over what it begins with; what is not of the form, or of another type, is left out. */
export function readDraft<T extends object>(storage: DraftStorage, key: string, start: T): T {
  try {
    const kept: unknown = JSON.parse(storage.getItem(key) ?? '{}')
    if (typeof kept !== 'object' || kept === null) return start
    const fitting = Object.entries(kept).filter(([name, value]) => {
      const usual = (start as Record<string, unknown>)[name]
      return typeof value === typeof usual && Array.isArray(value) === Array.isArray(usual) && value !== null
    })
    return { ...start, ...Object.fromEntries(fitting) }
  } catch {
    return start
  }
}

/**
 * A form that is not lost when its page is left, by Back or because a session has ended: it is there again on return.
 *
 * @returns the form, how it is changed, and how it is forgotten once it has been sent
 */
export function useDraft<T extends object>(key: string, start: () => T) {
  const [form, setForm] = useState<T>(() => readDraft(sessionStorage, key, start()))
  useEffect(() => {
    try {
      sessionStorage.setItem(key, JSON.stringify(form))
    } catch {
      // A browser that keeps nothing loses the draft when the page is left, as it would have before.
    }
  }, [key, form])
  const forget = (): void => sessionStorage.removeItem(key)
  return [form, setForm, forget] as const
}
