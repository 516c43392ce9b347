import { type ChildProcess, fork } from 'node:child_process'
import type { Tokenizer as RustTokenizer } from 'tokenizers'

/** What the library makes of one text, or of a pair; nothing but the ids where no special tokens are added. */
export interface TextEncoding {
  readonly ids: readonly number[]
  readonly typeIds: readonly number[]
  /** Which text a token is of; none for special tokens. */
  readonly sequenceIds: readonly (number | null | undefined)[]
}

export interface EncodingQuestion {
  /** One, unless there is no pair. */
  readonly texts: readonly string[]
  readonly pair?: string
  readonly addSpecialTokens: boolean
  readonly truncation?: { readonly maxTokens: number; readonly direction: 'left' | 'right' }
}

/** Reads texts, one question after the other. */
export type TextEncoder = (question: EncodingQuestion) => Promise<readonly TextEncoding[]>

/** Reads texts in this process: a text that the library cannot read may end it. */
export function encoderHere(make: () => RustTokenizer): TextEncoder {
  const whole = make()
  let cutting: RustTokenizer | undefined
  return inTurn(async ({ texts, pair, addSpecialTokens, truncation }) => {
    if (truncation !== undefined) cutting ??= make()
    const rust = (truncation && cutting) ?? whole
    if (truncation !== undefined) rust.setTruncation(truncation.maxTokens, { direction: truncation.direction })
    const encodings = await Promise.all(texts.map((text) => rust.encode(text, pair ?? null, { addSpecialTokens })))
    return encodings.map((encoding) => ({
      ids: encoding.getIds(),
      typeIds: addSpecialTokens ? encoding.getTypeIds() : [],
      sequenceIds: addSpecialTokens ? encoding.getSequenceIds() : [],
    }))
  })
}

/** What one text may take: 16 MiB of white space take GPT-2's tokenizer a minute and a half, and 2 GiB. */
const TEXT_LIMITS = { milliseconds: 300_000, bytes: 4 * 2 ** 30 } as const

export type TextLimits = { readonly [K in keyof typeof TEXT_LIMITS]: number }

/** A process that is asked nothing for so long is let go; the next text begins another. */
const IDLE_MS = 10_000

type Reply = { readonly encodings: readonly TextEncoding[] } | { readonly error: string }

/**
 * Reads texts in a process of its own. The library ends the process that it runs in where a pattern of the tokenizer
 * tries too much, or where a text grows beyond memory, and whoever chose the tokenizer chose for which texts. Here such
 * a text rejects, and the next one is read by a new process.
 *
 * @param description the content of `tokenizer.json`, as the library takes it
 */
export function encoderApart(description: string, limits: TextLimits = TEXT_LIMITS): TextEncoder {
  let running: ChildProcess | undefined
  let idle: NodeJS.Timeout | undefined
  const letGo = (): void => {
    running?.kill('SIGKILL')
    running = undefined
  }
  const ask = (child: ChildProcess, question: object): Promise<readonly TextEncoding[]> =>
    new Promise((resolve, reject) => {
      child.ref()
      child.channel?.ref()
      const timer = setTimeout(() => child.kill('SIGKILL'), limits.milliseconds)
      const settle = (): void => {
        clearTimeout(timer)
        child.off('message', onMessage)
        child.off('exit', onExit)
        child.unref() // it keeps no process alive that waits for nothing
        child.channel?.unref()
      }
      const onMessage = (reply: Reply): void => {
        settle()
        if ('error' in reply) reject(new Error(reply.error))
        else resolve(reply.encodings)
      }
      const onExit = (code: number | null, signal: NodeJS.Signals | null): void => {
        settle()
        if (running === child) running = undefined
        reject(new Error(`the process that reads texts has ended with ${signal ?? `exit code ${code}`}`))
      }
      child.on('message', onMessage)
      child.on('exit', onExit)
      child.send(question, (error) => error && child.kill('SIGKILL'))
    })
  return inTurn(async (question) => {
    clearTimeout(idle)
    try {
      if (running === undefined) {
        running = fork(new URL('./tokenizer-process.mjs', import.meta.url), [String(limits.bytes)], {
          serialization: 'advanced',
          execArgv: [],
          stdio: ['ignore', 'ignore', 'ignore', 'ipc'], // what the library prints may be of a text
        })
        await ask(running, { description })
      }
      return await ask(running, question)
    } finally {
      idle = setTimeout(letGo, IDLE_MS).unref()
    }
  })
}

/** One question after the other; a failed one does not hold up the next. */
function inTurn(encode: TextEncoder): TextEncoder {
  let last: Promise<unknown> = Promise.resolve()
  return (question) => {
    const answer = last.then(() => encode(question))
    last = answer.catch(() => {})
    return answer
  }
}
