/**
 * The first key that stands twice in one object of a JSON text, with all that JSON.parse would drop silently; undefined
 * where every key is named once. The text must be valid JSON.
 */
export function repeatedKey(json: string): string | undefined {
  const open: (Set<string> | undefined)[] = []
  let isKey = false
  for (let at = 0; at < json.length; at++) {
    const char = json[at]
    if (char === '"') {
      const end = endOfString(json, at)
      const keys = open.at(-1)
      if (isKey && keys !== undefined) {
        const key = JSON.parse(json.slice(at, end)) as string
        if (keys.has(key)) return key
        keys.add(key)
      }
      isKey = false
      at = end - 1
    } else if (char === '{') {
      open.push(new Set())
      isKey = true
    } else if (char === '[') {
      open.push(undefined)
    } else if (char === '}' || char === ']') {
      open.pop()
      isKey = false
    } else if (char === ',') {
      isKey = open.at(-1) !== undefined
    }
  }
  return undefined
}

/** The position behind the closing quote of the string that begins at `start`. */
function endOfString(json: string, start: number): number {
  for (let at = start + 1; at < json.length; at++) {
    if (json[at] === '\\') at += 1
    else if (json[at] === '"') return at + 1
  }
  return json.length
}
