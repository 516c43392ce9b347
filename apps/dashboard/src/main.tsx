import '@mantine/core/styles.css'
import '@fontsource-variable/inter/wght.css'
import './styles.css'
import { isFedsvdError } from '@fedsvd/core/errors'
import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Router } from 'wouter'
import { SessionProvider } from './api/session.tsx'
import { App } from './app.tsx'
import { BASE_PATH } from './base-path.ts'
import { readable, theme } from './theme.ts'

const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce ?? ''
/** What the coordinator has refused it will refuse again; when it is away it may be back soon. */
function isWorthRetrying(failures: number, error: Error): boolean {
  return failures < 3 && (!isFedsvdError(error) || error.httpStatus >= 500)
}

const cache = new QueryClient({ defaultOptions: { queries: { staleTime: 5000, retry: isWorthRetrying } } })

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      cssVariablesResolver={readable}
      getStyleNonce={() => nonce}
    >
      <QueryClientProvider client={cache}>
        <SessionProvider>
          <Router base={BASE_PATH}>
            <App />
          </Router>
        </SessionProvider>
      </QueryClientProvider>
    </MantineProvider>
  </StrictMode>,
)
