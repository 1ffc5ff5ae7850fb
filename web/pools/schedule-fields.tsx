import { Button } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { Schedule } from '../../broker/api/pool-policy.js'
import { ChoiceField, TextField } from '../parts/fields.js'

const DEEDS = ['spares', 'start', 'stop'] as const
const NEW: Schedule = { cron: '0 7 * * 1-5', do: 'start' }

interface ScheduleFieldsProps {
  readonly schedule: readonly Schedule[]
  readonly onChange: (schedule: readonly Schedule[]) => void
}

/** What happens at which hours. */
export function ScheduleFields({ schedule, onChange }: ScheduleFieldsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      {schedule.map((line, index) => (
        <ScheduleLine
          key={index}
          number={index + 1}
          line={line}
          onChange={(changed) => {
            onChange(schedule.map((one, at) => (at === index ? changed : one)))
          }}
          remove={() => {
            onChange(schedule.filter((_, at) => at !== index))
          }}
        />
      ))}
      <div>
        <Button
          variant="link"
          onClick={() => {
            onChange([...schedule, NEW])
          }}
        >
          {t('policy.addLine')}
        </Button>
      </div>
    </>
  )
}

interface ScheduleLineProps {
  readonly number: number
  readonly line: Schedule
  readonly onChange: (line: Schedule) => void
  readonly remove: () => void
}

function ScheduleLine({ number, line, onChange, remove }: ScheduleLineProps): ReactElement {
  const { t } = useTranslation()
  return (
    <div className="berth-filters" role="group" aria-label={t('policy.scheduleLine', { number })}>
      <TextField
        label={t('policy.cron')}
        value={line.cron}
        onChange={(cron) => {
          onChange({ ...line, cron })
        }}
      />
      <ChoiceField
        label={t('policy.do')}
        value={line.do}
        choices={DEEDS.map((value) => ({ value, name: t(`policy.deeds.${value}`) }))}
        onChange={(deed) => {
          const { cron } = line
          onChange(deed === 'spares' ? { cron, do: deed, spares: 0 } : { cron, do: deed })
        }}
      />
      <MoreOfDeed line={line} onChange={onChange} />
      <Button variant="link" isDanger onClick={remove}>
        {t('policy.removeLine')}
      </Button>
    </div>
  )
}

type MoreOfDeedProps = Pick<ScheduleLineProps, 'line' | 'onChange'>

/** How many spares there are to be; what happens to machines at which somebody sits. */
function MoreOfDeed({ line, onChange }: MoreOfDeedProps): ReactElement | null {
  const { t } = useTranslation()
  if (line.do === 'spares')
    return (
      <TextField
        label={t('policy.spares')}
        type="number"
        value={String(line.spares ?? 0)}
        onChange={(text) => {
          onChange({ ...line, spares: Number(text) })
        }}
      />
    )
  if (line.do !== 'stop') return null
  return (
    <ChoiceField
      label={t('policy.connected')}
      value={line.connected ?? 'spare'}
      choices={(['spare', 'warn'] as const).map((value) => ({
        value,
        name: t(`policy.connectedDo.${value}`),
      }))}
      onChange={(connected) => {
        onChange({ ...line, connected })
      }}
    />
  )
}
