import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { serveCommand } from '../../apps/cli/src/commands/serve.ts'
import { completeConfig, settingsFromEnvironment } from '../../apps/server/src/index.ts'
import { ENVIRONMENT } from '../../packages/engine/src/settings/index.ts'
import { testCoordinator } from '../../packages/testing/src/server/index.ts'

/* The manifests, held against what the coordinator really reads, listens on and answers. */
const FOLDER = path.resolve(import.meta.dirname, '../../deploy/kubernetes')

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string }
}
interface Container {
  readonly args: readonly string[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly env: readonly {
    readonly name: string
    readonly value?: string
    readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } }
  }[]
  readonly startupProbe: Probe
  readonly livenessProbe: Probe
  readonly readinessProbe: Probe
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: readonly string[] } } }
  readonly securityContext: Record<string, unknown>
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[]
}
interface Manifest {
  readonly kind: string
  readonly metadata: { readonly name: string }
  // biome-ignore lint/suspicious/noExplicitAny: the schemas of Kubernetes are not the subject
  readonly spec: any
  readonly stringData?: Record<string, string>
  readonly resources?: readonly string[]
}

async function manifests(): Promise<ReadonlyMap<string, Manifest>> {
  const found = new Map<string, Manifest>()
  for (const file of (await readdir(FOLDER)).sort()) {
    const documents = parseAllDocuments(await readFile(path.join(FOLDER, file), 'utf8'))
    for (const document of documents) {
      if (document.errors.length > 0) throw new Error(`${file}: ${document.errors[0]!.message}`)
      const manifest = document.toJS() as Manifest
      found.set(manifest.kind, manifest)
    }
  }
  return found
}

describe('the Kubernetes manifests', async () => {
  const all = await manifests()
  const deployment = all.get('Deployment')!
  const pod = deployment.spec.template.spec
  const container = pod.containers[0] as Container
  const [port] = container.ports
  const secret = all.get('Secret')!
  const environment = Object.fromEntries(
    container.env.map(({ name, value, valueFrom }) => [name, value ?? secret.stringData![valueFrom!.secretKeyRef.key]]),
  )

  it('set nothing but what the coordinator reads, to values that it takes', () => {
    const known: readonly string[] = Object.values(ENVIRONMENT)
    for (const { name, valueFrom } of container.env) {
      expect(known).toContain(name)
      if (valueFrom !== undefined) expect(valueFrom.secretKeyRef.name).toBe(secret.metadata.name)
    }
    const config = completeConfig(settingsFromEnvironment(environment))
    expect(config.databaseUrl).toBe(secret.stringData!['database-url'])
    // What coordinators have to share is given to all of them alike, and what is secret comes from the secret.
    const secrets = container.env.filter(({ valueFrom }) => valueFrom !== undefined).map(({ name }) => name)
    expect(secrets.sort()).toEqual([
      'DATABASE_URL',
      'FEDSVD_OPERATOR_TOKEN',
      'FEDSVD_STATEMENT_KEY',
      'FEDSVD_UPLOAD_SECRET',
    ])
    expect(config.blobs).toBeDefined()
    expect(config.trustedProxies).toBeGreaterThan(0)
  })

  it('call a command that there is, and open the port that it listens on', () => {
    const [command, ...options] = container.args
    const serve = serveCommand().exitOverride()
    expect(command).toBe(serve.name())
    serve.parseOptions(options)
    expect(serve.opts()).toEqual({ host: '0.0.0.0', port: port!.containerPort })
    const [servicePort] = all.get('Service')!.spec.ports
    expect(servicePort.targetPort).toBe(port!.name)
    expect(all.get('NetworkPolicy')!.spec.ingress[0].ports).toEqual([{ port: port!.containerPort }])
  })

  it('probe what a coordinator answers', async () => {
    await using coordinator = await testCoordinator()
    for (const { httpGet } of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
      expect(httpGet.port).toBe(port!.name)
      expect((await fetch(`${coordinator.url}${httpGet.path}`)).status).toBe(200)
    }
    expect(container.readinessProbe.httpGet.path).not.toBe(container.livenessProbe.httpGet.path)
  })

  it('select the same pods everywhere', () => {
    const labels = deployment.spec.template.metadata.labels
    expect(deployment.spec.selector.matchLabels).toEqual(labels)
    expect(all.get('Service')!.spec.selector).toEqual(labels)
    expect(all.get('PodDisruptionBudget')!.spec.selector.matchLabels).toEqual(labels)
    expect(all.get('NetworkPolicy')!.spec.podSelector.matchLabels).toEqual(labels)
    expect(all.get('PodDisruptionBudget')!.spec.minAvailable).toBeLessThan(deployment.spec.replicas)
  })

  it('give a process without rights just the folders that it writes to', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
    expect(pod.automountServiceAccountToken).toBe(false)
    const written = [environment.FEDSVD_STATE_DIR, environment.FEDSVD_BLOBS, '/tmp']
    expect(container.volumeMounts.map(({ mountPath }) => mountPath).sort()).toEqual(written.sort())
    const volumes = pod.volumes.map(({ name }: { name: string }) => name)
    expect(container.volumeMounts.map(({ name }) => name).sort()).toEqual(volumes.sort())
    // All coordinators write to one object store, from whichever node.
    const blobs = container.volumeMounts.find(({ mountPath }) => mountPath === environment.FEDSVD_BLOBS)!
    const volume = pod.volumes.find(({ name }: { name: string }) => name === blobs.name)
    const claim = all.get('PersistentVolumeClaim')!
    expect(volume.persistentVolumeClaim.claimName).toBe(claim.metadata.name)
    expect(claim.spec.accessModes).toEqual(['ReadWriteMany'])
  })

  it('leave a coordinator the time that it takes to stop', () => {
    const [, , program] = container.lifecycle.preStop.exec.command
    const preStopSeconds = Number(/, (\d+)\)$/.exec(program!)![1]) / 1000
    const { graceSeconds } = completeConfig(settingsFromEnvironment(environment))
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThan(preStopSeconds + graceSeconds)
  })

  it('are applied together, but for the example of a secret', async () => {
    const files = (await readdir(FOLDER)).filter((file) => !/^(kustomization|secret\.example)\.yaml$/.test(file))
    expect([...all.get('Kustomization')!.resources!].sort()).toEqual(files.sort())
  })
})
