import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { SshLink } from '../../../broker/hypervisors/link.js'
import { lineToHost } from '../../support/line-to-host.js'
import { until } from '../../support/until.js'
import { linkContract } from '../hypervisors/link-contract.js'
import type { LinkUnderTest } from '../hypervisors/link-under-test.js'

t.setTimeout(900_000)

const { host, open, stop } = await lineToHost('link')
t.teardown(stop)

void t.test('a real host keeps the contract of a line', async (t) => {
  linkContract(t, async () => {
    const it = open()
    await it.link.untilUp(20_000)
    return it
  })
})

/** Open files and threads of this process and of the one that carries the libvirt calls. */
function held(): { files: number; libvirtFiles: number; libvirtThreads: number } {
  const carrier = readdirSync('/proc').find(
    (pid) =>
      /^\d+$/.test(pid) &&
      readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] ===
        String(process.pid) &&
      readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('libvirt-process.'),
  )
  if (carrier === undefined) throw new Error('no process carries the libvirt calls')
  return {
    files: readdirSync('/proc/self/fd').length,
    libvirtFiles: readdirSync(`/proc/${carrier}/fd`).length,
    libvirtThreads: readdirSync(`/proc/${carrier}/task`).length,
  }
}
async function again({ link }: LinkUnderTest): Promise<void> {
  const { sinceMs } = link.status()
  ;(link as SshLink).reconnect()
  await until(() => link.status().state === 'up' && link.status().sinceMs !== sinceMs, {
    withinMs: 30_000,
    everyMs: 5,
    what: 'the connection is made again',
  })
  await link.listDomains()
}

t.test('fifty reconnects leave no file, connection or thread behind', async (t) => {
  const line = open()
  await line.link.untilUp(30_000)
  for (let round = 0; round < 5; round += 1) await again(line)
  const before = held()
  for (let round = 0; round < 50; round += 1) await again(line)
  const slack = 4 // what the last one has not given back yet
  await until(
    () => {
      const after = held()
      const more = (Object.keys(before) as Array<keyof typeof before>).filter(
        (what) => after[what] > before[what] + slack,
      )
      if (more.length > 0) throw new Error(`${JSON.stringify(before)} → ${JSON.stringify(after)}`)
      return true
    },
    { withinMs: 10_000, what: 'all is given back' },
  )
  t.comment(JSON.stringify({ before, after: held() }))
  await line.close()
})

t.test(
  'a helper that dies while the connection is made does not leave it up without one',
  async (t) => {
    const line = open()
    await line.link.untilUp(30_000)
    for (let round = 0; round < 25; round += 1) {
      ;(line.link as SshLink).reconnect()
      const killAt = performance.now() + round * 25
      await until(() => performance.now() >= killAt, {
        withinMs: 2_000,
        everyMs: 5,
        what: 'a moment',
      })
      await host.kill('helper')
      await until(
        async () => {
          await line.link.request('ping', {}, { timeoutMs: 2_000 })
          await line.link.listDomains()
          return true
        },
        { withinMs: 30_000, everyMs: 20, what: `it works again after a death ${round * 25} ms on` },
      )
    }
    t.pass('each time another helper came')
    await line.close()
  },
)
