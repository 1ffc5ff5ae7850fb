import t from 'tap'
import type { Job } from '../../../broker/api/jobs.js'
import { until } from '../../support/until.js'
import { office } from '../pools/office.js'

t.test('a job whose end could not be written is ended later, and holds no lock', async (t) => {
  const broker = await office({ hosts: 1 })
  t.teardown(async () => {
    await broker.remove()
  })
  await broker.run(
    "CREATE TRIGGER full BEFORE UPDATE OF state ON job WHEN NEW.state = 'succeeded' BEGIN " +
      "SELECT RAISE(ABORT, 'the disk is full'); END",
  )
  const { job } = await broker.admin.post<{ job: string }>('/machines/golden-desktop/power', {
    action: 'start',
  })
  await until(() => broker.host().domains.get('golden-desktop')?.running === true, {
    withinMs: 5_000,
    what: 'it was started',
  })
  t.match(await broker.admin.get<Job>(`/jobs/${job}`), { state: 'running' })
  await broker.run('DROP TRIGGER full')
  t.match(await broker.admin.ended(job), { state: 'succeeded' })
  t.same(await broker.rows('SELECT * FROM job_lock'), [])
})
