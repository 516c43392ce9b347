#!/usr/bin/env node
import { builtProgram } from './programs.mjs'

const built = builtProgram('apps/cli/src/main.ts')
if (built === undefined) {
  const { register } = await import('tsx/esm/api')
  register()
}
const { main } = await import(built?.href ?? '../src/main.ts')
await main(process.argv)
