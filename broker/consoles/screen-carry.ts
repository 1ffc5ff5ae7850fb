import type { Duplex } from 'node:stream'
import type { RawData, WebSocket } from 'ws'
import { bytesOf, closeReason } from '../api/byte-socket.js'
import { SCREEN_CLOSES, SCREEN_TICKET_WITHIN_MS, type ScreenClose } from '../api/consoles.js'
import type { RfbFilter } from './rfb-filter.js'

/** What waits for a viewer before the display is held; small, so that a slow viewer sees what is, not what was. */
const MOST_WAITING_BYTES = 262_144
const LONGEST_TICKET_MESSAGE = 200

/** Who ended it; `sentence`: what was wrong with the viewer's bytes. */
export type ScreenEnd =
  | { readonly by: 'viewer' }
  | { readonly by: 'display' }
  | { readonly by: 'fault'; readonly sentence: string }

/** The first message of a browser: its ticket. Null when none comes in time, or something else. */
export async function ticketFrom(webSocket: WebSocket): Promise<string | null> {
  const message = await new Promise<string | null>((resolve) => {
    const timer = setTimeout(() => {
      resolve(null)
    }, SCREEN_TICKET_WITHIN_MS)
    webSocket.once('close', () => {
      resolve(null)
    })
    webSocket.once('message', (data, isBinary) => {
      webSocket.pause() // what comes next is the display's
      clearTimeout(timer)
      resolve(isBinary ? null : bytesOf(data).subarray(0, LONGEST_TICKET_MESSAGE).toString())
    })
  })
  const found = /^\s*\{\s*"ticket"\s*:\s*"([A-Za-z0-9_-]{1,100})"\s*\}\s*$/.exec(message ?? '')
  return found?.[1] ?? null
}

/**
 * Carries a display and its viewer's wishes until one side ends or the viewer sends what is no RFB.
 * Back-pressure goes both ways.
 */
export async function carryScreen(
  webSocket: WebSocket,
  display: Duplex,
  filter: RfbFilter,
): Promise<ScreenEnd> {
  return await new Promise((resolve) => {
    display.on('error', () => {})
    display.once('end', () => {
      resolve({ by: 'display' })
    })
    display.once('close', () => {
      resolve({ by: 'display' })
    })
    webSocket.once('close', () => {
      resolve({ by: 'viewer' })
    })
    display.on('data', (chunk: Buffer) => {
      webSocket.send(chunk, { binary: true }, () => {
        if (webSocket.bufferedAmount <= MOST_WAITING_BYTES) display.resume()
      })
      if (webSocket.bufferedAmount > MOST_WAITING_BYTES) display.pause()
    })
    webSocket.on('message', (data: RawData, isBinary: boolean) => {
      const { out, fault } = isBinary
        ? filter.push(bytesOf(data))
        : { out: Buffer.alloc(0), fault: 'The viewer sent a text among the bytes.' }
      if (out.length > 0 && !display.write(out)) {
        webSocket.pause()
        display.once('drain', () => {
          webSocket.resume()
        })
      }
      if (fault !== null) resolve({ by: 'fault', sentence: fault })
    })
    webSocket.resume()
  })
}

export function closeScreen(webSocket: WebSocket, why: ScreenClose, sentence: string): void {
  webSocket.resume() // a paused one would not hear the answer to its close
  if (webSocket.readyState === webSocket.OPEN)
    webSocket.close(SCREEN_CLOSES[why].code, closeReason(sentence))
}
