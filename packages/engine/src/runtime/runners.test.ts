import { runnerContract } from '../../test-kit/runner-contract.ts'
import { loadRuntime } from './index.ts'

runnerContract('onnxruntime', await loadRuntime({ threads: 1 }))
runnerContract('tfjs on its CPU backend', await loadRuntime({ threads: 1, runtime: 'tfjs-cpu' }))
runnerContract('tfjs on wasm', await loadRuntime({ threads: 1, runtime: 'tfjs-wasm' }))
