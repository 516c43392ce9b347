import { setImmediate } from 'node:timers/promises'
import { expect, it } from 'vitest'
import type { Transport } from '../../apps/client/src/transport/index.ts'
import { CoordinatorDouble } from '../../packages/testing/src/client/coordinator-double.ts'
import { loopbackTransport } from '../../packages/testing/src/client/loopback-transport.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'

/*
 * The attack: a site that was started for one run closes its connection when the run has ended. A coordinator that ends
 * it in the middle of a round saw at once where the training was done, and the end of a micro-batch where it was not.
 */

it('a site leaves when its run has ended, whether its round computes or not', async () => {
  using folder = temporaryFolder()
  const double = new CoordinatorDouble()
  let hasLeft = false
  const loopback = loopbackTransport(double)
  const transport: Transport = {
    ...loopback,
    open: (...given) => {
      const link = loopback.open(...given)
      const close = async (): Promise<void> => {
        hasLeft = true
        await link[Symbol.asyncDispose]()
      }
      return { ...link, [Symbol.asyncDispose]: close }
    },
  }
  const manifest = sampleManifest()
  let finish: () => void = () => {}
  let isComputing = false
  const site = await startSite({
    folder: folder.path,
    transport,
    onLot: async () => {
      isComputing = true
      await new Promise<void>((resolve) => {
        finish = resolve
      })
    },
  })
  const ending = site.node.nextEnding()
  const peer = await double.peer()
  await peer.offer(manifest)
  await peer.invite(double.invitation(manifest, 0))
  while (!isComputing) await setImmediate()
  peer.runEnded({ runId: manifest.runId, state: 'stopped' })
  expect(await ending).toMatchObject({ kind: 'ended', runId: manifest.runId })
  const closed = site[Symbol.asyncDispose]()
  expect(hasLeft).toBe(true)
  finish()
  await closed
  expect(site.events.at(-1)).toMatchObject({ event: 'run-ended', runId: manifest.runId })
})
