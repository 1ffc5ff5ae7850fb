import { Type } from '@sinclair/typebox'
import { test } from 'tap'
import { OrderState } from '../../broker/api/device-orders.js'
import {
  AcceptRequest,
  AssignRequest,
  Forgotten,
  RenameRequest,
  ThinClient,
  ThinClientDetail,
  ThinClientList,
} from '../../broker/api/thin-clients.js'
import { DEVICE, NOW } from './samples.js'
import { answer } from './stub-broker.js'
import { bench } from './with-broker.js'

test('thin clients by id, MAC or host name', async (t) => {
  const { broker, berth } = await bench(t)
  broker.on(
    'GET /thin-clients',
    answer(ThinClientList, { thinClients: [DEVICE, { ...DEVICE, id: 'd-2', hostname: 'desk2' }] }),
  )
  broker.on(
    'PUT /thin-clients/d-2/assignment',
    answer(ThinClient, DEVICE, { request: AssignRequest }),
  )
  broker.on('POST /thin-clients/d-1/accept', answer(ThinClient, DEVICE, { request: AcceptRequest }))
  broker.on('PATCH /thin-clients/d-1', answer(ThinClient, DEVICE, { request: RenameRequest }))
  broker.on('POST /thin-clients/forget-unaccepted', answer(Forgotten, { forgotten: 3 }))
  broker.on('DELETE /thin-clients/d-1', answer(Type.Undefined(), undefined, { status: 204 }))
  t.match(await berth(['thin-client', 'list']), {
    code: 0,
    stdout: /\nd-2 +02:00:00:00:00:01 +10.0.0.9 +desk2 +ready +- +pc-01 /,
  })
  t.match(await berth(['thin-client', 'assign', 'desk2', 'pc-07']), { code: 0 })
  t.strictSame(broker.asked.at(-1)?.body, { machine: 'pc-07' })
  t.match(await berth(['thin-client', 'unassign', 'd-2']), { code: 0 })
  t.strictSame(broker.asked.at(-1)?.body, { machine: null })
  t.match(await berth(['thin-client', 'show', '02-00-00-00-00-01']), {
    code: 1,
    stderr: /fits 2 devices; give the id of one: d-1, d-2/,
  })
  t.match(await berth(['thin-client', 'show', 'desk9']), {
    code: 1,
    stderr: /no thin client desk9/,
  })
  t.match(await berth(['thin-client', 'accept', 'd-1']), { code: 0, stdout: /accepted: +yes/ })
  t.strictSame(broker.asked.at(-1)?.body, {})
  t.match(await berth(['thin-client', 'accept', 'd-1', '--code', 'bcdf-ghjk', '--as-new']), {
    code: 0,
  })
  t.strictSame(broker.asked.at(-1)?.body, { code: 'bcdf-ghjk', asNew: true })
  t.match(await berth(['thin-client', 'rename', 'd-1', 'Reception']), { code: 0 })
  t.strictSame(broker.asked.at(-1)?.body, { name: 'Reception' })
  t.match(await berth(['thin-client', 'remove', 'd-1']), { code: 0 })
  t.match(await berth(['thin-client', 'remove', '--unaccepted']), { code: 0, stderr: /3/ })
  t.match(await berth(['thin-client', 'remove']), { code: 2 })
  t.match(await berth(['thin-client', 'assign', 'd-2', '--pool', 'lab']), { code: 0 })
  t.strictSame(broker.asked.at(-1)?.body, { pool: 'lab' })
  t.match(await berth(['thin-client', 'assign', 'd-2']), { code: 2 })
})

test('orders to a thin client are waited for', async (t) => {
  const { broker, berth } = await bench(t)
  const order = {
    id: 'o-1',
    kind: 'message' as const,
    text: 'Hi',
    state: 'pending' as const,
    sentence: 'It is told as soon as it asks.',
    by: 'ann',
    createdAt: NOW,
    expiresAt: NOW,
    finishedAt: null,
  }
  const becomes = (state: OrderState['state'], sentence: string): void => {
    broker.on(
      'GET /thin-clients/d-1',
      answer(ThinClientDetail, { ...DEVICE, gets: [], orders: [{ ...order, state, sentence }] }),
    )
  }
  broker.on('GET /thin-clients', answer(ThinClientList, { thinClients: [DEVICE] }))
  for (const kind of ['message', 'reconnect', 'reboot'])
    broker.on(`POST /thin-clients/d-1/${kind}`, answer(OrderState, order))
  becomes('done', 'Shown over the desktop.')
  t.match(await berth(['thin-client', 'message', 'd-1', 'Hi', '--seconds', '20']), {
    code: 0,
    stdout: 'done: Shown over the desktop.\n',
  })
  t.strictSame(broker.asked.find(({ path }) => path.endsWith('/message'))?.body, {
    text: 'Hi',
    seconds: 20,
  })
  t.match(await berth(['thin-client', 'reconnect', 'd-1']), { code: 0 })
  becomes('refused', 'Not restarted:\u001b[2J no.')
  t.match(await berth(['thin-client', 'reboot', 'd-1']), {
    code: 1,
    stdout: 'refused: Not restarted:?[2J no.\n',
  })
})
