import t from 'tap'
import { FINGERPRINT, SimulatedBroker } from '../../support/simulated-broker.js'

t.test(
  'a machine and a hypervisor share no name, since jobs use both for their targets',
  async (t) => {
    const broker = await SimulatedBroker.start({ hosts: 3 })
    t.teardown(async () => {
      await broker.remove()
    })
    const { admin } = broker
    const add = async (name: string, number: number): Promise<unknown> =>
      await admin.post('/hypervisors', {
        name,
        address: `10.0.0.${number}`,
        fingerprint: FINGERPRINT,
        virtType: 'qemu',
      })
    const create = async (wish: object): Promise<{ job: string }> =>
      await admin.post('/machines', { type: 'simple', hypervisors: ['hv1'], ...wish })
    await add('hv1', 1)
    await add('hv2', 2)
    for (const name of ['hv1', 'HV2']) {
      await t.rejects(create({ name }), {
        status: 409,
        code: 'name_taken',
        message:
          `There is a hypervisor ${name.toLowerCase()} already, and jobs name both: choose ` +
          'another name for the machine.',
      })
    }
    await t.rejects(create({ name: 'hv{n}', count: 3, first: 2 }), {
      code: 'name_taken',
      message: /hypervisor hv2/,
    })
    t.same(await broker.rows('SELECT name FROM machine'), [], 'of many, none is made')
    await admin.succeeded((await create({ name: 'hv3' })).job)
    for (const name of ['hv3', 'Hv3'])
      await t.rejects(add(name, 3), {
        status: 409,
        code: 'name_taken',
        message:
          'There is a machine hv3 already, and jobs name both: choose another name for the hypervisor.',
      })
    await admin.succeeded((await admin.delete<{ job: string }>('/machines/hv3')).job)
    await add('hv3', 3)
  },
)
