import { startCoordinator } from '../src/index.ts'
import { tinyModels } from './tiny-model.ts'

/** Runs a coordinator with the settings of the first argument, and the tiny model beside the real ones. */
const coordinator = await startCoordinator(JSON.parse(process.argv[2]!), { models: tinyModels })
process.once('SIGTERM', () => void coordinator[Symbol.asyncDispose]())
const { url, operatorToken } = coordinator
process.stdout.write(`${JSON.stringify({ url, operatorToken })}\n`)
