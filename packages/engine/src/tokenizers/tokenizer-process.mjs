/**
 * A process that reads texts with the tokenizer of a checkpoint, one after the other: what a text does to the library,
 * its memory or its time ends this process and no other. Plain JavaScript, so that it begins without a loader.
 */
import { writeFileSync } from 'node:fs'
import { Tokenizer } from 'tokenizers'

try {
  writeFileSync('/proc/self/oom_score_adj', '1000') // where memory runs out, this process is in the way
} catch {
  // not Linux
}

/** The library reads in other threads, so this one sees how much memory a text takes meanwhile. */
const [, , mostBytes] = process.argv
const WATCH_MS = 20
setInterval(() => {
  if (process.memoryUsage.rss() > Number(mostBytes)) end()
}, WATCH_MS).unref()

/** At once: `process.exit` waits for the text that is being read. */
function end() {
  process.kill(process.pid, 'SIGKILL')
}

let tokenizer

async function encode({ texts, pair, addSpecialTokens, truncation }) {
  tokenizer.disableTruncation()
  if (truncation !== undefined) tokenizer.setTruncation(truncation.maxTokens, { direction: truncation.direction })
  const encodings = []
  for (const text of texts) encodings.push(await tokenizer.encode(text, pair ?? null, { addSpecialTokens }))
  return encodings.map((encoding) => ({
    ids: encoding.getIds(),
    typeIds: addSpecialTokens ? encoding.getTypeIds() : [],
    sequenceIds: addSpecialTokens ? encoding.getSequenceIds() : [],
  }))
}

async function answer({ description, ...question }) {
  try {
    if (description !== undefined) tokenizer = Tokenizer.fromString(description)
    process.send({ encodings: description === undefined ? await encode(question) : [] })
  } catch (error) {
    process.send({ error: String(error) })
  }
}

process.on('message', (question) => void answer(question))
process.on('disconnect', end)
