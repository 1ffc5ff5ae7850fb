import { Alert, Tab, Tabs, TabTitleText } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useParams } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import type { Session } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import type { From } from '../console/to-desktops.js'
import { ButtonLink } from '../parts/button-link.js'
import { useParam } from '../parts/choice-filter.js'
import { History } from '../parts/history.js'
import { JobProgress } from '../parts/job-progress.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { AboutMachine } from './about-machine.js'
import { ChangeMachine } from './change-machine.js'
import { DomainXml } from './domain-xml.js'
import type { MachineAct } from './machine-acts.js'
import { MachineMenu } from './machine-menu.js'
import './machines.css'
import { RunResults } from './run-results.js'
import { Thumbnail } from './thumbnail.js'
import { useDesktops } from './use-machines.js'
import { useRun } from './use-run.js'

/** One machine, with all that is known of it. */
export function MachinePage({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const { name = '' } = useParams()
  const machine = useGet<Machine>(path`/machines/${name}`, ['machines'])
  const desktops = useDesktops()
  const { run, begin, forget } = useRun()
  const [changing, setChanging] = useState(false)
  const admin = session.role === 'admin'
  return (
    <>
      <PageHead title={name} above={[{ to: '/machines', name: t('navigation.machines') }]}>
        {machine.data && admin && (
          <HeadButtons
            machine={machine.data}
            desktops={desktops}
            change={() => {
              setChanging(true)
            }}
            begin={begin}
          />
        )}
      </PageHead>
      {run && <RunResults run={run} forget={forget} />}
      {changing && machine.data && (
        <ChangeMachine
          machine={machine.data}
          close={() => {
            setChanging(false)
          }}
        />
      )}
      <Loaded query={machine}>
        {(data) => <Details machine={data} desktop={desktops.get(data.name)} admin={admin} />}
      </Loaded>
    </>
  )
}

interface HeadButtonsProps {
  readonly machine: Machine
  readonly desktops: ReadonlyMap<string, Desktop>
  readonly change: () => void
  readonly begin: (act: MachineAct, names: readonly string[]) => void
}

/** The console, and everything else that an administrator can do with the machine. */
function HeadButtons({ machine, desktops, change, begin }: HeadButtonsProps): ReactElement {
  const { t } = useTranslation()
  const { name } = machine
  return (
    <>
      <ButtonLink
        variant="secondary"
        isDisabled={machine.power !== 'running'}
        to={path`/machines/${name}/console`}
        from={{ machinePage: name } satisfies From}
      >
        {t('machines.console')}
      </ButtonLink>
      <MachineMenu
        machines={[machine]}
        desktops={desktops}
        label={t('machines.actionsOf', { name })}
        text={t('machines.actions')}
        more={[{ name: t('machines.change'), onClick: change }]}
        begin={begin}
      />
    </>
  )
}

interface DetailsProps {
  readonly machine: Machine
  readonly desktop: Desktop | undefined
  readonly admin: boolean
}

function Details({ machine, desktop, admin }: DetailsProps): ReactElement {
  const { t } = useTranslation()
  const [tab, setTab] = useParam('tab')
  return (
    <>
      <Warnings machine={machine} />
      {machine.job !== null && <JobProgress id={machine.job} mayCancel={admin} />}
      <Tabs
        activeKey={tab === '' ? 'about' : tab}
        onSelect={(_event, key) => {
          setTab(key === 'about' ? '' : String(key))
        }}
        aria-label={t('machines.parts')}
        mountOnEnter
        unmountOnExit
      >
        <Tab eventKey="about" title={<TabTitleText>{t('machines.about')}</TabTitleText>}>
          <div className="berth-machine berth-tab">
            <Thumbnail machine={machine} />
            <AboutMachine machine={machine} desktop={desktop} />
          </div>
        </Tab>
        <Tab eventKey="history" title={<TabTitleText>{t('machines.history')}</TabTitleText>}>
          <div className="berth-tab">
            <History object={`machine:${machine.name}`} />
          </div>
        </Tab>
        <Tab eventKey="xml" title={<TabTitleText>XML</TabTitleText>}>
          <div className="berth-tab">
            <DomainXml name={machine.name} />
          </div>
        </Tab>
      </Tabs>
    </>
  )
}

/** What is wrong with it, or not known of it. */
function Warnings({ machine }: { machine: Machine }): ReactElement {
  const { t } = useTranslation()
  return (
    <>
      {machine.powerReason !== '' && (
        <Alert isInline variant="warning" title={machine.powerReason} className="berth-run" />
      )}
      {machine.viewersUnknown !== '' && machine.power !== 'off' && (
        <Alert
          isInline
          variant="warning"
          title={t('machines.viewersUnknownAbout', { why: machine.viewersUnknown })}
          className="berth-run"
        />
      )}
    </>
  )
}
