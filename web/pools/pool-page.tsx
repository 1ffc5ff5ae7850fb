import { Card, CardBody, CardTitle, Grid, GridItem, Stack, StackItem } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Link, useParams } from 'react-router'
import type { Pool, PoolDetail, PoolMember } from '../../broker/api/pools.js'
import type { Session } from '../../broker/api/users.js'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { Actions } from '../parts/actions.js'
import { type ColumnPlan, useColumns } from '../parts/column.js'
import { DataTable } from '../parts/data-table.js'
import { durationWords } from '../parts/durations.js'
import { Fact, TwoColumnFacts } from '../parts/facts.js'
import { useNamedHolders } from '../parts/holders.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { type Feeling, StateLabel } from '../parts/state-label.js'
import { When } from '../parts/when.js'
import { PoolActions } from './pool-actions.js'
import { MemberDialogue, type MemberDeed, memberDeeds } from './member-actions.js'
import { PolicyButton } from './policy-form.js'
import { Generations, PoolState } from './pools.js'

/** One pool: what it is, its rules, and each of its members. */
export function PoolPage({ session }: { session: Session }): ReactElement {
  const { name = '' } = useParams()
  const pool = useGet<PoolDetail>(path`/pools/${name}`, ['pools', 'desktops', 'machines'])
  return <Loaded query={pool}>{(detail) => <Details detail={detail} session={session} />}</Loaded>
}

function Details({ detail, session }: { detail: PoolDetail; session: Session }): ReactElement {
  const { t } = useTranslation()
  const { pool } = detail
  const members = useNamedHolders(detail.members)
  const admin = session.role === 'admin'
  return (
    <>
      <PageHead title={pool.name} above={[{ to: '/pools', name: t('navigation.pools') }]}>
        <PoolState pool={pool} />
        {pool.job !== null && <Link to={`/jobs/${pool.job}`}>{t('pools.job')}</Link>}
        {admin && <PolicyButton pool={pool} />}
        {admin && <PoolActions pool={pool} members={members} />}
      </PageHead>
      <Stack hasGutter>
        <StackItem>
          <Figures pool={pool} />
        </StackItem>
        <StackItem isFilled>
          <Members pool={pool} members={members} admin={admin} />
        </StackItem>
      </Stack>
    </>
  )
}

function Figures({ pool }: { pool: Pool }): ReactElement {
  return (
    <Grid hasGutter>
      <GridItem lg={4}>
        <Counts counts={pool.counts} />
      </GridItem>
      <GridItem lg={8}>
        <Rules pool={pool} />
      </GridItem>
    </Grid>
  )
}

/** How many members are in each state. */
function Counts({ counts }: Pick<Pool, 'counts'>): ReactElement {
  const { t } = useTranslation()
  const states = Object.entries(counts)
  return (
    <Card isCompact isFullHeight>
      <CardTitle component="h2">{t('pools.members')}</CardTitle>
      <CardBody>
        {states.length === 0
          ? t('pools.noMembers')
          : states.map(([state, count]) => (
              <div key={state}>
                {t(`pools.states.${state}` as 'pools.states.free')}: <strong>{count}</strong>
              </div>
            ))}
      </CardBody>
    </Card>
  )
}

function Rules({ pool }: { pool: Pool }): ReactElement {
  const { t, i18n } = useTranslation()
  const { policy } = pool
  const rows: ReadonlyArray<readonly [string, string | ReactElement]> = [
    [t('pools.initial'), pool.initial ?? '–'],
    [t('pools.generations'), <Generations pool={pool} />],
    [t('pools.size'), String(pool.size)],
    [t('policy.min'), String(policy.min)],
    [t('policy.max'), policy.max === 0 ? t('policy.noGrowth') : String(policy.max)],
    [t('policy.spares'), String(pool.spares)],
    [t('policy.retention'), durationWords(i18n.language, policy.retention)],
    [t('policy.onRelease'), t(`policy.cleanings.${policy.onRelease}`)],
    [t('policy.onExpiry'), t(`policy.cleanings.${policy.onExpiry}`)],
    [t('policy.protocols'), policy.protocols.map((one) => one.toUpperCase()).join(', ')],
    [t('pools.waiting'), String(pool.waiting)],
  ]
  return (
    <Card isCompact isFullHeight>
      <CardTitle component="h2">{t('pools.rules')}</CardTitle>
      <CardBody>
        <TwoColumnFacts>
          {rows.map(([name, value]) => (
            <Fact key={name} name={name}>
              {value}
            </Fact>
          ))}
        </TwoColumnFacts>
      </CardBody>
    </Card>
  )
}

const FEELINGS: Readonly<Record<PoolMember['state'], Feeling>> = {
  building: 'busy',
  free: 'good',
  assigned: 'info',
  cleaning: 'busy',
  failed: 'bad',
  deleting: 'busy',
}

const MEMBERS: ReadonlyArray<ColumnPlan<PoolMember>> = [
  {
    key: 'machine',
    name: (t) => t('pools.machine'),
    cell: (member) => <Link to={`/machines/${member.machine}`}>{member.machine}</Link>,
    value: (member) => member.machine,
    width: 'minmax(6rem, 1.2fr)',
  },
  {
    key: 'state',
    name: (t) => t('pools.state'),
    cell: (member, t) => (
      <StateLabel
        feeling={member.maintenance ? 'maintenance' : FEELINGS[member.state]}
        title={member.reason}
      >
        {member.maintenance ? t('pools.maintenance') : t(`pools.states.${member.state}`)}
      </StateLabel>
    ),
    value: (member) => member.state,
    width: 'minmax(7.5rem, 0.9fr)',
  },
  {
    key: 'holder',
    name: (t) => t('pools.holder'),
    cell: (member) => member.holder ?? '–',
    value: (member) => member.holder ?? '',
    width: 'minmax(5rem, 1.2fr)',
    wideOnly: true,
  },
  {
    key: 'connected',
    name: (t) => t('pools.connected'),
    cell: (member, t) => (member.connected ? t('common.yes') : t('common.no')),
    value: (member) => (member.connected ? 1 : 0),
    width: 'minmax(5rem, 0.5fr)',
    wideOnly: true,
    rank: 2,
  },
  {
    key: 'expires',
    name: (t) => t('pools.expires'),
    cell: (member) => <When at={member.expiresAt} />,
    value: (member) => member.expiresAt ?? '',
    width: 'minmax(7rem, 0.8fr)',
    wideOnly: true,
    rank: 3,
  },
  {
    key: 'power',
    name: (t) => t('pools.power'),
    cell: (member, t) => t(`machines.powers.${member.power}` as 'machines.powers.off'),
    value: (member) => member.power,
    width: 'minmax(6rem, 0.6fr)',
    wideOnly: true,
    rank: 4,
  },
  {
    key: 'generation',
    name: (t) => t('pools.generation'),
    cell: (member, t) =>
      `${member.generation ?? '–'}${member.renewPending ? ` ${t('pools.renewPending')}` : ''}`,
    value: (member) => member.generation ?? '',
    width: 'minmax(5rem, 0.8fr)',
    wideOnly: true,
    rank: 5,
  },
  {
    key: 'hypervisor',
    name: (t) => t('pools.hypervisor'),
    cell: (member) => <Link to={`/hypervisors/${member.hypervisor}`}>{member.hypervisor}</Link>,
    value: (member) => member.hypervisor,
    width: 'minmax(5rem, 0.7fr)',
    wideOnly: true,
    rank: 6,
  },
]
/** Only where there is something to say; then it goes before what is the same for all. */
const MEMBERS_WITH_REASON: ReadonlyArray<ColumnPlan<PoolMember>> = [
  ...MEMBERS,
  {
    key: 'reason',
    name: (t) => t('pools.reason'),
    cell: ({ reason }) => reason,
    value: ({ reason }) => reason,
    width: 'minmax(6rem, 2fr)',
    wideOnly: true,
    rank: 1,
  },
]

interface MembersProps {
  readonly pool: Pool
  readonly members: readonly PoolMember[]
  readonly admin: boolean
}

function Members({ pool, members, admin }: MembersProps): ReactElement {
  const { t } = useTranslation()
  const [doing, setDoing] = useState<{ deed: MemberDeed; member: PoolMember } | null>(null)
  const hasReasons = members.some(({ reason }) => reason !== '')
  const columns = useColumns(hasReasons ? MEMBERS_WITH_REASON : MEMBERS)
  return (
    <>
      {doing && (
        <MemberDialogue
          pool={pool}
          member={doing.member}
          deed={doing.deed}
          close={() => {
            setDoing(null)
          }}
        />
      )}
      <DataTable
        label={t('pools.members')}
        rows={members}
        columns={columns}
        idOf={(member) => member.machine}
        nameOf={(member) => member.machine}
        empty={t('pools.noMembers')}
        {...(admin
          ? {
              actions: (member: PoolMember) => (
                <Actions
                  label={t('pools.actionsFor', { machine: member.machine })}
                  actions={memberDeeds(member).map((deed) => ({
                    name: t(`pools.deeds.${deed}`),
                    isDanger: deed === 'rebuild' || deed === 'remove',
                    onClick: () => {
                      setDoing({ deed, member })
                    },
                  }))}
                />
              ),
            }
          : {})}
      />
    </>
  )
}
