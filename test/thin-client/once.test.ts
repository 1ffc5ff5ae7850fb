import { join } from 'node:path'
import t from 'tap'
import { brokerClient } from '../../thin-client/broker-client.js'
import { waiting } from './answers.js'
import { startBroker } from './broker-stand-in.js'

t.test(
  'a login is sent once, on a connection of its own; a question whose connection was closed is sent again',
  async (t) => {
    const broker = await startBroker(join(t.testdir(), 'authority'))
    t.teardown(() => broker.close())
    const client = brokerClient(
      { host: 'localhost', port: broker.port },
      { trusted: () => [broker.fingerprint], trust: () => undefined },
    )
    t.teardown(() => {
      client.close()
    })
    const question = { macs: ['52:54:00:00:00:01'], hostname: '', version: '1' }
    const nothing = (): undefined => undefined
    broker.react(waiting({}))
    await client.ask(question, {})
    t.equal(broker.connections(), 1)
    broker.react((response) => response.socket?.destroy(), waiting({}))
    await client.ask(question, {})
    t.equal(broker.questions.length, 3, 'asked again')
    const before = broker.connections()
    await client.send('login', { name: 'ann', password: 'x' }, {}, nothing)
    t.equal(broker.connections(), before + 1)
    await client.send('login', { name: 'ann', password: 'x' }, {}, nothing)
    t.equal(broker.connections(), before + 2, 'none is kept')
    t.equal(broker.wishes.filter(({ path }) => path === 'login').length, 2)
  },
)
