import type { Command } from 'commander'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { CliError, RefusalError, sentenceOf } from '../cli-error.js'
import type { Invocation } from '../invocation.js'
import { carryToBroker } from '../forwarded-connection.js'

const HIGHEST_PORT = 65_535

export function definePortForwardCommand(program: Command, invocation: Invocation): void {
  program
    .command('port-forward')
    .argument('<MACHINE>')
    .argument(
      '<[LOCAL:]PORT>',
      'a port of the guest, and the port here; without LOCAL the same one, with 0 a free one',
    )
    .summary('reach a port of a guest')
    .description(
      'Listens on 127.0.0.1 and carries each connection through the broker and the ' +
        "hypervisor to the guest, also one behind the hypervisor's NAT. Ends with Ctrl-C, when " +
        'the machine stops, or when the permission ends.\nkubectl: port-forward.',
    )
    .action(async (name: string, ports: string) => {
      await forward(invocation, name, parsePorts(ports))
    })
}

/**
 * The guest starts and has no address yet, nobody listens in it yet, or the broker is away: worth a
 * line. Any other refusal, or a cut with a reason, will not become better.
 */
function mayPass(error: unknown): boolean {
  if (error instanceof RefusalError)
    return [
      'address_unknown',
      'connection_refused',
      'too_many_connections',
      'hypervisor_unreachable',
      'timeout',
    ].includes(error.code)
  return !(error instanceof CliError) || error.exit === 'unreachable'
}

/** `[LOCAL:]PORT`. Throws CliError usage. */
export function parsePorts(text: string): { readonly local: number; readonly remote: number } {
  const match = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(text)
  const remote = Number(match?.[2])
  const local = Number(match?.[1] ?? match?.[2])
  if (match === null || remote < 1 || remote > HIGHEST_PORT || local > HIGHEST_PORT)
    throw new CliError(
      'usage',
      `"${text}" is not a port; give PORT or LOCAL:PORT, such as 13389:3389.`,
    )
  return { local, remote }
}

async function forward(
  invocation: Invocation,
  name: string,
  { local, remote }: { local: number; remote: number },
): Promise<void> {
  const { target } = invocation.client
  const server = createServer({ allowHalfOpen: true })
  const open = new Set<Socket>()
  let failed: (error: unknown) => void = () => {}
  const failure = new Promise<never>((_resolve, reject) => {
    failed = reject
  })
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => {
      open.delete(socket)
    })
    carryToBroker(target, name, remote, socket).catch((error: unknown) => {
      socket.destroy()
      if (mayPass(error)) invocation.say(sentenceOf(error))
      else failed(error)
    })
  })
  server.listen(local, '127.0.0.1')
  await once(server, 'listening').catch((cause: unknown) => {
    throw new CliError(
      'refused',
      `Port ${local} of this computer cannot be used (${sentenceOf(cause)}); give another one: LOCAL:${remote}.`,
      [],
      { cause },
    )
  })
  const { port } = server.address() as AddressInfo
  invocation.say(`127.0.0.1:${port} is port ${remote} of ${name}. Ctrl-C ends it.`)
  const interrupted = once(process, 'SIGINT')
  try {
    await Promise.race([failure, interrupted])
    invocation.end('interrupted')
  } finally {
    server.close()
    for (const socket of open) socket.destroy()
  }
}
