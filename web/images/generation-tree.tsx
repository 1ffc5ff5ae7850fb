import { Button } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Generation } from '../../broker/api/images.js'
import type { Machine } from '../../broker/api/machines.js'
import { byteText } from '../parts/amounts.js'
import { useSetParams } from '../parts/choice-filter.js'
import { StateLabel } from '../parts/state-label.js'
import { When } from '../parts/when.js'
import { MachineDots } from './machine-dots.js'

interface TreeProps {
  readonly initial: Machine
  readonly generations: readonly Generation[]
  readonly machines: readonly Machine[]
  readonly desktops: ReadonlyMap<string, Desktop>
  readonly admin: boolean
}

/** The generations of an initial, each with the machines that stand on it. */
export function GenerationTree({
  initial,
  generations,
  machines,
  desktops,
  admin,
}: TreeProps): ReactElement {
  const { t } = useTranslation()
  const without = machines.filter(
    ({ generation }) => generation === null || !generations.some(({ name }) => name === generation),
  )
  if (generations.length === 0 && machines.length === 0)
    return <p className="berth-quiet berth-branch">{t('images.noGeneration')}</p>
  return (
    <ol
      className="berth-generations"
      aria-label={t('images.generationsOf', { name: initial.name })}
    >
      {generations.length === 0 && (
        <li className="berth-branch berth-quiet">{t('images.noGeneration')}</li>
      )}
      {generations.map((generation) => (
        <GenerationRow
          key={generation.name}
          initial={initial}
          generation={generation}
          admin={admin}
          machines={machines.filter((machine) => machine.generation === generation.name)}
          desktops={desktops}
        />
      ))}
      {without.length > 0 && (
        <li className="berth-branch berth-generation-row">
          <div className="berth-box berth-box-generation berth-quiet">
            {t('images.withoutDisk')}
          </div>
          <MachineDots machines={without} desktops={desktops} />
        </li>
      )}
    </ol>
  )
}

interface GenerationRowProps extends Omit<GenerationBoxProps, 'busy'> {
  readonly machines: readonly Machine[]
  readonly desktops: ReadonlyMap<string, Desktop>
}

function GenerationRow({
  initial,
  generation,
  admin,
  machines,
  desktops,
}: GenerationRowProps): ReactElement {
  return (
    <li className="berth-branch berth-generation-row">
      <GenerationBox
        initial={initial}
        generation={generation}
        admin={admin}
        busy={initial.job !== null}
      />
      <MachineDots machines={machines} desktops={desktops} />
    </li>
  )
}

const GENERATION_FEELINGS = {
  copying: 'busy',
  ready: 'info',
  collecting: 'quiet',
  failed: 'bad',
} as const

interface GenerationBoxProps {
  readonly initial: Machine
  readonly generation: Generation
  readonly admin: boolean
  readonly busy: boolean
}

function GenerationBox({ initial, generation, admin, busy }: GenerationBoxProps): ReactElement {
  const { t } = useTranslation()
  const ask = useSetParams()
  const { name, state, current, bytes, hypervisors, createdAt, source, sha256 } = generation
  return (
    <div className={`berth-box berth-box-generation${current ? ' berth-current' : ''}`}>
      <div className="berth-box-head">
        <strong title={sha256 === null ? undefined : `SHA-256 ${sha256}`}>{name}</strong>
        {current ? (
          <StateLabel feeling="good">{t('images.current')}</StateLabel>
        ) : (
          <StateLabel feeling={GENERATION_FEELINGS[state]}>
            {t(`images.generationStates.${state}`)}
          </StateLabel>
        )}
      </div>
      <span className="berth-quiet">
        {bytes === null ? '' : `${byteText(bytes)} · `}
        <When at={createdAt} />
        {source === null ? '' : ` · ${source}`}
      </span>
      <span className="berth-quiet">{hypervisors.join(', ')}</span>
      {admin && !current && state === 'ready' && (
        <Button
          size="sm"
          variant="link"
          isInline
          isDisabled={busy}
          aria-label={`${t('images.rollBack')}: ${initial.name} ${name}`}
          onClick={() => {
            ask({ populate: initial.name, generation: name }, 'push')
          }}
        >
          {t('images.rollBack')}
        </Button>
      )}
    </div>
  )
}
