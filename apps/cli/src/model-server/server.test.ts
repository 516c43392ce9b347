import { request as httpRequest } from 'node:http'
import { connect } from 'node:net'
import type { ModelInUse } from '@fedsvd/engine/inference'
import { afterEach, describe, expect, it } from 'vitest'
import { isLoopback, type ModelServer, type ModelServerOptions, startModelServer } from './server.ts'

const LABELS = ['ham', 'spam']

/** A classifier that counts exclamation marks; `hold` keeps it from answering. */
function marks(hold: () => Promise<void> = async () => {}): ModelInUse & { readonly seen: number[] } {
  const seen: number[] = []
  const tokenizer = {
    vocabularySize: 256,
    encode: async (text: string) => Int32Array.from(text.slice(0, 20), (letter) => letter.charCodeAt(0) & 0xff),
    encodePair: async (first: string, second: string) => ({
      tokenIds: Int32Array.from(`${first}${second}`, (letter) => letter.charCodeAt(0) & 0xff),
    }),
  }
  const logits = async (texts: readonly { readonly tokenIds: Int32Array }[]) => {
    await hold()
    seen.push(texts.length)
    return Float32Array.from(texts.flatMap(({ tokenIds }) => [1, tokenIds.filter((id) => id === 33).length]))
  }
  const close = async () => {}
  const scorer = { logits, [Symbol.asyncDispose]: close }
  const facts = { name: 'marks', task: 'sequence-classification', labels: LABELS, maxTokens: 20, places: 20 } as const
  return { ...facts, tokenizer, scorer, seen, [Symbol.asyncDispose]: close }
}

const started: ModelServer[] = []
afterEach(async () => {
  for (const server of started.splice(0)) await server[Symbol.asyncDispose]()
})

async function serve(model: ModelInUse, changed: Partial<ModelServerOptions> = {}): Promise<string> {
  const server = await startModelServer({ model, host: '127.0.0.1', port: 0, seconds: 20, mostWaiting: 4, ...changed })
  started.push(server)
  return server.url
}

async function post(url: string, path: string, body: unknown, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return { status: response.status, body: (await response.json()) as never, headers: response.headers }
}

describe('a model behind HTTP', () => {
  it('answers as text-embeddings-inference does: labels by their scores, and batches in their order', async () => {
    const url = await serve(marks())
    const single = await post(url, '/predict', { inputs: 'win!!!' })
    const [first, second] = single.body as { label: string; score: number }[]
    expect(single.status).toBe(200)
    expect([first!.label, second!.label]).toEqual(['spam', 'ham'])
    // e^3 / (e^3 + e^1)
    expect(first!.score).toBeCloseTo(1 / (1 + Math.exp(-2)), 6)
    const labelsOf = async (inputs: unknown, more = {}) =>
      ((await post(url, '/predict', { inputs, ...more })).body as { label: string }[][]).map(([best]) => best!.label)
    expect(await labelsOf(['hello', 'win!!!'])).toEqual(['ham', 'spam'])
    expect(await labelsOf([['hello'], ['win!', 'now!!']])).toEqual(['ham', 'spam'])
    expect(await labelsOf([{ text: 'win!', text_pair: 'now!!' }])).toEqual(['spam'])
    const top = await post(url, '/predict', { inputs: 'hello', truncate: true, parameters: { top_k: 1 } })
    expect(top.body).toHaveLength(1)
  })

  it('says that it is there, and what it is', async () => {
    const url = await serve(marks())
    expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: 'ok' })
    expect(await (await fetch(`${url}/info`)).json()).toMatchObject({
      model_id: 'marks',
      task: 'sequence-classification',
      id2label: { 0: 'ham', 1: 'spam' },
      max_input_length: 20,
      max_client_batch_size: 32,
    })
  })

  it.each([
    ['no inputs', {}],
    ['an empty text', { inputs: '' }],
    ['no texts', { inputs: [] }],
    ['too many texts', { inputs: Array.from({ length: 33 }, () => 'a') }],
    ['three texts as a pair', { inputs: [['a', 'b', 'c']] }],
    ['texts and pairs in one list', { inputs: ['a', ['b', 'c']] }],
    ['a number', { inputs: 7 }],
    ['a switch that it does not have', { inputs: 'a', normalise: true }],
    ['half a character', '{"inputs": "a\\ud83d"}'],
    ['no JSON', '{"inputs": '],
    ['a list', []],
    ['null', 'null'],
    ['a member that stands for the prototype', '{"__proto__": {"inputs": "a"}}'],
  ])('refuses %s, and goes on', async (_, body) => {
    const model = marks()
    const url = await serve(model)
    const refused = await post(url, '/predict', body)
    expect(refused.status).toBe(400)
    expect(refused.body).toMatchObject({ error_type: 'MESSAGE_INVALID' })
    expect(model.seen).toEqual([])
    expect((await post(url, '/predict', { inputs: 'a' })).status).toBe(200)
  })

  it('refuses what a page of a browser could send without asking, or by another name of this machine', async () => {
    const url = await serve(marks())
    const plain = await post(url, '/predict', { inputs: 'a' }, { 'content-type': 'text/plain' })
    expect(plain.status).toBe(400)
    const rebound = await new Promise<number>((resolve) => {
      const headers = { host: 'evil.example:80', 'content-type': 'application/json' }
      httpRequest(`${url}/predict`, { method: 'POST', headers }, (response) => resolve(response.statusCode!)).end(
        '{"inputs":"a"}',
      )
    })
    expect(rebound).toBe(403)
    expect(plain.headers.get('access-control-allow-origin')).toBeNull()
  })

  it.each([
    ['said to be', { 'content-length': '3000000' }],
    ['that turns out to be', { 'transfer-encoding': 'chunked' }],
  ])('refuses a body %s too long before it has all come', async (_, headers) => {
    const url = await serve(marks())
    const status = await new Promise<number>((resolve, reject) => {
      const request = httpRequest(
        `${url}/predict`,
        { method: 'POST', headers: { 'content-type': 'application/json', ...headers } },
        (response) => resolve(response.statusCode!),
      )
      request.on('error', reject)
      request.write(Buffer.alloc(2_000_001, ' '))
    })
    expect(status).toBe(413)
    expect((await post(url, '/predict', { inputs: 'a' })).status).toBe(200)
  })

  it('has no other routes, and no inherited ones', async () => {
    const url = await serve(marks())
    expect((await post(url, '/generate', { inputs: 'a' })).status).toBe(404)
    expect((await post(url, '/constructor', { inputs: 'a' })).status).toBe(404)
    expect((await fetch(`${url}/predict`)).status).toBe(404)
    expect((await fetch(url)).status).toBe(404)
  })

  it('wants its token for everything but its health', async () => {
    const url = await serve(marks(), { token: 'secret' })
    expect((await fetch(`${url}/health`)).status).toBe(200)
    expect((await fetch(`${url}/info`)).status).toBe(401)
    const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
    expect((await post(url, '/predict', { inputs: 'a' }, bearer('guess!'))).status).toBe(401)
    expect((await post(url, '/predict', { inputs: 'a' }, bearer('secret'))).status).toBe(200)
  })

  it('answers one after the other, and turns away what would have to wait behind too many', async () => {
    const gate = opening()
    const model = marks(() => gate.open)
    const url = await serve(model, { mostWaiting: 1 })
    const first = post(url, '/predict', { inputs: 'one' })
    await gate.reached
    const second = post(url, '/predict', { inputs: 'two' })
    const answers = await untilOne(url, 503)
    expect(answers).toMatchObject({ error_type: 'MODEL_BUSY' })
    gate.release()
    expect([(await first).status, (await second).status]).toContain(200)
  })

  it('gives up on a question that takes too long, and goes on with the next', async () => {
    const gate = opening()
    const url = await serve(
      marks(() => gate.open),
      { seconds: 0.05 },
    )
    const late = await post(url, '/predict', { inputs: 'a' })
    expect(late.status).toBe(503)
    expect(late.headers.get('retry-after')).toBe('1')
    gate.release()
    await untilOne(url, 200)
  })

  it('survives connections that say nothing sensible, and ones that go away', async () => {
    const url = await serve(marks())
    const { port } = new URL(url)
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => socket.end('\u0000\u0001 nonsense\r\n\r\n'))
      socket.on('close', () => resolve()).on('error', () => resolve())
      socket.resume()
    })
    await new Promise<void>((resolve) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write(
          'POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{"in',
        )
        socket.destroy()
      })
      socket.on('close', () => resolve())
    })
    expect((await post(url, '/predict', { inputs: 'a' })).status).toBe(200)
  })

  it('tells nothing of a text in the answer to a fault inside', async () => {
    const url = await serve(
      marks(async () => {
        throw new Error('the text was: my diagnosis')
      }),
    )
    const { status, body } = await post(url, '/predict', { inputs: 'my diagnosis' })
    expect(status).toBe(500)
    expect(JSON.stringify(body)).not.toContain('diagnosis')
  })

  it('finishes what is under way when it is told to stop, and takes nothing new', async () => {
    const gate = opening()
    const url = await serve(marks(() => gate.open))
    const under = post(url, '/predict', { inputs: 'a' })
    await gate.reached
    const stopped = started.pop()![Symbol.asyncDispose]()
    gate.release()
    expect((await under).status).toBe(200)
    await stopped
    await expect(fetch(`${url}/health`)).rejects.toThrow()
  })

  it('says when its port is taken', async () => {
    const url = await serve(marks())
    await expect(serve(marks(), { port: Number(new URL(url).port) })).rejects.toThrow(/PORT_IN_USE/)
  })
})

describe('a language model behind HTTP', () => {
  /** Digits are their own ids, and the model counts on to 9. */
  const counting = (): ModelInUse => {
    const ids = (text: string) => Int32Array.from(text.replace(/\D/g, ''), Number)
    const close = async () => {}
    const tokenizer = {
      vocabularySize: 10,
      endId: 9,
      encode: async (text: string) => ids(text),
      encodeBeginning: async (text: string) => ids(text),
      decode: async (tokens: readonly number[]) => tokens.join(''),
    }
    const scores = async (records: readonly { readonly tokenIds: Int32Array }[]) =>
      records.map(({ tokenIds }) => {
        return { losses: Float32Array.of(0), predicted: Int32Array.of((tokenIds.at(-1)! + 1) % 10) }
      })
    const facts = { name: 'counting', task: 'causal-lm', labels: [], maxTokens: 8, places: 100 } as const
    return { ...facts, tokenizer, scorer: { scores, [Symbol.asyncDispose]: close }, [Symbol.asyncDispose]: close }
  }

  it('goes on from a text, as text-generation-inference and OpenAI’s completions do', async () => {
    const url = await serve(counting())
    const generated = await post(url, '/generate', { inputs: '12', parameters: { max_new_tokens: 3 } })
    expect(generated.body).toEqual({ generated_text: '345' })
    const completed = await post(url, '/v1/completions', { model: 'any', prompt: '6', max_tokens: 50, temperature: 0 })
    expect(completed.body).toMatchObject({
      object: 'text_completion',
      choices: [{ index: 0, text: '78', finish_reason: 'stop' }],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    })
  })

  it.each([
    ['a temperature', { prompt: '1', temperature: 0.7 }],
    ['a stream', { prompt: '1', stream: true }],
    ['more than it writes', { prompt: '1', max_tokens: 513 }],
    ['two prompts', { prompt: ['1', '2'] }],
  ])('refuses %s', async (_, body) => {
    expect((await post(await serve(counting()), '/v1/completions', body)).status).toBe(400)
  })

  it('refuses a prompt that has no token', async () => {
    const { status, body } = await post(await serve(counting()), '/generate', { inputs: 'words' })
    expect(status).toBe(400)
    expect(body).toMatchObject({ error_type: 'DATA_EMPTY' })
  })
})

describe('a tagger behind HTTP', () => {
  /** Words with a capital are names; the third word and those after it are cut off. */
  const capitals = (): ModelInUse => {
    const close = async () => {}
    const tokenizer = {
      vocabularySize: 2,
      encode: async () => Int32Array.of(0),
      encodeWords: async (words: readonly string[]) => ({
        tokenIds: Int32Array.from(words.slice(0, 2), (word) => Number(/^[A-Z]/.test(word))),
        firstTokens: Int32Array.from(words, (_, index) => (index < 2 ? index : -1)),
      }),
    }
    const scores = async (records: readonly { readonly tokenIds: Int32Array }[]) =>
      records.map(({ tokenIds }) => ({ losses: new Float32Array(tokenIds.length), predicted: tokenIds }))
    const facts = { name: 'capitals', task: 'token-classification', labels: ['O', 'PER'], maxTokens: 2 } as const
    return {
      ...facts,
      places: 2,
      tokenizer,
      scorer: { scores, [Symbol.asyncDispose]: close },
      [Symbol.asyncDispose]: close,
    }
  }

  it('tells the tag of each word that it has seen, and where the word stands', async () => {
    const url = await serve(capitals())
    const { body } = await post(url, '/predict', { inputs: '  an Ada an' })
    expect(body).toEqual([
      { entity: 'O', score: 1, index: 0, word: 'an', start: 2, end: 4 },
      { entity: 'PER', score: 1, index: 1, word: 'Ada', start: 5, end: 8 },
    ])
  })

  it('refuses pairs, and texts without a word', async () => {
    const url = await serve(capitals())
    expect((await post(url, '/predict', { inputs: [['a', 'b']] })).status).toBe(400)
    expect((await post(url, '/predict', { inputs: ' ' })).body).toMatchObject({ error_type: 'DATA_EMPTY' })
  })
})

describe('addresses of this machine alone', () => {
  it.each(['localhost', '127.0.0.1', '127.8.8.8', '::1'])('%s is one', (host) => {
    expect(isLoopback(host)).toBe(true)
  })
  it.each(['0.0.0.0', '::', '127.0.0.1.evil.example', 'localhost.evil.example', '10.0.0.1', ''])(
    '%s is none',
    (host) => {
      expect(isLoopback(host)).toBe(false)
    },
  )
})

/** A gate that is shut until it is released, and says when somebody stands before it. */
function opening() {
  let release: () => void = () => {}
  let reach: () => void = () => {}
  const open = new Promise<void>((resolve) => {
    release = resolve
  })
  const reached = new Promise<void>((resolve) => {
    reach = resolve
  })
  return {
    get open() {
      reach()
      return open
    },
    reached,
    release: () => release(),
  }
}

/** Asks until an answer has the status. */
async function untilOne(url: string, status: number): Promise<unknown> {
  for (;;) {
    const answer = await post(url, '/predict', { inputs: 'more' })
    if (answer.status === status) return answer.body
  }
}
