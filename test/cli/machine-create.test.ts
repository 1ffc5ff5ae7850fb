import { test, type Test } from 'tap'
import { MachineCreate, MachinesAndJob } from '../../broker/api/machines.js'
import { job, machine } from './samples.js'
import { answer, stream, type StubBroker } from './stub-broker.js'
import { bench } from './with-broker.js'
import type { CliUnderTest, Ended, RunOptions } from './run-cli.js'

test('create sends what was given and nothing else', async (t) => {
  const { cli, broker, berth } = await bench(t)
  broker.on(
    'POST /machines',
    answer(
      MachinesAndJob,
      { machines: [machine()], job: '7' },
      { status: 202, request: MachineCreate },
    ),
  )
  broker.on('GET /jobs/7/events', stream([job({ kind: 'create' })]))
  t.match(
    await berth([
      'machine',
      'create',
      'pc-{nn}',
      '--type',
      'vdi',
      '--parent',
      'win11',
      '--hypervisor',
      'hv1',
      '--hypervisor',
      'hv2',
      '--count',
      '20',
      '--first',
      '5',
      '--discard-changes',
    ]),
    { code: 0, stdout: /succeeded/ },
  )
  t.strictSame(broker.asked[0]?.body, {
    name: 'pc-{nn}',
    type: 'vdi',
    count: 20,
    first: 5,
    hypervisors: ['hv1', 'hv2'],
    parent: 'win11',
    discardChanges: true,
  })
  await withEveryOption(t, cli, berth, broker)
})

async function withEveryOption(
  t: Test,
  cli: CliUnderTest,
  berth: (words: readonly string[], options?: RunOptions) => Promise<Ended>,
  broker: StubBroker,
): Promise<void> {
  const xml = cli.file('domain.xml', '<domain/>')
  t.match(
    await berth([
      'machine',
      'create',
      '--name',
      'gold',
      '--type',
      'source',
      '--hypervisor',
      'hv1',
      '--memory',
      '4GiB',
      '--vcpus',
      '4',
      '--disk',
      '512MiB',
      '--network',
      'none',
      '--firmware',
      'uefi',
      '--domain-xml',
      xml,
      '--no-wait',
    ]),
    { code: 0, stdout: '7\n' },
  )
  t.strictSame(broker.asked.at(-1)?.body, {
    name: 'gold',
    type: 'source',
    hypervisors: ['hv1'],
    memoryMib: 4096,
    vcpus: 4,
    diskGib: 0.5,
    network: 'none',
    firmware: 'uefi',
    domainXml: '<domain/>',
  })
}

test('a wrong command line is exit code 2 and nothing is sent', async (t) => {
  const { broker, berth } = await bench(t)
  const create = ['machine', 'create', '--hypervisor', 'hv1', '--type', 'vdi']
  const cases: Array<[string[], RegExp]> = [
    [['machine', 'create', 'x', '--type', 'vdi'], /--hypervisor/],
    [['machine', 'create', 'x', '--hypervisor', 'hv1', '--type', 'tower'], /Allowed choices/],
    [create, /Give the name once/],
    [[...create, 'pc', '--count', '3'], /\{nn\}/],
    [[...create, 'pc', '--memory', '2 lots'], /Give a size/],
    [[...create, 'pc', '--colour', 'blue'], /unknown option/],
    [[...create, 'pc', '--domain-xml', '/nowhere'], /does not exist/],
    [['machine', 'shutdown', 'pc', '--timeout', '2m'], /ISO 8601/],
    [['machine', 'frobnicate'], /unknown command/],
    [['nonsense'], /unknown command/],
    [['machine', 'start'], /missing required argument/],
    [['machine', 'list', '-o', 'xml'], /Allowed choices/],
    [['machine', 'delete', 'pc'], /no terminal to ask on; give --yes/],
    [['machine', 'set', 'pc'], /Nothing to change/],
    [['help', 'nonsense'], /no command or topic/],
  ]
  for (const [words, message] of cases)
    t.match(await berth(words), { code: 2, stdout: '', stderr: message }, words.join(' '))
  t.equal(broker.received(), 0)
})
