declare module 'fs-native-extensions' {
  /**
   * Takes an exclusive advisory lock on an open file; false when another open file has it. It ends with the process.
   */
  export function tryLock(fd: number, offset?: number, length?: number): boolean
}
