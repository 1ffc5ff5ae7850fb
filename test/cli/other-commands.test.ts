import { Type } from '@sinclair/typebox'
import { test, type Test } from 'tap'
import { CopyRequest, GenerationList, ImportRequest, JobRef } from '../../broker/api/images.js'
import {
  ClientsXmlCheck,
  ClientsXmlHistory,
  ClientsXmlPut,
  ClientsXmlState,
  ClientsXmlText,
  ClientsXmlVersionText,
} from '../../broker/api/clients-xml.js'
import { AuditEventList, TokenCreate, TokenCreated, TokenList } from '../../broker/api/users.js'
import { JobList } from '../../broker/api/jobs.js'
import { GENERATION, job, NOW } from './samples.js'
import { answer, refuse, stream, type StubBroker } from './stub-broker.js'
import { bench } from './with-broker.js'
import type { Ended, RunOptions } from './run-cli.js'

test('images: copy, import, generations', async (t) => {
  const { broker, berth } = await bench(t)
  broker.on(
    'POST /machines/win11/copy',
    answer(JobRef, { job: '7' }, { status: 202, request: CopyRequest }),
  )
  broker.on(
    'POST /machines/gold/import',
    answer(JobRef, { job: '7' }, { status: 202, request: ImportRequest }),
  )
  broker.on('GET /jobs/7/events', stream([job({ kind: 'copy' })]))
  broker.on(
    'GET /machines/win11/generations',
    answer(GenerationList, { generations: [GENERATION] }),
  )
  t.match(await berth(['copy', 'win11', '--source', 'gold']), { code: 0 })
  t.strictSame(broker.asked[0]?.body, { source: 'gold' })
  t.match(await berth(['image', 'copy', 'win11']), { code: 0 })
  t.match(await berth(['image', 'import', 'gold', '/var/lib/berth/import/a.qcow2']), { code: 0 })
  t.match(await berth(['image', 'generations', 'win11']), {
    code: 0,
    stdout: /\ng2 +yes +ready +gold +1.0 GiB +16.0 GiB +2 +hv1 /,
  })
})

test('clients.xml: faults as file, line and column', async (t) => {
  const { cli, broker, berth } = await bench(t)
  const faults = [
    { line: 3, column: 5, severity: 'error' as const, message: 'There is no machine pc-99.' },
    { line: 9, column: 1, severity: 'warning' as const, message: 'Twice.' },
  ]
  const file = cli.file('clients.xml', '<clients/>')
  broker.on(
    'POST /clients-xml/check',
    answer(ClientsXmlCheck, { accepted: false, clients: 2, faults }, { request: ClientsXmlText }),
  )
  t.match(await berth(['clients-xml', 'check', file]), {
    code: 1,
    stdout:
      `${file}:3:5: error: There is no machine pc-99.\n${file}:9:1: warning: Twice.\n${file}: ` +
      `refused, 2 clients\n`,
  })
  broker.on('PUT /clients-xml', refuse('clients_xml_invalid', 'clients.xml was refused.', faults))
  t.match(await berth(['clients-xml', 'load', file]), {
    code: 1,
    stdout: '',
    stderr:
      `berth: clients.xml was refused.\n  ${file}:3:5: error: There is no machine ` +
      `pc-99.\n  ${file}:9:1: warning: Twice.\n`,
  })
  broker.on(
    'PUT /clients-xml',
    answer(ClientsXmlCheck, { accepted: true, clients: 2, faults: [] }, { request: ClientsXmlPut }),
  )
  t.match(await berth(['clients-xml', 'load', '-'], { input: '<clients/>' }), {
    code: 0,
    stdout: /in force, 2 clients/,
  })
  t.strictSame(broker.asked.at(-1)?.body, { text: '<clients/>' })
  await historyAndRestore(t, broker, berth)
})

async function historyAndRestore(
  t: Test,
  broker: StubBroker,
  berth: (words: readonly string[], options?: RunOptions) => Promise<Ended>,
): Promise<void> {
  broker.on(
    'GET /clients-xml',
    answer(ClientsXmlState, {
      path: '/etc/berth/clients.xml',
      text: '<clients/>',
      etag: 'e1',
      loadedAt: NOW,
      clients: 2,
      faults: [],
    }),
  )
  t.match(await berth(['clients-xml', 'show']), {
    code: 0,
    stdout: '<clients/>\n',
    stderr: /\/etc\/berth\/clients.xml/,
  })
  const version = { id: 7, at: NOW, by: 'ann', clients: 2, bytes: 10, etag: 'e0' }
  broker.on('GET /clients-xml/history', answer(ClientsXmlHistory, { versions: [version] }))
  broker.on(
    'GET /clients-xml/history/7',
    answer(ClientsXmlVersionText, { ...version, text: '<old/>' }),
  )
  t.match(await berth(['clients-xml', 'history']), { code: 0, stdout: /\n7 +\S+ +ann +2 +10\n/ })
  t.match(await berth(['clients-xml', 'show', '7']), { code: 0, stdout: '<old/>\n' })
  t.match(await berth(['clients-xml', 'restore', '7']), { code: 0, stdout: /in force, 2 clients/ })
  t.strictSame(broker.asked.at(-1)?.body, { text: '<old/>', have: 'e1' })
  t.match(await berth(['clients-xml', 'restore', 'last']), { code: 2 })
}

test('tokens, events, jobs', async (t) => {
  const { broker, berth } = await bench(t)
  answerAll(broker)
  t.match(await berth(['token', 'create', 'ci', '--scope', 'observe', '--expires', 'P90D']), {
    code: 0,
    stdout: 'secret-once\n',
  })
  t.strictSame(broker.asked[0]?.body, {
    name: 'ci',
    scopes: ['observe'],
    validForMs: 7_776_000_000,
  })
  t.match(await berth(['token', 'create', 'ci', '--expires', 'PT0S']), { code: 2 })
  t.match(await berth(['token', 'list']), {
    code: 0,
    stdout: /\nci +1f2e +program +admin +observe .* never +never\n/,
  })
  t.match(await berth(['token', 'revoke', 'ci']), { code: 0 })
  t.match(await berth(['audit', 'tail', '--limit', '2', '--before', '9']), {
    code: 0,
    stdout: /\n8 .* populate +win11 +ok\n/,
  })
  t.match(await berth(['job', 'list', '--state', 'running', '--limit', '5']), {
    code: 0,
    stdout: /\n7 +populate +win11 +succeeded +2\/2 /,
  })
})

function answerAll(broker: StubBroker) {
  broker.on(
    'POST /tokens',
    answer(TokenCreated, { token: 'secret-once', name: 'ci' }, { request: TokenCreate }),
  )
  broker.on(
    'GET /tokens',
    answer(TokenList, {
      tokens: [
        {
          id: '1f2e',
          name: 'ci',
          kind: 'program',
          user: 'admin',
          scopes: ['observe'],
          createdAt: NOW,
          expiresAt: null,
          lastUsedAt: null,
        },
      ],
    }),
  )
  broker.on('DELETE /tokens/ci', answer(Type.Undefined(), undefined, { status: 204 }))
  broker.on(
    'GET /events?limit=2&before=9',
    answer(AuditEventList, {
      events: [
        {
          id: 8,
          at: NOW,
          actor: 'admin',
          address: '10.0.0.1',
          action: 'populate',
          object: 'win11',
          result: 'ok',
          detail: {},
          hash: '',
        },
      ],
    }),
  )
  broker.on('GET /jobs?state=running&limit=5', answer(JobList, { jobs: [job()] }))
}

test('answers that are not understood, and troubles of the broker', async (t) => {
  const { broker, berth } = await bench(t)
  broker.on('GET /machines', (_asked, response) => {
    response.end('<html>')
  })
  t.match(await berth(['machine', 'list']), { code: 1, stderr: /is not JSON/ })
  broker.on('GET /machines', (_asked, response) => {
    response.end('{"machines":[{"name":3}]}')
  })
  t.match(await berth(['machine', 'list']), { code: 1, stderr: /not understood: \/machines\/0\// })
  broker.on('GET /machines', (_asked, response) => {
    response.end('{"machines":[],"more":1}')
  })
  t.match(
    await berth(['machine', 'list', '-o', 'json']),
    { code: 0, stdout: /"more": 1/ },
    'fields of a newer broker are passed on',
  )
  broker.on('GET /machines', (_asked, response) => {
    response.writeHead(502).end('Bad \u001b[2J gateway')
  })
  t.match(await berth(['machine', 'list']), {
    code: 1,
    stderr: 'berth: The broker answered with status 502 and no reason.\n',
  })
  broker.on('GET /machines', refuse('internal', 'Something \u001b[31m broke.'))
  t.match(await berth(['machine', 'list']), {
    code: 1,
    stderr: "berth: Something ?[31m broke.\n  (request req-1 in the broker's log)\n",
  })
  broker.on('GET /machines', refuse('shutting_down', 'Stopping.'))
  t.match(await berth(['machine', 'list']), { code: 4 })
  broker.on('GET /machines', refuse('forbidden', 'Observers may not.'))
  t.match(await berth(['machine', 'list']), { code: 3 })
  broker.on('GET /machines', () => {
    broker.cutAll()
  })
  t.match(await berth(['machine', 'list']), { code: 4, stderr: /was lost/ })
})
