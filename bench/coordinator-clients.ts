/** The clients of `bench:coordinator`, several in one process: `<url> <enrolment token>...`. */
import { FakeClient } from '../packages/testing/src/server/fake-client.ts'
import { nullTraining } from './null-training.ts'
import { answerUsage } from './usage.ts'

const [url, ...tokens] = process.argv.slice(2)
for (const [index, token] of tokens.entries()) {
  const client = await FakeClient.enrol(url!, token, `client ${process.pid} ${index}`, { train: nullTraining })
  await client.connect()
}
answerUsage()
process.send?.('connected')
