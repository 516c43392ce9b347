/** Holds every class, and every interface of methods, against the most public members that one may have. */
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'vite'
import { sourceFiles } from './check-imports.ts'

/** More than this and it does several things: take it apart by what its callers use. */
export const MOST_MEMBERS = 14

/** Those that may have more, each with its reason. An entry that is not needed any more is a breach, too. */
export const EXCEPTIONS: Readonly<Record<string, string>> = {
  'packages/testing/src/client/coordinator-double.ts#CoordinatorDouble': 'plays a whole coordinator in tests',
  'packages/testing/src/server/fake-client.ts#FakeClient': 'plays a whole client in tests',
}

export interface Members {
  readonly name: string
  readonly members: readonly string[]
}

interface Node {
  readonly type: string
  readonly [key: string]: unknown
}

const isNode = (value: unknown): value is Node => typeof (value as Node | null)?.type === 'string'

/**
 * The public members of each class, static ones included, and the methods of each interface.
 * Overloads and the two halves of an accessor are one member; constructors, `#private` and `private` members are none.
 * The fields of an interface are data, and not counted.
 */
export function membersOf(file: string, source: string): Members[] {
  const found: Members[] = []
  visit(parseSync(file, source).program as unknown as Node, found)
  return found
}

function visit(node: Node, found: Members[]): void {
  const { type, id, body } = node
  const name = isNode(id) ? String(id.name) : 'anonymous'
  if (type === 'ClassDeclaration' || type === 'ClassExpression') {
    const members = ((body as Node).body as Node[]).filter(isPublic).flatMap(namesOf)
    found.push({ name, members: [...new Set(members)] })
  } else if (type === 'TSInterfaceDeclaration') {
    const members = ((body as Node).body as Node[]).filter(({ type: kind }) => kind === 'TSMethodSignature')
    found.push({ name, members: [...new Set(members.flatMap(namesOf))] })
  }
  for (const child of Object.values(node).flat()) if (isNode(child)) visit(child, found)
}

function isPublic({ type, kind, key, accessibility }: Node): boolean {
  if (type === 'StaticBlock' || accessibility === 'private' || accessibility === 'protected') return false
  return kind === 'constructor' || (key as Node | undefined)?.type !== 'PrivateIdentifier'
}

/** A constructor's own name is no member, but `constructor(readonly store: Store)` declares one. */
function namesOf({ kind, key, value }: Node): string[] {
  if (kind !== 'constructor') return [keyText(key as Node)]
  return ((value as Node).params as Node[])
    .filter(({ type, accessibility }) => type === 'TSParameterProperty' && accessibility !== 'private')
    .map(({ parameter }) => String((parameter as Node).name))
}

function keyText({ type, name, value, property }: Node): string {
  if (type === 'MemberExpression') return `[${String((property as Node).name)}]`
  return String(name ?? value)
}

/** The breaches of one file, each as one line. */
export function breachesOf(file: string, source: string, exceptions = EXCEPTIONS): string[] {
  return membersOf(file, source).flatMap(({ name, members }) => {
    const isExcepted = exceptions[`${file}#${name}`] !== undefined
    if (members.length > MOST_MEMBERS === isExcepted) return []
    const count = `${file}: ${name} has ${members.length} public members`
    return isExcepted
      ? [`${count}: take it out of the exceptions`]
      : [`${count}, more than ${MOST_MEMBERS}: take it apart by what its callers use (${members.join(', ')})`]
  })
}

/** The breaches of all source files, and the exceptions that name nothing. */
export function breachesOfTree(root: string): string[] {
  const files = sourceFiles(root)
  const breaches = files.flatMap((file) => breachesOf(file, readFileSync(join(root, file), 'utf8')))
  const lost = Object.keys(EXCEPTIONS).filter((key) => !files.includes(key.split('#')[0]!))
  return [...breaches, ...lost.map((key) => `${key}: an exception for a file that does not exist`)]
}

if (process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const breaches = breachesOfTree(join(dirname(fileURLToPath(import.meta.url)), '..'))
  for (const breach of breaches) console.error(breach)
  process.exitCode = breaches.length === 0 ? 0 : 1
}
