export {
  type AnswerInError,
  answerIn,
  fetchByEnvironment,
  fetchThrough,
  type TlsTrust,
  tunnelThrough,
} from './fetch-through.ts'
export { type ForwardProxy, type ProxyEnvironment, proxyFor } from './proxy.ts'
