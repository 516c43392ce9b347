import { setTimeout as pause } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { networkTransport } from '../../apps/client/src/transport/index.ts'
import { CoordinatorDouble } from '../../packages/testing/src/client/coordinator-double.ts'
import { serveDouble } from '../../packages/testing/src/client/network-double.ts'
import { startSite } from '../../packages/testing/src/client/running-site.ts'
import { sampleManifest } from '../../packages/testing/src/client/sample-run.ts'
import { temporaryFolder } from '../../packages/testing/src/client/temporary-folder.ts'

/*
 * The attack: a coordinator that ends the process of a site in the middle of a round, by a message that nothing
 * expects, learns by the length of the ledger how far the training was when whoever looks after the site has started it
 * again. An exception that nobody catches fails these tests as it ends a process.
 */

describe('a message that nothing expects', () => {
  it.each<[string, 'open' | 'message', string | undefined]>([
    ['a second opening that is no JSON', 'open', '{'],
    ['a second opening of nothing', 'open', undefined],
    ['a second opening of null', 'open', 'null'],
    ['an offer that asks for no answer', 'message', '2/client,["offer",{"manifest":1}]'],
    ['an offer of nothing', 'message', '2/client,["offer"]'],
    ['an offer of several things', 'message', '2/client,["offer",1,2,3]'],
    ['an invitation that asks for no answer', 'message', '2/client,["invite",{}]'],
    ['a packet of no type', 'message', '9'],
  ])('ends the connection at most: %s', async (_, type, data) => {
    using folder = temporaryFolder()
    const double = new CoordinatorDouble()
    await using served = await serveDouble(double)
    const transport = networkTransport(served.url)
    await using _site = await startSite({ folder: folder.path, transport })
    await double.peer()
    served.sendPacket(type, data)
    await pause(50) // an exception that nobody catches is one by then
    const manifest = sampleManifest()
    const isAnswered = async (): Promise<boolean> => {
      const peer = await double.peer()
      const reply = await Promise.race([peer.offer(manifest), pause(1000, undefined)])
      return reply?.accepted === true
    }
    await expect.poll(isAnswered, { timeout: 15_000 }).toBe(true)
  })
})
