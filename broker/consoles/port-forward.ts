import type { WebSocket } from 'ws'
import { ByteSocket } from '../api/byte-socket.js'
import { recordEvent } from '../audit/store.js'
import { actorName } from './policy.js'
import { connectToGuest } from './guest-ports.js'
import { keepAlive } from './upgrades.js'
import type { Asker, ConsoleMachine } from './asker.js'
import type { Consoles } from './service.js'
import { carry, type Cut } from './tunnels.js'

/**
 * Carries one connection to a port of the guest. The guest is reached before `accept` is called, so
 * that a refusal is an ordinary answer. Counted and cut like every other connection through the
 * broker.
 */
export async function forwardPort(
  consoles: Consoles,
  machine: ConsoleMachine,
  asker: Asker,
  port: number,
  accept: () => Promise<WebSocket | null>,
): Promise<void> {
  const { store, hypervisors } = consoles.deps
  let gone = false
  let cut: (cut: Cut) => void = () => {
    gone = true
  }
  const out = consoles.tunnels.admit(
    {
      machineId: machine.id,
      holder: { kind: asker.kind, name: asker.name },
      address: asker.address,
      kind: 'forward',
      ...(asker.login === undefined ? {} : { login: asker.login }),
    },
    (why) => {
      cut(why)
    },
  )
  try {
    const { stream, address } = await connectToGuest(hypervisors, machine, port)
    stream.on('error', () => {})
    cut = () => {
      stream.destroy()
    }
    if (gone) stream.destroy()
    await recordEvent(
      store,
      { actor: actorName(asker), address: asker.address },
      'machine.port-forward',
      `machine:${machine.name}`,
      { port, guest: address },
    )
    const webSocket = stream.destroyed ? null : await accept()
    if (!webSocket) {
      stream.destroy()
      out()
      return
    }
    const near = new ByteSocket(webSocket)
    const stopPinging = keepAlive(webSocket)
    cut = ({ reason }) => {
      near.cut(reason)
      stream.destroy()
    }
    carry(near, stream, () => {
      stopPinging()
      out()
    })
  } catch (error) {
    out()
    throw error
  }
}
