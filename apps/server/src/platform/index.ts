export { ChangeSignal, type Clock, systemClock } from './clock.ts'
export { isOutage, retryDuringOutage, sleep } from './retry.ts'
export { Semaphore } from './semaphore.ts'
export { shippedFolder } from './shipped-folder.ts'
