import { readFileSync } from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'

const ROOT = path.resolve(import.meta.dirname, '../..')

/** A service of the compose file that is built from this repository. */
export interface Service {
  readonly target: string
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** `from:to` and options, as the file has them. */
  readonly volumes: readonly string[]
  readonly healthcheck?: readonly string[]
}

interface FileService {
  readonly build?: { readonly target: string }
  readonly command?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly volumes?: readonly string[]
  readonly healthcheck?: { readonly test: readonly string[] }
}

/** The services that are built here, by name, with every variable filled in as compose does. */
export function composeServices(variables: Readonly<Record<string, string>>): Readonly<Record<string, Service>> {
  const text = readFileSync(path.join(ROOT, 'docker-compose.yml'), 'utf8')
  const { services } = parse(text, { merge: true }) as { services: Readonly<Record<string, FileService>> }
  const fill = (value: string): string => filledIn(value, variables)
  const built = Object.entries(services).filter(([, { build }]) => build !== undefined)
  return Object.fromEntries(
    built.map(([name, { build, command = [], environment = {}, volumes = [], healthcheck }]) => [
      name,
      {
        target: build!.target,
        command: command.map(fill),
        environment: Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, fill(value)])),
        volumes,
        ...(healthcheck && { healthcheck: healthcheck.test.slice(1) }),
      },
    ]),
  )
}

/** `${NAME}`, `${NAME:-default}` and `${NAME:?what to do}`. */
function filledIn(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_, name: string, kind?: string, words = '') => {
    const value = variables[name]
    if (value !== undefined && value !== '') return value
    if (kind === '-') return words
    throw new Error(`expected the variable ${name} of docker-compose.yml, got none. ${kind === '?' ? words : ''}`)
  })
}
