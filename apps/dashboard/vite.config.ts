import { readFileSync } from 'node:fs'
import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string
}
const coordinator = 'http://127.0.0.1:7373'

export default defineConfig({
  plugins: [react()],
  define: { __FEDSVD_VERSION__: JSON.stringify(version) },
  // The coordinator puts the nonce of each response in its place.
  html: { cspNonce: '__CSP_NONCE__' },
  build: { target: 'es2023', sourcemap: false, chunkSizeWarningLimit: 1200, assetsInlineLimit: 0 },
  worker: { format: 'es' },
  server: { proxy: { '/v1': coordinator, '/socket.io': { target: coordinator, ws: true } } },
})
