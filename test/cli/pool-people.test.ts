import { join } from 'node:path'
import t from 'tap'
import { office } from '../broker/pools/office.js'
import { addPerson, allow } from '../support/people.js'
import { until } from '../support/until.js'
import { berthOf, cli } from './pool-cli.js'

t.test('a person claims, waits in the queue, and sees what is his', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const berth = berthOf(broker)
  await berth('pool create lab --from golden-desktop --size 1')
  const eve = berthOf(broker, (await addPerson(broker, 'eve')).token ?? '')
  t.match(
    await eve('claim lab'),
    { code: 1, stderr: /no pool lab/ },
    'what he may not see is not there',
  )
  await allow(broker, 'eve', ['start', 'accessConsole', 'release'], 'lab', 'pool')
  await berth('assign lab bob')
  t.match(await eve('pool list'), { code: 0, stdout: 'lab (all are taken)\n' })
  t.match(await eve('claim lab'), {
    code: 1,
    stderr: new RegExp(
      'lab has no free desktop \\(1 of 1 are assigned\\): ' +
        "the next may become free at .* UTC, when somebody's time is over\\.",
    ),
  })
  const waiting = cli.start(['claim', 'lab', '--wait'], {
    env: {
      BERTH_BROKER: broker.url.replace('https://', ''),
      BERTH_CA: join(broker.directory, 'data', 'ca.pem'),
      BERTH_TOKEN: (await addPerson(broker, 'eve')).token ?? '',
    },
  })
  await until(() => /Place 1 in the queue\. lab has no free desktop/.test(waiting.seen()), {
    withinMs: 20_000,
    what: 'the place is shown',
  })
  t.match(await berth('pool list'), { stdout: /^lab \(1 member, 1 waiting\)/ })
  await berth('release lab-1')
  t.match(await waiting.ended, {
    code: 0,
    stdout: /^lab-1 is yours: It can be opened\.\nconnect: berth connect lab-1\n/,
  })
  t.match(await eve('pool list'), {
    stdout: /^lab \(yours: lab-1\)\n {2}lab-1 {2}assigned to eve {2}running\n$/,
  })
  t.match(await eve('pool show lab'), { stdout: /for you: +yours: lab-1\n/ })
  t.match(await eve('desktops --mine'), { code: 0, stdout: /lab-1 +lab +eve +ready/ })
  t.match(await eve('release lab-1'), { code: 0 })
})

t.test('apply, diff and export', async (t) => {
  const broker = await office()
  t.teardown(async () => {
    await broker.remove()
  })
  const berth = berthOf(broker)
  const file = cli.file(
    'pools.yaml',
    'apiVersion: berth/v1\nkind: Pool\nmetadata:\n  name: lab\nspec:\n  from: ' +
      'golden-desktop\n  size: 1\n  retention: PT4H\n',
  )
  t.match(await berth(`diff -f ${file}`), {
    code: 1,
    stdout: /^pool\/lab create\n(.*\n)* {2}size: - -> 1\n/,
  })
  t.match(await berth('pool list -o json'), { stdout: '{\n  "pools": []\n}\n' })
  t.match(await berth(`apply -f ${file}`), {
    code: 0,
    stdout: /^pool\/lab created\n/,
    stderr: /pool-build lab/,
  })
  t.match(await berth(`diff -f ${file}`), { code: 0, stdout: 'pool/lab unchanged\n' })
  const { stdout: yaml } = await berth('export')
  t.match(await berth('diff -f -', { input: yaml }), { code: 0, stdout: 'pool/lab unchanged\n' })
  const bad = cli.file(
    'bad.yaml',
    'apiVersion: berth/v1\nkind: Pool\nmetadata:\n  name: lab\nspec:\n  colour: blue\n  size: many\n',
  )
  t.match(await berth(`apply -f ${bad}`), {
    code: 1,
    stdout: '',
    stderr: new RegExp(`${bad}:6:1: error: spec\\.colour.*\\n.*${bad}:7:1: error: spec\\.size`),
  })
  t.match(await berth('apply -f /nowhere'), { code: 2, stderr: /does not exist/ })
})
