export { coordinatorAddress, endpoint } from './address.ts'
export { ANSWER_HOLD_MS, AnswerHold, endOfHold } from './answer-hold.ts'
export { backOff } from './back-off.ts'
export { connectionThread } from './connection-thread.ts'
export { boundedBody, request, textBody } from './http.ts'
export { LOOPBACK, type LoopbackConnection, type LoopbackPort, loopbackTransport } from './loopback.ts'
export { networkTransport } from './network.ts'
export { type Route, routeTo } from './route.ts'
export { openSocket } from './socket.ts'
export { readTls, type TlsFiles } from './tls.ts'
export {
  type Caller,
  type CoordinatorLink,
  CutOff,
  type FrameUpload,
  type LinkHandlers,
  type Moment,
  type Transport,
} from './transport.ts'
