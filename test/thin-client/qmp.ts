import { type Socket, createConnection } from 'node:net'
import { createInterface } from 'node:readline'
import { until } from '../support/until.js'

/** One connection to a QEMU monitor (QEMU Machine Protocol): a command gives its `return`, or throws what QEMU said. */
export interface Qmp {
  execute: (command: string, args?: Record<string, unknown>) => Promise<unknown>
  close: () => void
}

/** Waits until the socket is there and greets. */
export async function connectQmp(path: string): Promise<Qmp> {
  const socket = await until(() => tryConnect(path), {
    withinMs: 10_000,
    what: `QEMU listens on ${path}`,
  })
  const waiting = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void }
  >()
  let lastId = 0
  const lines = createInterface({ input: socket })
  // The socket's own handler tells who waits.
  lines.on('error', () => undefined)
  lines.on('line', (line) => {
    const message = JSON.parse(line) as { id?: number; return?: unknown; error?: { desc: string } }
    const call = message.id === undefined ? undefined : waiting.get(message.id)
    if (call === undefined || message.id === undefined) return
    waiting.delete(message.id)
    if (message.error === undefined) call.resolve(message.return)
    else call.reject(new Error(message.error.desc))
  })
  const fail = (error?: Error): void => {
    for (const { reject } of waiting.values()) reject(error ?? new Error('QEMU closed its monitor'))
    waiting.clear()
  }
  socket.on('error', fail).on('close', () => fail())
  const execute = (command: string, args: Record<string, unknown> = {}): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++lastId
      waiting.set(id, { resolve, reject })
      socket.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`)
    })
  await execute('qmp_capabilities')
  return { execute, close: () => socket.destroy() }
}

function tryConnect(path: string): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.once('connect', () => resolve(socket)).once('error', () => resolve(undefined))
  })
}
