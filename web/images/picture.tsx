import { Button } from '@patternfly/react-core'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useNavigate } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { GenerationList } from '../../broker/api/images.js'
import type { Machine } from '../../broker/api/machines.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { PowerLabel } from '../machines/power-label.js'
import { Actions } from '../parts/actions.js'
import { useSetParams } from '../parts/choice-filter.js'
import { JobProgress } from '../parts/job-progress.js'
import { Loaded } from '../parts/loaded.js'
import { GenerationTree } from './generation-tree.js'

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
  const create = {
    name: t('images.newMachines'),
    onClick: () => {
      void navigate(`/machines/-/new?type=vdi&parent=${encodeURIComponent(initial.name)}`)
    },
  }
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
      {admin && <CopyAndPopulate initial={initial} isUsed={machines.length > 0} />}
    </div>
  )
}

interface CopyAndPopulateProps {
  readonly initial: Machine
  /** There are machines that stand on it. */ readonly isUsed: boolean
}

function CopyAndPopulate({ initial, isUsed }: CopyAndPopulateProps): ReactElement {
  const { t } = useTranslation()
  const ask = useSetParams()
  const isBusy = initial.job !== null
  return (
    <div className="berth-box-acts">
      <Button
        size="sm"
        variant="secondary"
        isDisabled={isBusy}
        aria-label={`${t('images.copy')}: ${initial.name}`}
        onClick={() => {
          ask({ copy: initial.name }, 'push')
        }}
      >
        {t('images.copy')}
      </Button>
      <Button
        size="sm"
        isDisabled={isBusy || !isUsed || initial.generation === null}
        aria-label={`${t('images.populate')}: ${initial.name}`}
        onClick={() => {
          ask({ populate: initial.name }, 'push')
        }}
      >
        {t('images.populate')}
      </Button>
    </div>
  )
}
