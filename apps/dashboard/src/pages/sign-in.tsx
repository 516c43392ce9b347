import { isFedsvdError } from '@fedsvd/core/errors'
import {
  Anchor,
  Box,
  Button,
  Center,
  Code,
  Divider,
  Paper,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { useSession } from '../api/session.tsx'
import { useSignInOptions } from '../api/sign-in-options.ts'
import { BASE_PATH } from '../base-path.ts'
import { Notice } from '../components/notice.tsx'
import { Failure } from '../components/state.tsx'
import { texts } from '../texts/index.ts'

/** What became of a sign-in by the OpenID provider, as the coordinator says in the address. */
const OUTCOMES: Readonly<Record<string, string>> = {
  refused: 'You were not signed in: the provider refused, or gives you no role here. Ask an admin.',
  expired: 'That sign-in took too long, or was begun in another window. Try again.',
  unavailable: 'The provider could not be asked, or its answer was not in order. Try again in a moment.',
}

/**
 * By name and secret, by the OpenID provider of the coordinator where it has one, or by the operator token of the
 * coordinator, which this page then keeps in memory only.
 */
export function SignIn({ hasEnded, refusal }: { readonly hasEnded: boolean; readonly refusal?: unknown }) {
  const { signIn, signInByToken } = useSession()
  const [isByToken, setByToken] = useState(false)
  const [isBusy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(refusal)
  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault()
    const fields = new FormData(event.currentTarget)
    const field = (name: string): string => {
      const value = fields.get(name)
      return typeof value === 'string' ? value : ''
    }
    setBusy(true)
    setError(undefined)
    try {
      await (isByToken ? signInByToken(field('token').trim()) : signIn(field('name'), field('secret')))
    } catch (fault) {
      setError(fault)
      setBusy(false)
    }
  }
  return (
    <Center component="main" mih="100dvh" p="md">
      <Paper withBorder p="xl" w="100%" maw={420}>
        <Title order={1} mb={4}>
          fedsvd
        </Title>
        <Text className="muted" mb="lg">
          Sign in to this coordinator.
        </Text>
        {hasEnded && (
          <Box mb="md">
            <Notice kind="info" role="status" title="Your session has ended. Sign in again." />
          </Box>
        )}
        <ByProvider />
        <form onSubmit={(event) => void submit(event)}>
          <Stack>
            {isByToken ? (
              <PasswordInput
                name="token"
                label="Operator token"
                description="In operator.token in the state folder of the coordinator. It is kept until this page is left."
                required
                autoComplete="off"
              />
            ) : (
              <>
                <TextInput name="name" label="Name" required autoComplete="username" />
                <PasswordInput name="secret" label="Secret" required autoComplete="current-password" />
              </>
            )}
            {error !== undefined && <Refusal error={error} isOfLink={error === refusal} />}
            <Button type="submit" loading={isBusy}>
              Sign in
            </Button>
            <Anchor component="button" type="button" size="sm" ta="left" onClick={() => setByToken(!isByToken)}>
              {isByToken ? 'Sign in by name and secret' : 'Use the operator token of the coordinator'}
            </Anchor>
            {!isByToken && (
              <Text size="sm" className="muted">
                No operator yet? <Code>fedsvd operator create</Code> makes one.
              </Text>
            )}
          </Stack>
        </form>
      </Paper>
    </Center>
  )
}

/** Why nobody was signed in. What was typed is wrong in one way only: which half it is, is not said. */
function Refusal({ error, isOfLink }: { readonly error: unknown; readonly isOfLink: boolean }) {
  if (isOfLink || !isFedsvdError(error, 'SIGN_IN_REFUSED')) return <Failure error={error} />
  return <Notice kind="fault" role="alert" title={texts.actions.incorrectSecret} />
}

/** The button that leads to the provider, and what became of that the last time. */
function ByProvider() {
  const { provider } = useSignInOptions()
  const outcome = OUTCOMES[new URLSearchParams(window.location.search).get('sign-in') ?? '']
  if (provider === undefined) return null
  return (
    <Stack mb="md">
      {outcome !== undefined && <Notice kind="warning" role="alert" title={outcome} />}
      <Button component="a" href={`${BASE_PATH}/v1/oidc/start`} variant="default">
        Sign in with {provider.label}
      </Button>
      <Divider label="or" />
    </Stack>
  )
}
