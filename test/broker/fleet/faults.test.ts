import { existsSync, readdirSync } from 'node:fs'
import t from 'tap'
import type { Job } from '../../../broker/api/jobs.js'
import { IMAGES, OVERLAYS } from '../../support/berth-on-fleet.js'
import { until } from '../../support/until.js'
import {
  assertPopulated,
  assertWhole,
  berth,
  current,
  generations,
  hv1,
  hv2,
  lastJob,
  reconnected,
  restarted,
} from './faulty-fleet.js'

t.setTimeout(900_000)

t.test(
  'the broker is killed -9 at every step of a copy: after it is back the job ends and nothing is half-made',
  async (t) => {
    await berth.copy('base')
    let number = 1
    for (const step of ['reserve', 'write', 'activate', 'carry', 'boot-disk']) {
      for (const when of ['before', 'after']) {
        await berth.broker.stop()
        await restarted(`copy * ${step} ${when}`)
        await berth.api.post('/machines/base/copy').catch(() => {}) // the answer may be lost with the broker
        await berth.broker.ended(30_000)
        await restarted()
        const job = await berth.api.ended((await lastJob()).id)
        t.equal(job.state, 'succeeded', `${step} ${when}: ${job.message}`)
        number += 1
        await assertWhole(t, `g${number}`)
      }
    }
  },
)

t.test(
  'the broker is killed -9 at every step of a populate: after it is back every machine stands on the generation',
  async (t) => {
    for (const step of ['carry', 'who-is-in-use', 'overlay', 'define']) {
      for (const when of ['before', 'after']) {
        // batches: their entry is the only point in between
        if (when === 'before' && (step === 'overlay' || step === 'define')) continue
        await berth.copy('base')
        const wanted = (await current()) ?? ''
        await berth.broker.stop()
        await restarted(`populate * ${step} ${when}`)
        await berth.api.post('/machines/base/populate').catch(() => {})
        await berth.broker.ended(30_000)
        await restarted()
        const job = await berth.api.ended((await lastJob()).id)
        t.equal(
          job.state,
          'succeeded',
          `${step} ${when}: ${job.message} ${job.targets.map((target) => target.message).join(' ')}`,
        )
        await assertWhole(t, wanted)
        await assertPopulated(t, wanted)
      }
    }
  },
)

t.test(
  'the broker is killed -9 while it collects an unused generation: after it is back the generation is gone',
  async (t) => {
    for (const when of ['before', 'after']) {
      const old = (await current()) ?? ''
      await berth.copy('base')
      await berth.broker.stop()
      await restarted(`collect * remove ${when}`)
      await berth.api.post('/machines/base/populate').catch(() => {})
      await berth.broker.ended(30_000)
      await restarted()
      t.match(await berth.api.ended((await lastJob()).id), { state: 'succeeded' })
      await until(async () => (await generations()).length === 1, {
        withinMs: 10_000,
        what: `${old} is collected`,
      })
      for (const host of [hv1, hv2])
        t.notOk(existsSync(host.path(`${IMAGES}/base.${old}.qcow2`)), `${host.name}, ${when}`)
      await assertWhole(t, (await current()) ?? '')
    }
  },
)

t.test('the connection is cut in the middle of a copy, and comes back', async (t) => {
  const before = Number((await current())?.slice(1))
  await hv1.mustRun([
    'bash',
    '-c',
    'qemu-img create -q -f raw /tmp/big.raw 600M && head -c 300M /dev/urandom | dd ' +
      'of=/tmp/big.raw conv=notrunc status=none && qemu-img convert -f raw -O qcow2 ' +
      `/tmp/big.raw ${IMAGES}/big.qcow2.new && cp ${IMAGES}/golden.qcow2 /tmp/golden.keep && ` +
      `mv ${IMAGES}/big.qcow2.new ${IMAGES}/golden.qcow2 && rm /tmp/big.raw`,
  ])
  const { job } = await berth.api.post<{ job: string }>('/machines/base/copy')
  await until(async () => ((await berth.api.get<Job>(`/jobs/${job}`)).targets[0]?.done ?? 0) > 0, {
    withinMs: 30_000,
    everyMs: 20,
    what: 'bytes are being copied',
  })
  await hv1.kill('sshd')
  await hv1.restart('sshd')
  t.match(await berth.api.ended(job), { state: 'succeeded' })
  await assertWhole(t, `g${before + 1}`)
})

t.test(
  'a host is cut off while an image is carried to it; the carry goes on when it is back',
  async (t) => {
    const { job } = await berth.api.post<{ job: string }>('/machines/base/copy')
    await until(
      async () =>
        ((await berth.api.get<Job>(`/jobs/${job}`)).targets.find((target) => target.name === 'hv2')
          ?.done ?? 0) > 0,
      { withinMs: 60_000, everyMs: 20, what: 'bytes are being carried' },
    )
    await hv2.kill('sshd')
    await hv2.restart('sshd')
    t.match(await berth.api.ended(job), { state: 'succeeded' })
    const name = (await current()) ?? ''
    t.equal(
      (await hv1.mustRun(['sha256sum', `${IMAGES}/base.${name}.qcow2`])).split(' ')[0],
      (await hv2.mustRun(['sha256sum', `${IMAGES}/base.${name}.qcow2`])).split(' ')[0],
    )
  },
)

t.test('a copy is cancelled: the old generation stays, nothing is left', async (t) => {
  const before = (await current()) ?? ''
  const { job } = await berth.api.post<{ job: string }>('/machines/base/copy')
  await until(async () => ((await berth.api.get<Job>(`/jobs/${job}`)).targets[0]?.done ?? 0) > 0, {
    withinMs: 30_000,
    everyMs: 20,
    what: 'bytes are being copied',
  })
  await berth.api.post(`/jobs/${job}/cancel`)
  t.match(await berth.api.ended(job), { state: 'cancelled' })
  await assertWhole(t, before)
})

t.test(
  'the disk of the host is full: the copy fails in a sentence, the old generation stays current',
  async (t) => {
    const before = (await current()) ?? ''
    const size = Number((await hv1.mustRun(['stat', '-c', '%s', `${IMAGES}/golden.qcow2`])).trim())
    await hv1.mustRun(['bash', '-c', `mkdir /tmp/keep && cp -a ${IMAGES}/golden.qcow2 /tmp/keep/`])
    const undo = await hv1.limitDisk(IMAGES, size + 50_000_000)
    await hv1.mustRun(['cp', '-a', '/tmp/keep/golden.qcow2', `${IMAGES}/golden.qcow2`])
    await reconnected() // the helper holds its directories open: a new one sees the small disk
    const job = await berth.copy('base')
    t.match(job, { state: 'failed', message: /hv1: .*(free|space|full)/ })
    t.same(readdirSync(hv1.path(IMAGES)), ['.berth-parts', 'golden.qcow2'])
    t.same(readdirSync(hv1.path(`${IMAGES}/.berth-parts`)), [])
    await undo()
    await reconnected()
    await assertWhole(t, before)
    await hv1.mustRun([
      'bash',
      '-c',
      `mv /tmp/golden.keep ${IMAGES}/golden.qcow2; rm -rf /tmp/keep`,
    ])
  },
)

t.test("two administrators at once: the second is told the first one's job", async (t) => {
  t.match(await berth.copy('base'), { state: 'succeeded' })
  const answers = await Promise.allSettled([
    berth.api.post<{ job: string }>('/machines/base/populate'),
    berth.api.post<{ job: string }>('/machines/base/populate'),
    berth.api.post('/machines/base/copy'),
  ])
  const taken = answers.find((answer) => answer.status === 'fulfilled')
  t.equal(answers.filter((answer) => answer.status === 'fulfilled').length, 1)
  const job = taken?.status === 'fulfilled' ? (taken.value as { job: string }).job : ''
  for (const answer of answers)
    if (answer.status === 'rejected')
      t.match(answer.reason, { status: 409, code: 'busy', message: new RegExp(`Job ${job}`) })
  t.match(await berth.api.ended(job), { state: 'succeeded' })
})

t.test('one machine fails, the others are done; repeated, it converges', async (t) => {
  await hv1.mustRun(['bash', '-c', `rm -f ${OVERLAYS}/pc-1.qcow2 && mkdir ${OVERLAYS}/pc-1.qcow2`])
  const job = await berth.populate('base')
  t.equal(job.state, 'partly')
  t.same(
    job.targets.map(({ name, state }) => [name, state]),
    [
      ['pc-1', 'failed'],
      ['pc-2', 'done'],
      ['pc-3', 'done'],
      ['pc-4', 'done'],
    ],
  )
  await hv1.mustRun(['rmdir', `${OVERLAYS}/pc-1.qcow2`])
  t.match(await berth.populate('base'), { state: 'succeeded' })
  await assertPopulated(t, (await current()) ?? '')
})

t.test("a domain is deleted and another one started behind the broker's back", async (t) => {
  await hv1.mustRun(['virsh', 'undefine', 'pc-1'])
  t.match(await berth.untilPower('pc-1', 'missing'), { powerReason: /behind/ })
  await hv2.mustRun(['virsh', 'start', 'pc-2'])
  await berth.untilPower('pc-2', 'running')
  await berth.copy('base')
  t.match(
    await berth.populate('base'),
    { state: 'succeeded' },
    'nobody is connected to pc-2, so it is renewed',
  )
  await berth.untilPower('pc-1', 'off')
  await assertPopulated(t, (await current()) ?? '')
})

t.test('a stopped libvirtd behind a living sshd does not hold up the others', async (t) => {
  await hv2.stall('libvirtd')
  const started = Date.now()
  const stalled = berth.power('pc-2', 'start')
  t.match(await berth.power('pc-1', 'start'), { state: 'succeeded' })
  t.ok(Date.now() - started < 10_000, 'the other host is as quick as ever')
  await hv2.resume('libvirtd')
  t.match(await stalled, { state: 'succeeded' })
  await berth.power('base', 'poweroff', { children: true })
})

t.test(
  'a host that loses its power: its machines are unknown, then off; the left-over layer does not block the next start',
  async (t) => {
    const { job } = await berth.api.put<{ job: string }>('/machines/pc-2/discard-changes', {
      on: true,
    })
    await berth.api.succeeded(job)
    await berth.power('pc-2', 'start')
    await berth.untilPower('pc-2', 'running')
    await hv2.powerCut()
    await berth.untilHypervisor('hv2', 'unreachable')
    await berth.untilPower('pc-2', 'unknown')
    await t.rejects(berth.api.get('/hypervisors/hv2/domains'), {
      status: 503,
      code: 'hypervisor_unreachable',
    })
    await hv2.powerOn()
    await berth.untilHypervisor('hv2', 'up')
    await berth.untilPower('pc-2', 'off')
    t.match(await berth.power('pc-2', 'start'), { state: 'succeeded' })
  },
)

t.test('another host key is refused with both fingerprints, until it is trusted', async (t) => {
  const before = await hv2.hostKeyFingerprint()
  await hv2.changeHostKey()
  const after = await hv2.hostKeyFingerprint()
  const seen = await until(
    async () => {
      const { state, reason } = await berth.untilHypervisor('hv2', 'unreachable')
      return reason.includes(after) ? { state, reason } : null
    },
    { withinMs: 40_000, what: 'the changed key is noticed' },
  )
  t.ok(seen.reason.includes(before) && seen.reason.includes(after))
  await t.rejects(berth.api.post('/hypervisors/hv2/trust', { fingerprint: before }), {
    code: 'host_key_changed',
  })
  await berth.api.post('/hypervisors/hv2/trust', { fingerprint: after })
  await berth.untilHypervisor('hv2', 'up')
  t.ok(existsSync(hv2.path('/usr/local/libexec/berth/berth-helper')))
})
