import {
  Alert,
  Button,
  Card,
  CardBody,
  DescriptionList,
  Form,
  FormGroup,
  FormHelperText,
  HelperText,
  HelperTextItem,
  TextInput,
} from '@patternfly/react-core'
import { type FormEvent, type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { CodeDevice } from '../../broker/api/device-logins.js'
import type { Session } from '../../broker/api/users.js'
import { api } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { Fact } from '../parts/facts.js'
import { PageHead } from '../parts/page-head.js'
import { When } from '../parts/when.js'
import './confirm-device.css'

const LETTERS = 8

/** The letters of a code in two halves, as the device shows them; what no code has is left out. Pure. */
export function asCode(typed: string): string {
  const letters = typed
    .toUpperCase()
    .replace(/[^A-Z]/g, '')
    .slice(0, LETTERS)
  return letters.length > LETTERS / 2
    ? `${letters.slice(0, LETTERS / 2)}-${letters.slice(LETTERS / 2)}`
    : letters
}

/** A person logs in at a thin client that shows a code. The code stays out of the address. */
export function ConfirmDevice({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const { code, setCode, done, look, answer, anew } = useDeviceLogin()
  return (
    <>
      <PageHead title={t('device.title')} about={t('device.about')} />
      <Card className="berth-device">
        <CardBody>
          {done !== null ? (
            <Done done={done} again={anew} />
          ) : look.data ? (
            <Question
              device={look.data}
              session={session}
              pending={answer.isPending}
              error={<ErrorAlert error={answer.error} />}
              answer={(confirm) => {
                answer.mutate(confirm)
              }}
              back={anew}
            />
          ) : (
            <CodeForm
              code={code}
              setCode={setCode}
              pending={look.isPending}
              error={<ErrorAlert error={look.error} />}
              look={() => {
                look.mutate(code)
              }}
            />
          )}
        </CardBody>
      </Card>
    </>
  )
}

/** The code as it is typed, the device that shows it, and what they said to it. */
function useDeviceLogin() {
  const [code, setCode] = useState('')
  const [done, setDone] = useState<'confirmed' | 'refused' | null>(null)
  const look = useAct<string, CodeDevice>(
    async (typed) => await api<CodeDevice>('POST', '/device-login/look', { body: { code: typed } }),
  )
  const answer = useAct(async (confirm: boolean) => {
    await api('POST', '/device-login/answer', { body: { code, confirm } })
    setDone(confirm ? 'confirmed' : 'refused')
  })
  const anew = (): void => {
    setCode('')
    setDone(null)
    look.reset()
    answer.reset()
  }
  return { code, setCode, done, look, answer, anew }
}

interface CodeFormProps {
  readonly code: string
  readonly setCode: (code: string) => void
  readonly pending: boolean
  readonly error: ReactElement
  readonly look: () => void
}

function CodeForm({ code, setCode, pending, error, look }: CodeFormProps): ReactElement {
  const { t } = useTranslation()
  const submit = (event: FormEvent): void => {
    event.preventDefault()
    look()
  }
  return (
    <Form onSubmit={submit}>
      {error}
      <FormGroup label={t('device.code')} fieldId="device-code" isRequired>
        <TextInput
          id="device-code"
          className="berth-code"
          autoFocus
          autoComplete="off"
          autoCapitalize="characters"
          spellCheck="false"
          value={code}
          onChange={(_event, value) => {
            setCode(asCode(value))
          }}
          isRequired
        />
        <FormHelperText>
          <HelperText>
            <HelperTextItem>{t('device.codeWhy')}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      </FormGroup>
      <Button type="submit" isLoading={pending} isDisabled={pending || code.length !== LETTERS + 1}>
        {t('device.look')}
      </Button>
    </Form>
  )
}

interface QuestionProps {
  readonly device: CodeDevice
  readonly session: Session
  readonly pending: boolean
  readonly error: ReactElement
  readonly answer: (confirm: boolean) => void
  readonly back: () => void
}

function Question({ device, session, pending, error, answer, back }: QuestionProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      {error}
      <p>{t('device.question', { name: session.name })}</p>
      <DeviceFacts device={device} />
      <Alert variant="warning" isInline isPlain title={t('device.beware')} />
      <div className="berth-device-ways">
        <Button
          onClick={() => {
            answer(true)
          }}
          isLoading={pending}
          isDisabled={pending}
        >
          {t('device.confirm')}
        </Button>
        <Button
          variant="secondary"
          onClick={() => {
            answer(false)
          }}
          isDisabled={pending}
        >
          {t('device.refuse')}
        </Button>
        <Button variant="link" onClick={back} isDisabled={pending}>
          {t('device.otherCode')}
        </Button>
      </div>
    </>
  )
}

function DeviceFacts({ device }: { device: CodeDevice }): ReactElement {
  const { t } = useTranslation()
  return (
    <DescriptionList isHorizontal isCompact className="berth-device-facts">
      <Fact name={t('device.host')}>{device.hostname || '–'}</Fact>
      <Fact name={t('device.mac')}>{device.mac}</Fact>
      <Fact name={t('device.address')}>{device.address}</Fact>
      <Fact name={t('device.shown')}>
        <When at={device.since} />
      </Fact>
    </DescriptionList>
  )
}

function Done({ done, again }: { done: 'confirmed' | 'refused'; again: () => void }): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      <Alert
        variant={done === 'confirmed' ? 'success' : 'info'}
        isInline
        isLiveRegion
        title={t(`device.${done}`)}
      >
        {t(`device.${done}Why`)}
      </Alert>
      <div className="berth-device-ways">
        <Button variant="link" onClick={again}>
          {t('device.otherCode')}
        </Button>
      </div>
    </>
  )
}
