import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import { WebSocket } from 'ws'
import { ByteSocket, LARGEST_MESSAGE_BYTES } from '../broker/api/byte-socket.js'
import { apiPath, apiQuery, type BrokerTarget, refusalOf } from './broker-client.js'
import { showBrokerAddress } from './broker-address.js'
import { CliError, sentenceOf } from './cli-error.js'
import { openPinned } from './pinned-connection.js'

/** A refusal is a short JSON body. */
const LARGEST_REFUSAL = 65_536

/**
 * Carries one local connection to a port of a guest, until both have ended. Throws RefusalError
 * when the broker refuses, CliError unreachable or wrong-broker when it cannot be asked, or when
 * the connection is cut with a reason.
 */
export async function carryToBroker(
  target: BrokerTarget,
  machine: string,
  port: number,
  local: Socket,
): Promise<void> {
  local.on('error', () => {}).pause()
  const far = new ByteSocket(
    await openWebSocket(
      target,
      `/api/v1${apiPath`/machines/${machine}/port-forward`}${apiQuery({ port })}`,
    ),
  )
  far.pipe(local)
  local.pipe(far)
  await new Promise<void>((resolve, reject) => {
    local.once('close', () => {
      if (!local.readableEnded) far.destroy()
    })
    far
      .once('error', () => {})
      .once('close', () => {
        if (far.closeReason !== '')
          reject(
            new CliError(
              'refused',
              `The connection to port ${port} of ${machine} was cut: ${far.closeReason}.`,
            ),
          )
        if (!far.readableEnded) local.destroy()
        resolve()
      })
  })
}

/** With the token in a header, on a connection whose certificate was looked at first. */
async function openWebSocket(target: BrokerTarget, path: string): Promise<WebSocket> {
  const socket = await openPinned(target.address, target.trust)
  const webSocket = new WebSocket(`wss://${showBrokerAddress(target.address)}${path}`, {
    createConnection: () => socket,
    perMessageDeflate: false,
    maxPayload: LARGEST_MESSAGE_BYTES,
    ...(target.token === null ? {} : { headers: { authorization: `Bearer ${target.token}` } }),
  })
  return await new Promise((resolve, reject) => {
    webSocket.once('open', () => {
      resolve(webSocket)
    })
    webSocket.once('unexpected-response', (_request, response: IncomingMessage) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => {
        if (text.length < LARGEST_REFUSAL) text += chunk
      })
      response.once('end', () => {
        reject(refusalOf(response.statusCode ?? 0, text))
      })
    })
    webSocket.once('error', (cause) => {
      reject(
        new CliError(
          'unreachable',
          `The connection through the broker ${showBrokerAddress(target.address)} could not ` +
            `be made (${sentenceOf(cause)}).`,
          [],
          { cause },
        ),
      )
    })
  })
}
