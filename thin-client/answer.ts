import { type TSchema, TypeRegistry } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { SpiceConsole } from '../broker/api/machines.js'
import { AskAnswer, type Console, HorizonConsole, RdpConsole } from '../broker/api/thin-clients.js'

/** A JSON body that is not an answer the agent can act on; the message says what is wrong with it. */
export class BadAnswer extends Error {
  override readonly name = 'BadAnswer'
}

// The API's enumerations are JSON Schema enums, a kind that TypeBox's own checker must be told of.
TypeRegistry.Set<{ enum?: unknown[] }>(
  'Unsafe',
  (schema, value) => schema.enum === undefined || schema.enum.includes(value),
)

const MAX_ASK_AGAIN_MS = 600_000

/**
 * Checks what the broker sent. Fields that this version does not know are left out, so that a newer
 * broker can add some. Throws BadAnswer. Values reach configuration texts and command lines of
 * viewers, so what could change their meaning there is refused here.
 */
export function checkAnswer(body: unknown): AskAnswer {
  const answer = withKnownConsole(Value.Clean(AskAnswer, structuredClone(body)))
  if (!Value.Check(AskAnswer, answer)) throw faultOf(AskAnswer, answer, '')
  if (answer.state === 'ready' && answer.console === undefined)
    throw new BadAnswer('its answer is "ready" but names no console')
  if (answer.deviceKey !== undefined && !/^[0-9a-f]{64}$/i.test(answer.deviceKey))
    throw new BadAnswer('the device key in its answer is not 64 hex digits')
  if (answer.console !== undefined) checkConsole(answer.console)
  return { ...answer, askAgainMs: Math.min(Math.max(answer.askAgainMs, 0), MAX_ASK_AGAIN_MS) }
}

const CONSOLES: Record<string, TSchema> = {
  spice: SpiceConsole,
  rdp: RdpConsole,
  horizon: HorizonConsole,
}

/**
 * The console by its own schema: of the union of all, the checker can neither leave a field out nor
 * name the faulty one.
 */
function withKnownConsole(answer: unknown): unknown {
  if (
    typeof answer !== 'object' ||
    answer === null ||
    !('console' in answer) ||
    answer.console === undefined
  )
    return answer
  const { console } = answer
  const protocol =
    typeof console === 'object' && console !== null && 'protocol' in console
      ? String(console.protocol)
      : ''
  const schema = Object.hasOwn(CONSOLES, protocol) ? CONSOLES[protocol] : undefined
  if (schema === undefined)
    throw new BadAnswer(
      'its answer names a console that this version of the thin client cannot show',
    )
  const cleaned: unknown = Value.Clean(schema, console)
  if (!Value.Check(schema, cleaned)) throw faultOf(schema, cleaned, '/console')
  return { ...answer, console: cleaned }
}

function faultOf(schema: TSchema, value: unknown, place: string): BadAnswer {
  const first = Value.Errors(schema, value).First()
  const path = `${place}${first?.path ?? ''}`
  return new BadAnswer(
    `its answer is not understood (${path === '' ? 'body' : path}: ${first?.message ?? 'wrong form'})`,
  )
}

function hostOf(console: Console): string {
  if (console.protocol === 'rdp') return console.address
  return console.protocol === 'horizon' ? console.server : console.host
}

function checkConsole(console: Console): void {
  for (const [field, value] of Object.entries(console)) {
    // A line break in a value would begin a new key of the viewer's configuration; only PEM text
    // has some, and is escaped.
    if (typeof value === 'string' && field !== 'ca' && /\p{Cc}/u.test(value))
      throw new BadAnswer(`its answer has a control character in console/${field}`)
  }
  const host = hostOf(console)
  if (!/^\[?[A-Za-z0-9:][A-Za-z0-9.:_/\]-]*$/.test(host))
    throw new BadAnswer('its answer names a console host that is not an address')
  if (console.protocol === 'horizon' && console.desktopPool.startsWith('-'))
    throw new BadAnswer('its answer names a pool that begins with a dash')
  if (console.protocol === 'spice' && (console.tlsPort < 1 || console.tlsPort > 65535))
    throw new BadAnswer('its answer names a port that does not exist')
}
