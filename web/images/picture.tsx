import { Button } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Generation, GenerationList } from '../../broker/api/images.js'
import type { Machine } from '../../broker/api/machines.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { PowerLabel } from '../machines/power-label.js'
import { Actions } from '../parts/actions.js'
import { byteText } from '../parts/amounts.js'
import { useSetParams } from '../parts/choice-filter.js'
import { JobProgress } from '../parts/job-progress.js'
import { Loaded } from '../parts/loaded.js'
import { StateLabel } from '../parts/state-label.js'
import { When } from '../parts/when.js'
import { MachineDots } from './machine-dots.js'

interface SourceBoxProps {
  readonly source: Machine | null
  readonly admin: boolean
}

/** Where a line begins: the machine on which the system is installed. */
export function SourceBox({ source, admin }: SourceBoxProps): ReactElement {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const ask = useSetParams()
  if (!source)
    return (
      <div className="berth-box berth-box-source">
        <strong>{t('images.noSource')}</strong>
      </div>
    )
  const actions = [
    {
      name: t('images.newInitial'),
      onClick: () => {
        void navigate(`/machines/-/new?type=initial&parent=${encodeURIComponent(source.name)}`)
      },
    },
    {
      name: t('images.import'),
      onClick: () => {
        ask({ import: source.name }, 'push')
      },
    },
  ]
  return (
    <div className="berth-box berth-box-source">
      <div className="berth-box-head">
        <span className="berth-kind">{t(`machines.types.${source.type}`)}</span>
        {admin && (
          <Actions label={t('machines.actionsOf', { name: source.name })} actions={actions} />
        )}
      </div>
      <Link className="berth-box-name" to={path`/machines/${source.name}`}>
        {source.name}
      </Link>
      <PowerLabel machine={source} />
      <span className="berth-quiet">{source.hypervisor}</span>
    </div>
  )
}

interface LineProps {
  readonly initial: Machine
  readonly machines: readonly Machine[]
  readonly desktops: ReadonlyMap<string, Desktop>
  readonly admin: boolean
  readonly shownJob: string
}

/** An initial with its generations, and the machines on each of them. */
export function InitialLine({
  initial,
  machines,
  desktops,
  admin,
  shownJob,
}: LineProps): ReactElement {
  const { t } = useTranslation()
  const generations = useGet<GenerationList>(path`/machines/${initial.name}/generations`, [
    'generations',
    'machines',
  ])
  return (
    <div className="berth-branch">
      <div className="berth-initial">
        <InitialBox initial={initial} machines={machines} admin={admin} />
        <Loaded query={generations}>
          {({ generations: all }) => (
            <GenerationTree
              initial={initial}
              generations={all}
              machines={machines}
              desktops={desktops}
              admin={admin}
            />
          )}
        </Loaded>
      </div>
      {initial.job !== null && initial.job !== shownJob && (
        <JobProgress key={initial.job} id={initial.job} mayCancel={admin} />
      )}
      {machines.some(({ renewPending }) => renewPending) && (
        <p className="berth-quiet">
          {t('images.renewedLater', {
            count: machines.filter(({ renewPending }) => renewPending).length,
          })}
        </p>
      )}
    </div>
  )
}

interface InitialBoxProps {
  readonly initial: Machine
  readonly machines: readonly Machine[]
  readonly admin: boolean
}

function InitialBox({ initial, machines, admin }: InitialBoxProps): ReactElement {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const ask = useSetParams()
  const create = {
    name: t('images.newMachines'),
    onClick: () => {
      void navigate(`/machines/-/new?type=vdi&parent=${encodeURIComponent(initial.name)}`)
    },
  }
  const busy = initial.job !== null
  return (
    <div className="berth-box">
      <div className="berth-box-head">
        <span className="berth-kind">{t('machines.types.initial')}</span>
        {admin && (
          <Actions label={t('machines.actionsOf', { name: initial.name })} actions={[create]} />
        )}
      </div>
      <Link className="berth-box-name" to={path`/machines/${initial.name}`}>
        {initial.name}
      </Link>
      <PowerLabel machine={initial} />
      <Link className="berth-quiet" to={`/machines?parent=${encodeURIComponent(initial.name)}`}>
        {t('images.machines', { count: machines.length })}
      </Link>
      {admin && (
        <div className="berth-box-acts">
          <Button
            size="sm"
            variant="secondary"
            isDisabled={busy}
            aria-label={`${t('images.copy')}: ${initial.name}`}
            onClick={() => {
              ask({ copy: initial.name }, 'push')
            }}
          >
            {t('images.copy')}
          </Button>
          <Button
            size="sm"
            isDisabled={busy || machines.length === 0 || initial.generation === null}
            aria-label={`${t('images.populate')}: ${initial.name}`}
            onClick={() => {
              ask({ populate: initial.name }, 'push')
            }}
          >
            {t('images.populate')}
          </Button>
        </div>
      )}
    </div>
  )
}

interface TreeProps {
  readonly initial: Machine
  readonly generations: readonly Generation[]
  readonly machines: readonly Machine[]
  readonly desktops: ReadonlyMap<string, Desktop>
  readonly admin: boolean
}

function GenerationTree({
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
        <li key={generation.name} className="berth-branch berth-generation-row">
          <GenerationBox
            initial={initial}
            generation={generation}
            admin={admin}
            busy={initial.job !== null}
          />
          <MachineDots
            machines={machines.filter((machine) => machine.generation === generation.name)}
            desktops={desktops}
          />
        </li>
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
