import { FedsvdError } from '@fedsvd/core/errors'
import { Command } from 'commander'
import { openSource, type SourceOptions, withModelSource } from '../model-in-use/source.ts'
import { isLoopback, startModelServer } from '../model-server/server.ts'
import { example, port, positiveInteger, positiveNumber } from '../options.ts'
import { outputFor } from '../output.ts'
import { type SecretOption, secretOf, withSecret } from '../secret-option.ts'
import { untilSignal } from '../until-signal.ts'

interface ServeModelOptions extends SourceOptions {
  readonly host: string
  readonly port: number
  readonly timeLimit: number
  readonly maxWaiting: number
  readonly json?: boolean
}

const TOKEN: SecretOption = {
  flag: '--serving-token',
  env: 'FEDSVD_SERVING_TOKEN',
  what: 'token that requests must bring',
}

/** `fedsvd serve-model`: a model behind HTTP. */
export function serveModelCommand(): Command {
  const command = withModelSource(new Command('serve-model'))
    .option('--host <address>', 'address to listen on; others than this machine’s own need a token', '127.0.0.1')
    .option('--port <port>', 'port to listen on; 0 takes a free one', port, 8080)
    .option('--time-limit <seconds>', 'time that a request may take, waiting included', positiveNumber, 60)
    .option('--max-waiting <n>', 'requests that may wait while one is answered', positiveInteger, 64)
  return withSecret(command, TOKEN)
    .option('--json', 'print the address as one JSON object')
    .addHelpText(
      'after',
      example(
        'fedsvd serve-model onnx --port 8080',
        `curl -H 'content-type: application/json' -d '{"inputs": "You have won a prize"}' http://127.0.0.1:8080/predict`,
      ),
    )
    .action(serveModel)
}

async function serveModel(source: string, options: ServeModelOptions): Promise<void> {
  const { host, timeLimit, maxWaiting } = options
  const token = secretOf({ ...options }, TOKEN)
  if (token === undefined && !isLoopback(host)) {
    throw new FedsvdError('CONFIG_INVALID', {
      expected: `a token for a server that others can reach at ${host}`,
      got: 'no token',
      remedy: 'Name its file with --serving-token-file, or leave --host out.',
    })
  }
  const output = outputFor(options)
  await using model = await openSource(source, options)
  await using server = await startModelServer({
    model,
    host,
    port: options.port,
    token,
    seconds: timeLimit,
    mostWaiting: maxWaiting,
  })
  output.record({ url: server.url, model: model.name, task: model.task })
  output.line(`${model.name} (${model.task}) at ${server.url}`)
  await untilSignal(new Promise<never>(() => {}))
}
