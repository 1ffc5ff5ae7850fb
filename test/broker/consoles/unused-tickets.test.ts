import t from 'tap'
import { ProxyTokens } from '../../../broker/consoles/proxy-tokens.js'
import { ScreenTickets } from '../../../broker/consoles/screen-tickets.js'

const ann = { kind: 'person', name: 'ann' } as const
const ben = { kind: 'person', name: 'ben' } as const
const MOST = 50

t.test('a login keeps its newest tickets that nobody has used; others keep theirs', async (t) => {
  const tickets = new ScreenTickets(() => 0)
  const pass = { machineId: 'm', holder: ann, watching: false, clipboard: false }
  const other = tickets.issue({ ...pass, holder: ben, login: 'of ben' })
  const own = Array.from({ length: 3 * MOST }, () => tickets.issue({ ...pass, login: 'of ann' }))
  t.equal(tickets.size, MOST + 1)
  const by = { machineId: 'm', holder: ann, login: 'of ann' }
  t.equal(tickets.enter(own[2 * MOST - 1] ?? '', by), null)
  for (const ticket of own.slice(2 * MOST)) t.ok(tickets.enter(ticket, by))
  t.ok(tickets.enter(other, { machineId: 'm', holder: ben, login: 'of ben' }))
})

t.test('a viewer that is open loses nothing when its holder asks for more', async (t) => {
  const tokens = new ProxyTokens(() => 0)
  const pass = {
    machineId: 'm',
    hypervisor: 'hv1',
    displayHost: '127.0.0.1',
    port: 5900,
    address: '192.0.2.1',
    holder: ann,
  }
  const open = tokens.issue(pass)
  t.ok(tokens.enter(open, 5900, '192.0.2.1'))
  const own = Array.from({ length: 3 * MOST }, () => tokens.issue(pass))
  t.equal(tokens.size, MOST + 1)
  t.ok(tokens.enter(open, 5900, '192.0.2.1'), 'its next channel')
  t.equal(tokens.enter(own[0] ?? '', 5900, '192.0.2.1'), null)
  t.ok(tokens.enter(own.at(-1) ?? '', 5900, '192.0.2.1'))
})
