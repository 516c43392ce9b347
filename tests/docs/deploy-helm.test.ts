import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { joinCommand } from '../../apps/cli/src/commands/join.ts'
import { serveCommand } from '../../apps/cli/src/commands/serve.ts'
import { parseConfig } from '../../apps/cli/src/config-file/index.ts'
import { siteConfigSchema } from '../../apps/cli/src/site-config/index.ts'
import { completeConfig, settingsFromEnvironment } from '../../apps/server/src/index.ts'
import { ENVIRONMENT } from '../../packages/engine/src/settings/index.ts'
import { chartValues, type Manifest, renderChart } from './helm-template.ts'

/* The charts, held against what a coordinator and a site really read. With FEDSVD_HELM, also against helm itself. */
const CHARTS = path.resolve(import.meta.dirname, '../../deploy/helm')
const [SITE, COORDINATOR] = [path.join(CHARTS, 'fedsvd-site'), path.join(CHARTS, 'fedsvd-coordinator')]
const HELM = process.env.FEDSVD_HELM

interface Named {
  readonly name: string
  readonly mountPath?: string
  readonly readOnly?: boolean
  readonly value?: string
  readonly valueFrom?: { readonly secretKeyRef: { readonly key: string } }
}

const byKind = (manifests: readonly Manifest[]) => new Map(manifests.map((manifest) => [manifest.kind, manifest]))

function coordinator(changes: object = {}) {
  const all = byKind(renderChart(COORDINATOR, { ...chartValues(COORDINATOR), ...changes }, 'fed'))
  const pod = all.get('Deployment')!.spec.template.spec
  const [container] = pod.containers
  const secrets: Record<string, string> = {
    'database-url': 'postgresql://fedsvd@db/fedsvd',
    'operator-token': randomBytes(32).toString('hex'),
    'upload-secret': randomBytes(32).toString('hex'),
    'statement-key': randomBytes(32).toString('base64url'),
  }
  const environment = Object.fromEntries(
    container.env.map(({ name, value, valueFrom }: Named) => [name, value ?? secrets[valueFrom!.secretKeyRef.key]!]),
  )
  return { all, pod, container, environment, config: completeConfig(settingsFromEnvironment(environment)) }
}

describe('the chart of a coordinator', () => {
  it('sets what a coordinator reads, calls a command that there is, and opens its port', () => {
    const { all, container, environment, config } = coordinator()
    for (const name of Object.keys(environment)) expect(Object.values<string>(ENVIRONMENT)).toContain(name)
    expect(config).toMatchObject({
      leaseSeconds: 10,
      graceSeconds: 30,
      trustedProxies: 1,
      blobs: '/var/lib/fedsvd-blobs',
    })
    const [command, ...options] = container.args
    const serve = serveCommand().exitOverride()
    expect(command).toBe('serve')
    serve.parseOptions(options)
    expect(serve.opts()).toEqual({ host: '0.0.0.0', port: container.ports[0].containerPort })
    expect(all.get('NetworkPolicy')!.spec.ingress[0].ports).toEqual([{ port: 7373 }])
    expect(all.get('Service')!.spec.ports[0].targetPort).toBe(container.ports[0].name)
  })

  it('selects the same pods everywhere, and leaves a coordinator the time that it takes to stop', () => {
    const { all, pod, config } = coordinator()
    const labels = all.get('Deployment')!.spec.template.metadata.labels
    expect(all.get('Deployment')!.spec.selector.matchLabels).toEqual(labels)
    expect(all.get('Service')!.spec.selector).toEqual(labels)
    expect(all.get('PodDisruptionBudget')!.spec.selector.matchLabels).toEqual(labels)
    expect(all.get('NetworkPolicy')!.spec.podSelector.matchLabels).toEqual(labels)
    expect(all.get('PodDisruptionBudget')!.spec.minAvailable).toBeLessThan(all.get('Deployment')!.spec.replicas)
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(5 + config.graceSeconds)
  })

  it('mounts what is written to, or speaks to an object store in its place', () => {
    const { all, pod, container } = coordinator()
    const names = (of: readonly { readonly name: string }[]) => of.map(({ name }) => name).sort()
    expect(names(container.volumeMounts)).toEqual(names(pod.volumes))
    expect(all.get('PersistentVolumeClaim')!.metadata.name).toBe('fed-blobs')
    const store = coordinator({ blobs: { url: 's3://bucket/prefix' }, minAvailable: 0 })
    expect(store.config.blobs).toBe('s3://bucket/prefix')
    expect([...store.all.keys()].sort()).toEqual(['Deployment', 'NetworkPolicy', 'Service'])
    expect(names(store.container.volumeMounts)).toEqual(['state', 'tmp'])
    expect(store.all.get('NetworkPolicy')!.spec.egress.at(-1)).toEqual({ ports: [{ port: 443 }] })
  })

  it('is reached by the name of its ingress where there is one', () => {
    const ingress = { ...(chartValues(COORDINATOR).ingress as object), enabled: true }
    const { spec } = coordinator({ ingress }).all.get('Ingress')!
    expect(spec.rules[0]).toMatchObject({ host: 'fedsvd.example' })
    expect(spec.rules[0].http.paths[0].backend.service.name).toBe('fed')
  })
})

describe('the chart of a site', () => {
  const all = byKind(renderChart(SITE, chartValues(SITE), 'north'))
  const { spec } = all.get('StatefulSet')!
  const pod = spec.template.spec
  const [container] = pod.containers

  it('joins by a site configuration that is one, and reads data and secrets where they are mounted', () => {
    const [command, ...options] = container.args
    expect(command).toBe('join')
    const join = joinCommand().exitOverride()
    join.parseOptions(options)
    const mounts = new Map(container.volumeMounts.map(({ name, mountPath }: Named) => [name, mountPath]))
    expect(path.dirname(join.opts().config)).toBe(mounts.get('config'))
    const text = all.get('ConfigMap')!.data[path.basename(join.opts().config)]
    const site = parseConfig(text, siteConfigSchema, { file: 'site.yaml', what: 'site configuration' })
    expect(path.dirname(String(site.data))).toBe(mounts.get('data'))
    expect(path.dirname(site.tokenFile!)).toBe(mounts.get('secrets'))
    expect(site.stateDir).toBeUndefined()
    expect(container.env).toEqual([
      { name: 'FEDSVD_STATE_DIR', value: expect.stringContaining(`${mounts.get('state')}/`) },
    ])
  })

  it('is one pod, which writes to its state alone and takes no connection', () => {
    expect(spec.replicas).toBe(1)
    expect(spec.volumeClaimTemplates[0].spec.accessModes).toEqual(['ReadWriteOnce'])
    const writable = container.volumeMounts
      .filter(({ readOnly }: Named) => readOnly !== true)
      .map(({ name }: Named) => name)
    expect(writable).toEqual(['state', 'tmp'])
    expect(all.get('NetworkPolicy')!.spec).toMatchObject({ policyTypes: ['Ingress', 'Egress'] })
    expect(all.get('NetworkPolicy')!.spec.ingress).toBeUndefined()
    const labels = spec.template.metadata.labels
    expect(spec.selector.matchLabels).toEqual(labels)
    expect(all.get('NetworkPolicy')!.spec.podSelector.matchLabels).toEqual(labels)
  })
})

describe.each([SITE, COORDINATOR])('the pods of %s', (chart) => {
  it('have no rights', () => {
    const found = byKind(renderChart(chart, chartValues(chart), 'one'))
    const { spec } = (found.get('StatefulSet') ?? found.get('Deployment'))!.spec.template
    expect(spec.automountServiceAccountToken).toBe(false)
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  })

  it.skipIf(HELM === undefined)('are rendered by helm as they are here', () => {
    const text = execFileSync(HELM!, ['template', 'one', chart], { encoding: 'utf8' })
    const rendered = parseAllDocuments(text).map((document) => document.toJS() as Manifest)
    const sorted = (of: readonly Manifest[]) => of.map(normal).sort((a, b) => (a.kind < b.kind ? -1 : 1))
    expect(sorted(rendered)).toEqual(sorted(renderChart(chart, chartValues(chart), 'one')))
  })
})

/** The text of a site configuration, which is written in another order and spelling, as what it says. */
function normal(manifest: Manifest): Manifest {
  return manifest.kind === 'ConfigMap' ? { ...manifest, data: parse(manifest.data['site.yaml']) } : manifest
}
