import { runnerContract } from '@fedsvd/testing/engine/runtime/runner-contract'
import { loadRuntime } from './load-runtime.ts'

runnerContract('onnxruntime', await loadRuntime({ threads: 1 }))
runnerContract('tfjs on its CPU backend', await loadRuntime({ threads: 1, runtime: 'tfjs-cpu' }))
runnerContract('tfjs on wasm', await loadRuntime({ threads: 1, runtime: 'tfjs-wasm' }))
