import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { precompress } from './precompress.ts'

const coordinator = 'http://127.0.0.1:7373'

export default defineConfig({
  plugins: [react(), precompress()],
  // Served below whatever prefix a reverse proxy has; the coordinator makes the addresses in the page fit its depth.
  base: './',
  // The coordinator puts the nonce of each response in its place.
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    target: 'es2023',
    // The first browsers that know light-dark(): for older ones the minifier would put variables in its place that
    // nothing sets, and every colour that differs by scheme would be lost.
    cssTarget: ['chrome123', 'edge123', 'firefox120', 'safari17.5'],
    sourcemap: false,
    chunkSizeWarningLimit: 1200,
    assetsInlineLimit: 0,
  },
  worker: { format: 'es' },
  server: { proxy: { '/v1': coordinator, '/socket.io': { target: coordinator, ws: true } } },
})
