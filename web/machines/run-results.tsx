import { Alert, AlertActionCloseButton, Button } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import { path } from '../api/client.js'
import { type Feeling, StateLabel } from '../parts/state-label.js'
import { wordOf } from './machine-acts.js'
import type { Line, LineState, Run } from './use-run.js'

const FEELINGS: Readonly<Record<LineState, Feeling>> = {
  waiting: 'quiet',
  running: 'busy',
  done: 'good',
  failed: 'bad',
}
const ORDER: readonly LineState[] = ['failed', 'running', 'waiting', 'done']
const FIRST_LINES = 10

/** What came of an act, machine by machine, what went wrong first. */
export function RunResults({ run, forget }: { run: Run; forget: () => void }): ReactElement {
  const { t } = useTranslation()
  const [all, setAll] = useState(false)
  const count = (state: LineState): number =>
    run.lines.filter((line) => line.state === state).length
  const open = count('waiting') + count('running')
  const variant = count('failed') > 0 ? 'danger' : open > 0 ? 'info' : 'success'
  const sorted = [...run.lines].sort(
    (one, other) => ORDER.indexOf(one.state) - ORDER.indexOf(other.state),
  )
  const shown = all ? sorted : sorted.slice(0, FIRST_LINES)
  const counts = t('machines.runCounts', { done: count('done'), failed: count('failed'), open })
  return (
    <Alert
      isInline
      isLiveRegion
      variant={variant}
      className="berth-run"
      title={`${t(`machines.acts.${wordOf(run.act)}`)}: ${counts}`}
      actionClose={<AlertActionCloseButton aria-label={t('common.close')} onClose={forget} />}
    >
      <ul className="berth-targets">
        {shown.map((line) => (
          <ResultLine key={line.name} line={line} />
        ))}
      </ul>
      {shown.length < sorted.length && (
        <Button
          variant="link"
          isInline
          onClick={() => {
            setAll(true)
          }}
        >
          {t('jobProgress.showAll', { count: sorted.length })}
        </Button>
      )}
    </Alert>
  )
}

function ResultLine({ line: { name, state, message, job } }: { line: Line }): ReactElement {
  const { t } = useTranslation()
  return (
    <li>
      <span className="berth-target-name">{name}</span>
      <StateLabel feeling={FEELINGS[state]}>{t(`machines.runStates.${state}`)}</StateLabel>
      {job !== null && <Link to={path`/jobs/${job}`}>{t('machines.itsJob')}</Link>}
      {message !== '' && <span className="berth-target-message">{message}</span>}
    </li>
  )
}
