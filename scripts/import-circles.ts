/**
 * The circles of a graph of imports: each is a set of files that all reach one another (a strongly connected component,
 * Tarjan 1972), in alphabetical order.
 */
export function circlesIn(imports: ReadonlyMap<string, readonly string[]>): string[][] {
  const order = new Map<string, number>()
  const lowest = new Map<string, number>()
  const path: string[] = []
  const onPath = new Set<string>()
  const circles: string[][] = []

  const visit = (file: string): void => {
    const number = order.size
    order.set(file, number)
    lowest.set(file, number)
    path.push(file)
    onPath.add(file)
    const targets = imports.get(file) ?? []
    for (const target of targets) {
      if (!order.has(target)) visit(target)
      if (onPath.has(target)) lowest.set(file, Math.min(lowest.get(file)!, lowest.get(target)!))
    }
    if (lowest.get(file) !== number) return
    const circle = path.splice(path.indexOf(file))
    for (const member of circle) onPath.delete(member)
    if (circle.length > 1 || targets.includes(file)) circles.push(circle.sort())
  }

  for (const file of imports.keys()) if (!order.has(file)) visit(file)
  return circles
}
