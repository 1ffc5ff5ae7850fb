import { spawn, spawnSync } from 'node:child_process'
import { Type } from '@sinclair/typebox'
import type { Command } from 'commander'
import { test } from 'tap'
import { Hypervisor } from '../../broker/api/hypervisors.js'
import { JobList } from '../../broker/api/jobs.js'
import { MachineList } from '../../broker/api/machines.js'
import { BASH_SCRIPT, completionFor } from '../../cli/completion.js'
import { EXIT_CODES } from '../../cli/exit-codes.js'
import { buildProgram } from '../../cli/program.js'
import { hypervisor, job, machine } from './samples.js'
import { answer } from './stub-broker.js'
import { bench } from './with-broker.js'

test('every command says what it does', async (t) => {
  const commandsOf = (command: Command): Command[] =>
    command.commands.flatMap((child) => [child, ...commandsOf(child)])
  for (const command of commandsOf(buildProgram()).filter(
    (child) => !child.name().startsWith('__'),
  )) {
    t.match(command.summary(), /\S/, command.name())
    t.match(command.description(), /\.$|\)$/, command.name())
    for (const option of command.options)
      t.match(option.description, /\S/, `${command.name()} ${option.flags}`)
  }
  const codes = Object.values(EXIT_CODES).map(({ code }) => code)
  t.equal(new Set(codes).size, codes.length)
})

test('help, topics and version', async (t) => {
  const { berth } = await bench(t)
  t.match(await berth(['--help']), { code: 0, stdout: /hosts that run machines/ })
  t.match(await berth(['help', 'machine', 'create']), { code: 0, stdout: /--hypervisor/ })
  t.match(await berth(['help', 'exit-codes']), { code: 0, stdout: /130 {2}Interrupted/ })
  t.match(await berth(['help', 'words']), { code: 0, stdout: /golden image/ })
  t.match(await berth(['version', '-o', 'json']), { code: 0, stdout: /"berth": "\d/ })
})

test('what is completed', async (t) => {
  const program = buildProgram()
  const cases: Array<[string[], unknown]> = [
    [['machine', 'start', ''], { offer: 'names', kind: 'MACHINE' }],
    [['machine', 'start', 'a', ''], { offer: 'names', kind: 'MACHINE' }],
    [['populate', ''], { offer: 'names', kind: 'INITIAL' }],
    [['-o', 'json', 'job', 'show', ''], { offer: 'names', kind: 'JOB' }],
    [['machine', 'list', '--hypervisor', ''], { offer: 'names', kind: 'HYPERVISOR' }],
    [
      ['machine', 'create', '--type', ''],
      { offer: 'words', words: ['simple', 'source', 'initial', 'vdi'] },
    ],
    [['pool', 'resize', ''], { offer: 'names', kind: 'POOL' }],
    [['pool', 'add', 'p', ''], { offer: 'names', kind: 'MACHINE' }],
    [['assign', ''], { offer: 'names', kind: 'POOL' }],
    [
      ['pool', 'set', 'p', '--on-release', ''],
      { offer: 'words', words: ['keep', 'stop', 'rebuild'] },
    ],
    [['apply', '-f', ''], { offer: 'files' }],
    [['clients-xml', 'check', ''], { offer: 'files' }],
    [['machine', 'create', ''], { offer: 'words', words: [] }],
    [['machine', 'show', 'a', ''], { offer: 'words', words: [] }],
    [['machine', 'discard-changes', ''], { offer: 'words', words: ['on', 'off'] }],
    [['machine', 'discard-changes', 'on', ''], { offer: 'names', kind: 'MACHINE' }],
  ]
  for (const [words, expected] of cases)
    t.strictSame(completionFor(program, words), expected, words.join(' '))
  t.match(completionFor(program, ['machine', '']), { words: ['create', 'adopt', 'list'] })
})

test('completion in a real bash, with names from the broker', async (t) => {
  const it = await bench(t)
  it.broker.on(
    'GET /machines',
    answer(MachineList, { machines: [machine(), machine({ name: 'pc-02' })] }),
  )
  it.broker.on(
    'GET /hypervisors',
    answer(Type.Object({ hypervisors: Type.Array(Hypervisor) }), { hypervisors: [hypervisor()] }),
  )
  t.match(await it.berth(['completion', 'bash']), { code: 0, stdout: BASH_SCRIPT })
  it.cli.file(
    'bin/berth',
    `#!/bin/sh\nexec '${process.execPath}' '${it.cli.folder}/berth.mjs' "$@"\n`,
    0o755,
  )
  it.cli.file(
    'complete.bash',
    'source <(berth completion bash)\nCOMP_WORDS=("$@")\nCOMP_CWORD=$(($# - ' +
      '1))\n_berth\nprintf "%s\\n" "${COMPREPLY[@]}"\n',
  )
  const complete = async (...words: string[]): Promise<string[]> => {
    const child = spawn('bash', [`${it.cli.folder}/complete.bash`, ...words], {
      env: {
        PATH: `${it.cli.folder}/bin:${process.env['PATH'] ?? ''}`,
        HOME: it.cli.folder,
        XDG_CONFIG_HOME: `${it.cli.folder}/config`,
      },
    })
    let text = ''
    child.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString()
    })
    await new Promise((resolve) => {
      child.once('close', resolve)
    })
    return text.split('\n').filter((line) => line !== '')
  }
  t.strictSame(await complete('berth', 'machine', 'st'), ['start'])
  t.strictSame(await complete('berth', 'machine', 'start', 'pc-'), ['pc-01', 'pc-02'])
  t.strictSame(await complete('berth', 'hypervisor', 'show', ''), ['hv1'])
  t.strictSame(await complete('berth', 'clients-xml', 'check', `${it.cli.folder}/comp`), [
    `${it.cli.folder}/complete.bash`,
  ])
  it.broker.on('GET /jobs', answer(JobList, { jobs: [job(), job({ id: '$(touch evil)' })] }))
  t.strictSame(
    await complete('berth', 'job', 'show', ''),
    ['7'],
    'a word that a shell could obey is left out',
  )
  it.cli.file('config/berth/cli.json', '')
  t.strictSame(await complete('berth', 'machine', 'start', ''), [], 'not logged in: silence')
  t.equal(spawnSync('bash', ['-n'], { input: BASH_SCRIPT }).status, 0)
})
