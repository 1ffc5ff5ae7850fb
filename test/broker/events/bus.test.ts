import { pino } from 'pino'
import t from 'tap'
import { backgroundFailures } from '../../../broker/background.js'
import { Events } from '../../../broker/events/bus.js'

interface Stage {
  readonly events: Events
  /** What was logged, line by line. */
  readonly logged: Array<Record<string, unknown>>
}

function stage(): Stage {
  const logged: Array<Record<string, unknown>> = []
  const write = (line: string): void => {
    logged.push(JSON.parse(line) as Record<string, unknown>)
  }
  return { events: new Events(pino({ level: 'info' }, { write })), logged }
}

t.test('all who listen hear it, in their order, until they end it', async (t) => {
  const { events, logged } = stage()
  const heard: string[] = []
  const end = events.subscribe('powerChanged', (id, power, before) => {
    heard.push(`first: ${id} ${before} ${power}`)
  })
  events.subscribe('powerChanged', (id) => {
    heard.push(`second: ${id}`)
  })
  events.publish('powerChanged', 'm1', 'running', 'off')
  events.publish('poolFreed', 'p1')
  t.same(heard, ['first: m1 off running', 'second: m1'])
  end()
  end()
  events.publish('powerChanged', 'm2', 'off', 'running')
  t.same(heard.slice(2), ['second: m2'])
  t.same(logged, [])
})

t.test('the same function may listen twice, and each end is its own', async (t) => {
  const { events } = stage()
  let heard = 0
  const listener = (): void => {
    heard += 1
  }
  const end = events.subscribe('clientsXmlLoaded', listener)
  events.subscribe('clientsXmlLoaded', listener)
  events.publish('clientsXmlLoaded')
  t.equal(heard, 2)
  end()
  events.publish('clientsXmlLoaded')
  t.equal(heard, 3)
})

t.test('one listener of several events', async (t) => {
  const { events } = stage()
  const heard: string[] = []
  const end = events.subscribeAll(['assignmentChanged', 'powerChanged'], (id) => {
    heard.push(id)
  })
  events.publish('assignmentChanged', 'm1')
  events.publish('powerChanged', 'm2', 'off', 'running')
  end()
  events.publish('assignmentChanged', 'm3')
  events.publish('powerChanged', 'm4', 'off', 'running')
  t.same(heard, ['m1', 'm2'])
})

t.test('a subscriber to one event is not woken for others', async (t) => {
  const { events } = stage()
  const heard: string[] = []
  const end = events.subscribeAbout('assignmentChanged', 'm1', (id) => {
    heard.push(id)
  })
  events.publish('assignmentChanged', 'm2')
  events.publish('assignmentEnded', 'm1')
  t.same(heard, [])
  events.publish('assignmentChanged', 'm1')
  t.same(heard, ['m1'])
  end()
  events.publish('assignmentChanged', 'm1')
  t.same(heard, ['m1'])
})

t.test('a listener that throws is logged and counted, and harms nobody', async (t) => {
  const { events, logged } = stage()
  const before = backgroundFailures().get('events')?.count ?? 0
  let heard = 0
  events.subscribe('poolChanged', () => {
    throw new Error('broken')
  })
  events.subscribe('poolChanged', () => {
    heard += 1
  })
  events.publish('poolChanged', 'p1')
  t.equal(heard, 1)
  t.match(logged, [{ event: 'poolChanged', err: { message: 'broken' } }])
  t.equal(backgroundFailures().get('events')?.count, before + 1)
})

t.test('who begins while it is told hears the next one; who ends hears nothing', async (t) => {
  const { events } = stage()
  const heard: string[] = []
  events.subscribe('poolFreed', () => {
    endOther()
    events.subscribe('poolFreed', () => {
      heard.push('new')
    })
  })
  const endOther = events.subscribe('poolFreed', () => {
    heard.push('ended')
  })
  events.publish('poolFreed', 'p1')
  t.same(heard, [])
  events.publish('poolFreed', 'p1')
  t.same(heard, ['new'])
})

t.test('events that answer one another in a circle come to an end', async (t) => {
  const { events, logged } = stage()
  let heard = 0
  events.subscribe('poolChanged', (id) => {
    heard += 1
    events.publish('poolFreed', id)
  })
  events.subscribe('poolFreed', (id) => {
    heard += 1
    events.publish('poolChanged', id)
  })
  events.publish('poolChanged', 'p1')
  t.ok(heard < 20, `${heard} were told`)
  t.match(logged, [{ msg: /in a circle/ }])
  events.publish('poolChanged', 'p1')
  t.equal(logged.length, 2, 'and the next one is told again')
})
