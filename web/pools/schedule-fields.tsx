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
  const set = (index: number, line: Schedule): void => {
    onChange(schedule.map((one, at) => (at === index ? line : one)))
  }
  return (
    <>
      {schedule.map((line, index) => (
        <div
          className="berth-filters"
          key={index}
          role="group"
          aria-label={t('policy.scheduleLine', { number: index + 1 })}
        >
          <TextField
            label={t('policy.cron')}
            value={line.cron}
            onChange={(cron) => {
              set(index, { ...line, cron })
            }}
          />
          <ChoiceField
            label={t('policy.do')}
            value={line.do}
            choices={DEEDS.map((value) => ({ value, name: t(`policy.deeds.${value}`) }))}
            onChange={(deed) => {
              set(
                index,
                deed === 'spares'
                  ? { cron: line.cron, do: deed, spares: 0 }
                  : { cron: line.cron, do: deed },
              )
            }}
          />
          {line.do === 'spares' && (
            <TextField
              label={t('policy.spares')}
              type="number"
              value={String(line.spares ?? 0)}
              onChange={(text) => {
                set(index, { ...line, spares: Number(text) })
              }}
            />
          )}
          {line.do === 'stop' && (
            <ChoiceField
              label={t('policy.connected')}
              value={line.connected ?? 'spare'}
              choices={(['spare', 'warn'] as const).map((value) => ({
                value,
                name: t(`policy.connectedDo.${value}`),
              }))}
              onChange={(connected) => {
                set(index, { ...line, connected })
              }}
            />
          )}
          <Button
            variant="link"
            isDanger
            onClick={() => {
              onChange(schedule.filter((_, at) => at !== index))
            }}
          >
            {t('policy.removeLine')}
          </Button>
        </div>
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
