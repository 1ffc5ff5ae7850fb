import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import { path } from '../api/client.js'
import { mibText } from '../parts/amounts.js'
import { Fact, TwoColumnFacts } from '../parts/facts.js'
import { When } from '../parts/when.js'
import { PowerLabel } from './power-label.js'

interface AboutMachineProps {
  readonly machine: Machine
  readonly desktop: Desktop | undefined
}

/** All that is known of a machine. */
export function AboutMachine({ machine, desktop }: AboutMachineProps): ReactElement {
  const { t } = useTranslation()
  return (
    <TwoColumnFacts>
      <StateFacts machine={machine} desktop={desktop} />
      <DiskFacts machine={machine} />
      <HardwareFacts machine={machine} />
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
    </TwoColumnFacts>
  )
}

/** How it is, and who has it. */
function StateFacts({ machine, desktop }: AboutMachineProps): ReactElement {
  const { t } = useTranslation()
  return (
    <>
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
    </>
  )
}

/** Where it is, and what it is made from. */
function DiskFacts({ machine }: { machine: Machine }): ReactElement {
  const { t } = useTranslation()
  const parent =
    machine.parent === null ? (
      '–'
    ) : (
      <Link to={path`/machines/${machine.parent}`}>{machine.parent}</Link>
    )
  return (
    <>
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
    </>
  )
}

function HardwareFacts({ machine }: { machine: Machine }): ReactElement {
  const { t } = useTranslation()
  return (
    <>
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
    </>
  )
}
