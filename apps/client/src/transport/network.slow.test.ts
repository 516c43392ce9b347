import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type InvitationReply, PROTOCOL_VERSION } from '@fedsvd/core/protocol'
import { CoordinatorDouble } from '@fedsvd/testing/client/coordinator-double'
import { type NetworkDouble, serveDouble } from '@fedsvd/testing/client/network-double'
import { startSite } from '@fedsvd/testing/client/running-site'
import { sampleManifest } from '@fedsvd/testing/client/sample-run'
import { sampleSite } from '@fedsvd/testing/client/site'
import { type TemporaryFolder, temporaryFolder } from '@fedsvd/testing/client/temporary-folder'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadIdentity } from '../identity/identity.ts'
import { startClient } from '../index.ts'
import { networkTransport } from './network.ts'

/** What only a real network does to a client: silence, restarts, broken answers. */
const manifest = sampleManifest()
let folder: TemporaryFolder
let double: CoordinatorDouble
let served: NetworkDouble
let failing = false

beforeEach(async () => {
  folder = temporaryFolder()
  double = new CoordinatorDouble()
  failing = false
  served = await serveDouble(double, 0, () => failing)
})
afterEach(async () => {
  await served[Symbol.asyncDispose]()
  folder[Symbol.dispose]()
})

const start = (settings = {}) =>
  startSite({ folder: folder.path, transport: networkTransport(served.url), ...settings })
const restart = async () => {
  served = await serveDouble(double, served.port, () => failing)
}

it('a message of more than a coordinator has to say is cut off before it is read', async () => {
  await using site = await start()
  const peer = await double.peer()
  void peer.offer({ ...manifest, name: 'a'.repeat(17 * 2 ** 20) }).catch(() => {})
  await site.told('connected', 2)
  expect(site.events.map(({ event }) => event)).not.toContain('dropped')
})

it('an answer that is late for its connection is not taken for that to a question of a coordinator that was restarted', async () => {
  const asked: ((reply: InvitationReply) => void)[] = []
  const transport = networkTransport(served.url)
  const identity = loadIdentity(folder.path, served.url)
  const { publicKey } = identity
  const { clientId } = await transport.enrol(
    { protocolVersion: PROTOCOL_VERSION, token: 'token', name: 'a site', publicKey },
    AbortSignal.timeout(10_000),
  )
  await using _link = transport.open(
    {
      clientId,
      instance: randomUUID(),
      ledgerHead: () => undefined,
      signChallenge: (id, nonce) => identity.signChallenge(id, nonce),
    },
    {
      onConnected: () => {},
      onDisconnected: () => {},
      onUnreachable: () => {},
      onRefused: () => {},
      onOffer: () => Promise.reject(new Error('no offer')),
      onInvitation: () => new Promise((resolve) => asked.push(resolve)),
      onRoundClosed: () => {},
      onRunPaused: () => {},
      onRunEnded: () => {},
      onNonsense: () => {},
    },
  )
  const first = await double.peer()
  void first.invite(double.invitation(manifest, 0)).catch(() => {})
  await expect.poll(() => asked.length).toBe(1)
  await served[Symbol.asyncDispose]()
  await restart()
  await expect.poll(async () => (await double.peer()) !== first, { timeout: 10_000 }).toBe(true)
  const second = await double.peer()
  const answer = second.invite(double.invitation(manifest, 1))
  await expect.poll(() => asked.length).toBe(2)
  const declined = { code: 'SITE_DECLINED', expected: 'e', got: 'g', remedy: 'r' } as const
  asked[0]!({ accepted: false, error: declined as never })
  asked[1]!({ accepted: true })
  expect(await answer).toEqual({ accepted: true })
})

describe('a client whose coordinator is away', () => {
  it('comes back by itself, and delivers what it trained meanwhile', async () => {
    const trained: string[] = []
    await using site = await start({ onLot: () => trained.push('lot') })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await served[Symbol.asyncDispose]()
    await site.told('unreachable')
    await restart()
    await site.told('connected', 2)
    const again = await double.peer()
    expect(await again.offer(manifest)).toMatchObject({ accepted: true })
    await again.invite(double.invitation(manifest, 0))
    await site.told('round-delivered')
    expect(site.events.filter(({ event }) => event === 'unreachable')).toHaveLength(1)
    expect(double.reports.at(-1)!.reservations).toHaveLength(1)
    expect(trained).toHaveLength(manifest.localSteps)
  })

  it('is there when a coordinator comes back after ten minutes, with what it trained, and has not tried too often', async () => {
    let now = 0
    let tries = 0
    let back: Promise<void> | undefined
    // Waits as if time had passed. The socket, the report and the fetch wait beside each other, three at most: after
    // thirty minutes of waiting in all, each of them has waited for ten.
    const pause = async (milliseconds: number, signal: AbortSignal): Promise<void> => {
      signal.throwIfAborted()
      now += milliseconds
      tries += 1
      if (now >= 3 * 600_000) back ??= restart()
      await (back ?? new Promise((resolve) => setImmediate(resolve)))
    }
    const lots = gatedLots()
    await using site = await start({ transport: networkTransport(served.url, {}, { pause }), onLot: lots.wait })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await lots.reached
    await served[Symbol.asyncDispose]()
    lots.open() // training goes on while nobody is there, and its report and its upload wait
    await site.told('connected', 2)
    // 15 s at most and 7.5 s at least, once they have backed off.
    expect(tries).toBeLessThan(3 * (600_000 / 7500 + 10))
    const again = await double.peer()
    await again.offer(manifest)
    await again.invite(double.invitation(manifest, 0))
    await site.told('round-delivered')
    expect(double.reports.at(-1)!.reservations).toHaveLength(1)
    expect(site.events.filter(({ event }) => event === 'unreachable')).toHaveLength(1)
  })

  it('says so once, goes on trying, and is there when the coordinator is', async () => {
    const { port } = served
    await served[Symbol.asyncDispose]()
    const events: string[] = []
    const starting = startClient(sampleSite(folder.path, served.url), { onEvent: ({ event }) => events.push(event) })
    await expect.poll(() => events, { timeout: 10_000 }).toContain('unreachable')
    served = await serveDouble(double, port, () => failing)
    await using node = await starting
    await node.connected
    expect(events).toEqual(['data-loaded', 'waiting', 'unreachable', 'enrolled', 'budget', 'declared', 'connected'])
  })

  it('gives up after maxWaitSeconds, in one line, and lets go of its ledger', async () => {
    const config = sampleSite(folder.path, served.url, { maxWaitSeconds: 0.4 })
    await served[Symbol.asyncDispose]()
    for (const _ of ['once', 'twice: the lock is free']) {
      await expect(startClient(config)).rejects.toThrow(
        /^COORDINATOR_UNREACHABLE: expected a coordinator at http:.* within 0.4 s, got no answer\. Check the address/,
      )
    }
    await restart()
  })

  it('gives up after maxWaitSeconds too when it has been enrolled before', async () => {
    {
      await using site = await start()
      await site.node.connected
    }
    const config = sampleSite(folder.path, served.url, { maxWaitSeconds: 0.4 })
    await served[Symbol.asyncDispose]()
    await expect(startClient(config)).rejects.toThrow('COORDINATOR_UNREACHABLE')
    await restart()
  })

  it('tries an upload again while the answer is 503', async () => {
    const fail = () => {
      failing = true
    }
    await using site = await start({ onLot: fail })
    const peer = await double.peer()
    await peer.offer(manifest)
    await peer.invite(double.invitation(manifest, 0))
    await site.told('step', manifest.localSteps)
    failing = false
    await site.told('round-delivered')
    expect(double.frames.get(`${manifest.runId}/0`)).toHaveLength(1)
  })
})

describe('a client that is turned away', () => {
  it('says so when its token was used', async () => {
    double.enrolmentTokens.clear()
    await expect(start()).rejects.toThrow('TOKEN_INVALID')
  })

  it('says so when it has none', async () => {
    await expect(start({ enrolmentToken: undefined })).rejects.toThrow(/TOKEN_INVALID.*enrolment token.*--token/)
  })

  it('ends when its key is not known any more', async () => {
    {
      await using site = await start()
      await site.node.connected
    }
    const other = new CoordinatorDouble()
    await served[Symbol.asyncDispose]()
    served = await serveDouble(other, served.port)
    await expect(start({ enrolmentToken: undefined })).rejects.toThrow('SIGNATURE_INVALID')
  })

  it('tells a running site that it was turned away', async () => {
    await using site = await start()
    const ending = site.node.nextEnding()
    // oxlint-disable-next-line vitest/valid-expect -- awaited below, after what makes it true
    const refused = expect(ending).rejects.toThrow('SIGNATURE_INVALID')
    await served[Symbol.asyncDispose]()
    served = await serveDouble(new CoordinatorDouble(), served.port)
    await refused
    expect(await site.told('refused')).toMatchObject({ error: { code: 'SIGNATURE_INVALID' } })
  })
})

describe('nonsense from a coordinator', () => {
  it('is answered or dropped, and ends nothing', async () => {
    await using site = await start()
    const peer = await double.peer()
    const nonsense = { manifest: 'none' } as never
    expect(await peer.offer(nonsense)).toMatchObject({ accepted: false, error: { code: 'MESSAGE_INVALID' } })
    expect(await peer.invite(nonsense)).toMatchObject({ accepted: false, error: { code: 'MESSAGE_INVALID' } })
    peer.roundClosed(nonsense)
    peer.runEnded(nonsense)
    await site.told('dropped', 4)
    expect(await peer.offer(manifest)).toMatchObject({ accepted: true })
  })

  it('in place of a state is not loaded further than was announced', async () => {
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    const invitation = double.invitation(manifest, 0)
    double.enlarge(invitation, 2 ** 20)
    await peer.invite(invitation)
    expect(await site.told('round-failed')).toMatchObject({ error: { code: 'FRAME_TOO_LARGE' } })
  })

  it('in place of an answer is not read without end', async () => {
    let sent = 0
    const endless = createServer((_, response) => {
      response.writeHead(200)
      const more = (): void => {
        for (; sent < 2 ** 26; sent += 65_536) if (!response.write('['.repeat(65_536))) return
        response.end()
      }
      response.on('drain', more)
      more()
    })
    await using url = await listening(endless)
    await expect(startClient(sampleSite(folder.path, url.address))).rejects.toThrow(/MESSAGE_INVALID.*at most 65536/)
    expect(sent).toBeLessThan(2 ** 26)
  })
})

describe('a coordinator that redirects', () => {
  it.each([301, 302, 303, 307, 308])('by %i is not followed, by an enrolment token least of all', async (status) => {
    const carried: string[] = []
    await using other = await listening(
      createServer((request, response) => {
        carried.push(`${request.method} ${request.url}`)
        response.end('{}')
      }),
    )
    await using first = await listening(
      createServer((request, response) => {
        response.writeHead(status, { location: `${other.address}${request.url}` }).end()
      }),
    )
    await expect(startClient(sampleSite(folder.path, first.address))).rejects.toThrow(
      new RegExp(`COORDINATOR_UNREACHABLE.*got a redirect to ${other.address}/v1/enrol`),
    )
    expect(carried).toEqual([])
  })

  it('gets no proof of identity, no state request and no update', async () => {
    const carried: string[] = []
    await using other = await listening(
      createServer((request, response) => {
        carried.push(`${request.method} ${request.url}`)
        response.end('{}')
      }),
    )
    let redirecting = /blobs/
    await using site = await start()
    const peer = await double.peer()
    await peer.offer(manifest)
    served.redirect = (path) => (redirecting.test(path) ? `${other.address}${path}` : undefined)
    await peer.invite(double.invitation(manifest, 0))
    const redirected = { error: { code: 'COORDINATOR_UNREACHABLE', got: expect.stringContaining('a redirect to') } }
    expect(await site.told('unreachable')).toMatchObject(redirected)
    redirecting = /update/ // the state is fetched now, and its update waits
    expect(await site.told('unreachable', 2)).toMatchObject(redirected)
    redirecting = /challenge/
    peer.drop()
    expect(await site.told('unreachable', 3)).toMatchObject(redirected)
    redirecting = /^$/
    await site.told('connected', 2)
    const again = await double.peer()
    await again.offer(manifest)
    await again.invite(double.invitation(manifest, 0))
    await site.told('round-delivered')
    expect(double.frames.get(`${manifest.runId}/0`)).toHaveLength(1)
    expect(carried).toEqual([])
  })
})

/** A server on a port of its own. */
async function listening(server: Server): Promise<AsyncDisposable & { readonly address: string }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Lots that wait until the test opens the gate. */
function gatedLots() {
  let open: () => void = () => {}
  let arrive: () => void = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const reached = new Promise<void>((resolve) => {
    arrive = resolve
  })
  const wait = (): Promise<void> => {
    arrive()
    return opened
  }
  return { reached, open: () => open(), wait }
}
