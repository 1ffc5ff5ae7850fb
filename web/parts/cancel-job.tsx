import { Button } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Job } from '../../broker/api/jobs.js'
import { api, path } from '../api/client.js'
import { useAct } from '../api/queries.js'
import { ErrorAlert } from '../frame/error-state.js'
import { Confirm } from './confirm.js'
import { jobTitle } from './job-state.js'

/** The button that cancels a job which goes on, after a question that says what stays and what is taken back. */
export function CancelJob({ job }: { job: Job }): ReactElement {
  const { t } = useTranslation()
  const [asking, setAsking] = useState(false)
  const cancel = useAct(async () => await api('POST', path`/jobs/${job.id}/cancel`))
  return (
    <>
      <Button
        variant="secondary"
        size="sm"
        isDisabled={job.state === 'cancelling'}
        onClick={() => {
          setAsking(true)
        }}
      >
        {t('jobProgress.cancel')}
      </Button>
      {asking && (
        <Confirm
          title={t('jobProgress.cancelTitle', { job: jobTitle(t, job) })}
          action={t('jobProgress.cancel')}
          danger
          pending={cancel.isPending}
          error={cancel.error}
          close={() => {
            setAsking(false)
          }}
          onConfirm={() => {
            cancel.mutate(undefined, {
              onSuccess: () => {
                setAsking(false)
              },
            })
          }}
        >
          {t('jobProgress.cancelText', { done: job.done, open: job.total - job.done })}
        </Confirm>
      )}
      {!asking && <ErrorAlert error={cancel.error} />}
    </>
  )
}
