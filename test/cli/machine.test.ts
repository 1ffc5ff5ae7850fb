import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Type } from '@sinclair/typebox'
import { test } from 'tap'
import { JobRef } from '../../broker/api/images.js'
import {
  DiscardChanges,
  MachineAdopt,
  MachineList,
  MachineMaintenance,
  MachinePatch,
  MachinesAndJob,
  PowerRequest,
  SpiceConsole,
} from '../../broker/api/machines.js'
import { Maintenance } from '../../broker/api/common.js'
import { Hypervisor } from '../../broker/api/hypervisors.js'
import { CONSOLE, hypervisor, job, machine } from './samples.js'
import { answer, refuse, stream } from './stub-broker.js'
import { bench } from './with-broker.js'

test('names cannot reach another route', async (t) => {
  const { broker, berth } = await bench(t)
  t.match(await berth(['machine', 'show', '../hypervisors/hv1?x=$(id)']), { code: 1 })
  t.equal(broker.asked[0]?.path, '/machines/..%2Fhypervisors%2Fhv1%3Fx%3D%24(id)')
})

test('list and show, safe for a terminal', async (t) => {
  const { broker, berth } = await bench(t)
  const bad = machine({
    job: '9',
    viewers: [],
    powerReason: 'disk \u001b]0;owned\u0007 \u009b2J full\nno',
    maintenance: true,
    maintenanceReason: 'a\u202Eb',
  })
  broker.on(
    'GET /machines?type=vdi&parent=win11',
    answer(MachineList, { machines: [machine(), bad] }),
  )
  const table = await berth(['machine', 'list', '--type', 'vdi', '--parent', 'win11'])
  const [head, first, second, ...rest] = table.stdout.split('\n')
  t.match(head, /^NAME +TYPE +HYPERVISOR +PARENT +GENERATION +POWER +STATE +FLAGS +VIEWERS$/)
  t.match(first, /^pc-01 +vdi +hv1 +win11 +g2 +running +ready +discard +10\.0\.0\.9$/)
  t.match(second, /^pc-01 .* job 9 +discard +-$/)
  t.same(rest, [''])
  broker.on('GET /machines/pc-01', answer(machineSchema(), bad))
  const shown = await berth(['machine', 'show', 'pc-01'])
  t.match(shown.stdout, /power reason: +disk \?\]0;owned\? \?2J full no\n/)
  t.match(shown.stdout, /maintenance: +on: a\?b\n/)
  for (const format of ['json', 'yaml']) {
    const { stdout } = await berth(['machine', 'show', 'pc-01', '-o', format])
    t.notMatch(stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/, format)
    if (format === 'json') t.strictSame(JSON.parse(stdout), bad)
  }
})

function machineSchema(): typeof MachineList.properties.machines.items {
  return MachineList.properties.machines.items
}

test('power: one job for each machine, a refusal leaves the others', async (t) => {
  const { broker, berth } = await bench(t)
  for (const [name, id] of [
    ['pc-01', '7'],
    ['pc-02', '8'],
  ] as const)
    broker.on(
      `POST /machines/${name}/power`,
      answer(JobRef, { job: id }, { status: 202, request: PowerRequest }),
    )
  broker.on('POST /machines/pc-03/power', refuse('busy', 'Job 5 works on pc-03.'))
  broker.on('GET /jobs/7/events', stream([job({ id: '7' })]))
  broker.on('GET /jobs/8/events', stream([job({ id: '8' })]))
  const some = await berth([
    'machine',
    'shutdown',
    'pc-01',
    'pc-03',
    'pc-02',
    '--timeout',
    'PT90S',
    '-o',
    'json',
  ])
  t.match(some, { code: 5, stderr: /berth: Job 5 works on pc-03\./ })
  t.strictSame(
    (JSON.parse(some.stdout) as { jobs: Array<{ id: string }> }).jobs.map((it) => it.id),
    ['7', '8'],
  )
  t.strictSame(broker.asked[0]?.body, { action: 'shutdown', timeoutMs: 90_000 })
  t.match(await berth(['machine', 'start', 'pc-03']), { code: 1, stdout: '' })
  t.match(await berth(['machine', 'reset', 'pc-01', '--children', '--no-wait']), {
    code: 0,
    stdout: '7\n',
  })
  t.strictSame(broker.asked.at(-1)?.body, { action: 'reset', children: true })
})

test('delete asks, and names what depends on it', async (t) => {
  const { cli, broker, berth } = await bench(t)
  broker.on('DELETE /machines/win11', refuse('has_dependants', 'win11 has machines.', ['pc-01']))
  broker.on('DELETE /machines/win11?force=true', answer(JobRef, { job: '7' }, { status: 202 }))
  broker.on('GET /jobs/7/events', stream([job()]))
  t.match(await cli.talk(['machine', 'delete', 'win11'], [[/Delete win11 with disks\?/, 'n']]), {
    code: 1,
  })
  t.equal(broker.received(), 0)
  t.match(await berth(['machine', 'delete', 'win11', '--yes']), {
    code: 1,
    stderr: 'berth: win11 has machines.\n  pc-01\n',
  })
  t.match(await berth(['machine', 'delete', 'win11', '--yes', '--force']), { code: 0 })
})

test('set, change-type, adopt, discard-changes, xml, maintenance', async (t) => {
  const { broker, berth } = await bench(t)
  const done = { machines: [machine()], job: null }
  broker.on('PATCH /machines/pc-01', answer(MachinesAndJob, done, { request: MachinePatch }))
  broker.on(
    'POST /machines/adopt',
    answer(MachinesAndJob, done, { status: 201, request: MachineAdopt }),
  )
  broker.on(
    'PUT /machines/win11/discard-changes',
    answer(MachinesAndJob, done, { request: DiscardChanges }),
  )
  broker.on(
    'PUT /machines/win11/maintenance',
    answer(MachineList, { machines: [machine()] }, { request: MachineMaintenance }),
  )
  broker.on(
    'PUT /hypervisors/hv1/maintenance',
    answer(Hypervisor, hypervisor({ state: 'maintenance' }), { request: Maintenance }),
  )
  broker.on(
    'GET /machines/pc-01/xml',
    answer(Type.Object({ xml: Type.String() }), { xml: '<domain>\n</domain>' }),
  )
  const cases: Array<[string, unknown]> = [
    ['machine set pc-01 --memory 1GiB --parent none', { memoryMib: 1024, parent: null }],
    ['machine change-type pc-01 initial --parent gold', { type: 'initial', parent: 'gold' }],
    ['machine adopt old --hypervisor hv1', { name: 'old', hypervisor: 'hv1' }],
    [
      'machine discard-changes on win11 --children --on-reboot',
      { on: true, children: true, onReboot: true },
    ],
    ['machine discard-changes off win11 --no-on-reboot', { on: false, onReboot: false }],
    [
      'maintenance on win11 --children --reason Updates',
      { on: true, children: true, reason: 'Updates' },
    ],
    ['maintenance off hypervisor:hv1', { on: false }],
    ['maintenance on hv1 --hypervisor', { on: true }],
  ]
  for (const [line, body] of cases) {
    t.match(await berth(line.split(' ')), { code: 0, stderr: '' }, line)
    t.strictSame(broker.asked.at(-1)?.body, body, line)
  }
  t.match(await berth(['machine', 'xml', 'pc-01']), { code: 0, stdout: '<domain>\n</domain>\n' })
})

test('console hands the ticket over on standard input', async (t) => {
  const { cli, broker, berth } = await bench(t)
  broker.on(
    'POST /machines/pc-01/console',
    answer(SpiceConsole, { ...CONSOLE, title: 'pc-01\nproxy=evil' }),
  )
  const printed = await berth(['machine', 'console', 'pc-01', '--print'])
  t.match(printed, { code: 0, stderr: /within 30 s: do not keep it/ })
  const file = [
    '[virt-viewer]',
    'type=spice',
    'host=10.77.1.2',
    'tls-port=5901',
    'password=ticket-of-thirty-seconds',
    'ca=-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----\\n',
    'host-subject=O=Berth,CN=hv1',
    'title=pc-01\\nproxy=evil',
  ]
  t.same(printed.stdout.split('\n').slice(0, file.length), file)
  cli.file(
    'bin/remote-viewer',
    '#!/bin/sh\nprintf \'%s\\n\' "$@" > "$HOME/viewer-words"\ncat > "$HOME/viewer-input"\nexit "${VIEWER_EXIT:-0}"\n',
    0o755,
  )
  t.match(await berth(['machine', 'console', 'pc-01']), { code: 0, stdout: '' })
  t.equal(readFileSync(join(cli.folder, 'viewer-words'), 'utf8'), '-\n')
  t.equal(readFileSync(join(cli.folder, 'viewer-input'), 'utf8'), printed.stdout)
  t.match(await berth(['machine', 'console', 'pc-01'], { env: { VIEWER_EXIT: '1' } }), {
    code: 1,
    stderr: /ended with exit code 1/,
  })
})
