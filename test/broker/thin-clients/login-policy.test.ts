import t from 'tap'
import type { Seat } from '../../../broker/consoles/policy.js'
import { type LoginTimes, loginOver, REOPEN_MS } from '../../../broker/thin-clients/login-policy.js'

const NOW = 10_000_000
const IDLE_MS = 600_000
const login: LoginTimes = { account: 'alice', seen_at: NOW - 1_000, ticket_at: NOW - 5_000 }
const seat: Seat = {
  holder: { kind: 'person', name: 'alice' },
  address: '10.0.0.1',
  via: 'direct',
  ticketAt: NOW - 5_000,
  connectedAt: NOW - 4_000,
  disconnectedAt: null,
}
const left: Seat = { ...seat, connectedAt: null, disconnectedAt: NOW - REOPEN_MS - 1 }
const idle: LoginTimes = { account: 'alice', seen_at: NOW - IDLE_MS - 1, ticket_at: null }

interface Row {
  readonly when: string
  readonly login: LoginTimes
  readonly seat: Seat | null
  readonly startedAt?: number
  readonly over: RegExp | null
}
const TABLE: readonly Row[] = [
  { when: 'just logged in', login: { ...idle, seen_at: NOW }, seat: null, over: null },
  { when: 'nobody did anything', login: idle, seat: null, over: /for a while/ },
  {
    when: 'the broker was away meanwhile',
    login: idle,
    seat: null,
    startedAt: NOW - 1_000,
    over: null,
  },
  {
    when: 'connected for hours',
    login: { ...login, seen_at: 0, ticket_at: 1 },
    seat: { ...seat, ticketAt: 1, connectedAt: 2 },
    over: null,
  },
  {
    when: 'its viewer left a moment ago',
    login,
    seat: { ...left, disconnectedAt: NOW - 1_000 },
    over: null,
  },
  { when: 'its viewer left a while ago', login, seat: left, over: /closed/ },
  {
    when: 'it left while the broker was away',
    login,
    seat: left,
    startedAt: NOW - 1_000,
    over: null,
  },
  {
    when: 'he opened it elsewhere',
    login,
    seat: { ...seat, ticketAt: NOW - 1_000 },
    over: /another place/,
  },
  {
    when: 'somebody else took it',
    login,
    seat: { ...seat, holder: { kind: 'person', name: 'bob' }, ticketAt: NOW - 1_000 },
    over: null,
  },
  {
    when: 'somebody else has had it for long',
    login: idle,
    seat: { ...seat, holder: { kind: 'person', name: 'bob' } },
    over: /for a while/,
  },
]

for (const row of TABLE)
  t.test(`a login at a thin client: ${row.when}`, async (t) => {
    t.match(loginOver(row.login, row.seat, NOW, row.startedAt ?? 0, IDLE_MS), row.over)
  })
