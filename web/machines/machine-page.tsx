import {
  Alert,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  Tab,
  Tabs,
  TabTitleText,
} from '@patternfly/react-core'
import { type ReactElement, type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useParams } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import type { Session } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import type { From } from '../console/to-desktops.js'
import { mibText } from '../parts/amounts.js'
import { ButtonLink } from '../parts/button-link.js'
import { useParam } from '../parts/choice-filter.js'
import { History } from '../parts/history.js'
import { JobProgress } from '../parts/job-progress.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { When } from '../parts/when.js'
import { ChangeMachine } from './change-machine.js'
import { DomainXml } from './domain-xml.js'
import { MachineMenu } from './machine-menu.js'
import './machines.css'
import { PowerLabel } from './power-label.js'
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
  const change = {
    name: t('machines.change'),
    onClick: () => {
      setChanging(true)
    },
  }
  return (
    <>
      <PageHead title={name} above={[{ to: '/machines', name: t('navigation.machines') }]}>
        {machine.data && admin && (
          <ButtonLink
            variant="secondary"
            isDisabled={machine.data.power !== 'running'}
            to={path`/machines/${name}/console`}
            from={{ machinePage: name } satisfies From}
          >
            {t('machines.console')}
          </ButtonLink>
        )}
        {machine.data && admin && (
          <MachineMenu
            machines={[machine.data]}
            desktops={desktops}
            label={t('machines.actionsOf', { name })}
            text={t('machines.actions')}
            more={[change]}
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
            <About machine={machine} desktop={desktop} />
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

interface AboutProps {
  readonly machine: Machine
  readonly desktop: Desktop | undefined
}

function About({ machine, desktop }: AboutProps): ReactElement {
  const { t } = useTranslation()
  const parent =
    machine.parent === null ? (
      '–'
    ) : (
      <Link to={path`/machines/${machine.parent}`}>{machine.parent}</Link>
    )
  return (
    <DescriptionList isHorizontal isCompact columnModifier={{ default: '1Col', xl: '2Col' }}>
      <Fact name={t('machines.power')}>
        <PowerLabel machine={machine} />{' '}
        <span className="berth-quiet">
          <When at={machine.powerSince} />
        </span>
      </Fact>
      <Fact name={t('machines.type')}>
        {t(`machines.types.${machine.type}`)}{' '}
        <span className="berth-quiet">{t(`machines.typeMeanings.${machine.type}`)}</span>
      </Fact>
      <Fact name={t('machines.holder')}>
        {desktop ? (
          <>
            {desktop.holder}{' '}
            <span className="berth-quiet">
              <When at={desktop.assignedAt} />
            </span>
          </>
        ) : (
          t('machines.nobody')
        )}
      </Fact>
      <Fact name={t('machines.viewers')}>
        {machine.viewers.length === 0 ? t('machines.nobody') : machine.viewers.join(', ')}
      </Fact>
      {desktop?.pool != null && (
        <Fact name={t('machines.pool')}>
          <Link to={path`/pools/${desktop.pool}`}>{desktop.pool}</Link>
        </Fact>
      )}
      <Fact name={t('machines.hypervisor')}>
        <Link to={path`/hypervisors/${machine.hypervisor}`}>{machine.hypervisor}</Link>
      </Fact>
      <Fact name={t('machines.parent')}>{parent}</Fact>
      <Fact name={t('machines.generation')}>
        {machine.generation ?? '–'}
        {machine.renewPending && ` → ${t('machines.renewLater')}`}
      </Fact>
      <Fact name={t('machines.virtualSnapshot')}>
        {machine.discardChanges
          ? t(machine.discardOnReboot ? 'machines.discardsAtReboot' : 'machines.discards')
          : t('machines.keeps')}
      </Fact>
      <Fact name={t('machines.memory')}>{mibText(machine.memoryMib)}</Fact>
      <Fact name={t('machines.vcpus')}>{machine.vcpus}</Fact>
      <Fact name={t('machines.network')}>
        <span className="berth-mono">{machine.network}</span>
      </Fact>
      <Fact name="MAC">
        <span className="berth-mono">{machine.mac}</span>
      </Fact>
      <Fact name={t('machines.firmware')}>{machine.firmware.toUpperCase()}</Fact>
      <Fact name={t('machines.serial')}>
        <span className="berth-mono">{machine.serial}</span>
      </Fact>
      {machine.maintenance && (
        <Fact name={t('machines.maintenance')}>
          {machine.maintenanceReason || t('machines.noReason')}
        </Fact>
      )}
      <Fact name={t('machines.created')}>
        <When at={machine.createdAt} />
      </Fact>
      <Fact name="UUID">
        <span className="berth-mono">{machine.id}</span>
      </Fact>
    </DescriptionList>
  )
}

function Fact({ name, children }: { name: string; children: ReactNode }): ReactElement {
  return (
    <DescriptionListGroup>
      <DescriptionListTerm>{name}</DescriptionListTerm>
      <DescriptionListDescription>{children}</DescriptionListDescription>
    </DescriptionListGroup>
  )
}
