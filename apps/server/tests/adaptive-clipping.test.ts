import { describe, expect, it } from 'vitest'
import { updateNormBound } from '../../../packages/core/src/federation/index.ts'
import { canonicalSchema, trainedSpecs } from '../../../packages/core/src/lora/index.ts'
import { splitNoise } from '../../../packages/core/src/privacy/index.ts'
import { encodeFrame } from '../../../packages/core/src/protocol/index.ts'
import { type NamedTensor, sizeOf } from '../../../packages/core/src/tensor/index.ts'
import {
  type FakeClient,
  hexSha256,
  sha256,
  testCoordinator,
  trainAndUpload,
} from '../../../packages/testing/src/server/index.ts'

const ADAPTIVE = { quantile: 0.5, learningRate: 0.2, countShare: 0.01 }

describe('a clip norm that adapts', () => {
  it('is the same for all clients of a round, and moves by the mean of their shares, nonsense cut to [0, 1]', async () => {
    await using coordinator = await testCoordinator()
    const run = { clientsPerRound: 2, quorum: 2, rounds: 3, clipNorm: 2, adaptiveClipping: ADAPTIVE }
    const { runId } = await coordinator.createRun(run)
    const clients = [
      await coordinator.client('honest', { shareUnderClip: 0.25 }),
      await coordinator.client('wild', { shareUnderClip: -1e30 }),
    ]
    await Promise.all(clients.map((client) => client.connect()))
    const { clipNorm, clients: spent } = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    const factor = Math.exp(-0.2 * ((0.25 + 0) / 2 - 0.5))
    for (const { invitations } of clients) {
      for (const [round, invitation] of invitations.entries())
        expect(invitation.clipNorm).toBeCloseTo(2 * factor ** round, 6)
    }
    expect(clipNorm).toBeCloseTo(2 * factor ** 3, 6)
    expect(spent.map(({ steps }) => steps)).toEqual([6, 6])
  })

  it('decides which updates are too large: the bound follows it, with the noise that the votes left to the gradients', async () => {
    await using coordinator = await testCoordinator()
    const run = {
      clientsPerRound: 1,
      quorum: 1,
      rounds: 2,
      clipNorm: 2,
      adaptiveClipping: { ...ADAPTIVE, countShare: 0.5 },
    }
    const manifest = await coordinator.createRun(run)
    const { adapter } = manifest
    const boundAt = (clipNorm: number) =>
      updateNormBound({ ...manifest, clipNorm }, { noiseMultiplier: splitNoise(2, { countShare: 0.5 }).sum })
    const replies: string[] = []
    const send = async (client: FakeClient, norm: number, invitation: FakeClient['invitations'][number]) => {
      const { runId, round, basis } = invitation
      const specs = trainedSpecs(adapter)
      const each = norm / Math.sqrt(specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0))
      const tensors: NamedTensor[] = specs.map(({ name, shape }) => {
        return { name, shape, data: new Float32Array(sizeOf(shape)).fill(each) }
      })
      const schemaHash = hexSha256(Buffer.from(canonicalSchema(adapter)))
      const share = { name: 'share', shape: [1], data: Float32Array.of(0) }
      const header = { kind: 'update' as const, round, basis, runId, clientId: client.clientId, schemaHash }
      const frame = encodeFrame({ ...header, tensors: [...tensors, share] }, sha256)
      replies.push(
        await client.upload(invitation, frame).then(
          ({ status }) => status,
          ({ code }: { code: string }) => code,
        ),
      )
    }
    const client = await coordinator.client('site', {
      async train(self, invitation) {
        await send(self, 1.001 * boundAt(invitation.clipNorm!), invitation)
        await send(self, 0.999 * boundAt(invitation.clipNorm!), invitation)
      },
    })
    await client.connect()
    await coordinator.seen(manifest.runId, 'the end', ({ state }) => state === 'completed')
    expect(client.invitations[1]!.clipNorm).toBeCloseTo(2 * Math.exp(0.1), 6)
    expect(replies).toEqual(['NORM_EXCEEDED', 'accepted', 'NORM_EXCEEDED', 'accepted'])
  })

  it('takes no update without its share', async () => {
    await using coordinator = await testCoordinator()
    const run = { clientsPerRound: 1, quorum: 1, rounds: 1, adaptiveClipping: ADAPTIVE }
    const { runId } = await coordinator.createRun(run)
    const client = await coordinator.client('site', {
      async train(self, invitation) {
        const whole = self.manifests.get(runId)!
        self.manifests.set(runId, { ...whole, adaptiveClipping: undefined })
        await expect(self.upload(invitation, self.frame(invitation))).rejects.toMatchObject({ httpStatus: 400 })
        self.manifests.set(runId, whole)
        await trainAndUpload(self, invitation)
      },
    })
    await client.connect()
    await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    expect(client.errors).toEqual([])
  })

  it('moves at client level, too: all deltas are short, so the norm sinks, and a round still costs one draw', async () => {
    await using coordinator = await testCoordinator()
    const adaptiveClipping = { quantile: 0.1, learningRate: 0.5, countShare: 0.5 }
    const budget = { epsilon: 900, delta: 1e-5 }
    const clientLevel = { clipNorm: 10, noiseMultiplier: 0.1, budget, adaptiveClipping }
    const { runId } = await coordinator.createRun({ clientsPerRound: 2, quorum: 2, rounds: 2, clientLevel })
    const clients = await Promise.all(['a', 'b'].map((name) => coordinator.client(name)))
    await Promise.all(clients.map((client) => client.connect()))
    const snapshot = await coordinator.seen(runId, 'the end', ({ state }) => state === 'completed')
    // both vote 'under': share 1 + noise of standard deviation 0.1 sqrt(2) / 4, cut at 1; quantile 0.1
    expect(snapshot.clientClipNorm!).toBeGreaterThanOrEqual(10 * Math.exp(-0.5 * 0.9) ** 2 - 1e-9)
    expect(snapshot.clientClipNorm!).toBeLessThan(10 * Math.exp(-0.5 * 0.65) ** 2)
    expect(snapshot.clipNorm).toBeUndefined()
    expect(snapshot.clients.map(({ clientLevel: central }) => central!.draws)).toEqual([2, 2])
  })

  it('is refused beside client-level privacy where clients share it: the votes would leave outside the noised mean', async () => {
    await using coordinator = await testCoordinator()
    const clientLevel = { clipNorm: 1, noiseMultiplier: 3, budget: { epsilon: 8, delta: 1e-5 } }
    const request = coordinator.createRun({ clientLevel, adaptiveClipping: ADAPTIVE })
    await expect(request).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
  })
})
