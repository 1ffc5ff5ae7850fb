import { type Command, InvalidArgumentError, Option } from 'commander'
import {
  CLEANINGS,
  PROTOCOLS,
  SHUTDOWN_ANSWERS,
  type PoolPolicy,
  type PoolPolicyPatch,
  type Schedule,
} from '../../broker/api/pool-policy.js'
import { parseInteger } from '../quantities.js'

const ON_OFF = ['on', 'off'] as const

/** One option for each field of the policy; `null` instead of a parser: the broker reads the text. */
const OPTIONS: { readonly [Field in keyof PoolPolicy]: () => Option } = {
  min: () =>
    new Option('--min <N>', 'members that are always there').argParser(parseInteger(0, 10_000)),
  max: () =>
    new Option(
      '--max <N>',
      'members up to which it grows when all are taken; 0: it does not grow by itself',
    ).argParser(parseInteger(0, 10_000)),
  coolDown: () =>
    new Option(
      '--cool-down <DURATION>',
      'how long a desktop above the minimum is not needed before it is deleted (PT30M)',
    ),
  spares: () =>
    new Option('--spares <N>', 'free desktops kept running').argParser(parseInteger(0, 1000)),
  retention: () =>
    new Option(
      '--retention <DURATION>',
      "how long a desktop stays its holder's after they left: PT4H, or the instant until which",
    ),
  onRelease: () =>
    new Option(
      '--on-release <CLEANING>',
      'what happens when it is given back: keep it as it is for its last holder, stop it, or rebuild its disk',
    ).choices(CLEANINGS),
  onExpiry: () =>
    new Option('--on-expiry <CLEANING>', 'the same when its time is over').choices(CLEANINGS),
  disconnectGrace: () =>
    new Option(
      '--disconnect-grace <DURATION>',
      'a viewer that is back within this time was never gone (PT1M)',
    ),
  maxSession: () =>
    new Option(
      '--max-session <DURATION>',
      'how long somebody may stay connected in all; none: no limit',
    ),
  maxPerUser: () =>
    new Option('--max-per-user <N>', 'desktops that one person may hold over all pools').argParser(
      parseInteger(1, 100),
    ),
  protocols: () =>
    new Option('--protocols <LIST>', `in this order, such as ${PROTOCOLS.join(',')}`).argParser(
      (text) => text.split(','),
    ),
  clipboard: () =>
    new Option('--clipboard <STATE>', 'on or off').choices(ON_OFF).argParser(parseSwitch),
  fileTransfer: () =>
    new Option('--file-transfer <STATE>', 'on or off').choices(ON_OFF).argParser(parseSwitch),
  usb: () =>
    new Option('--usb <STATE>', 'USB devices of the thin client in the guest: on or off')
      .choices(ON_OFF)
      .argParser(parseSwitch),
  loginOnAssignment: () =>
    new Option('--login-on-assignment <STATE>', 'the guest agent logs the holder in: on or off')
      .choices(ON_OFF)
      .argParser(parseSwitch),
  onShutdown: () =>
    new Option('--on-shutdown <ANSWER>', 'when its holder shuts it down from inside').choices(
      SHUTDOWN_ANSWERS,
    ),
  timeZone: () => new Option('--time-zone <ZONE>', 'of the schedule, such as Europe/Vilnius'),
  schedule: () =>
    new Option(
      '--schedule <ENTRY>',
      '"0 7 * * 1-5 = spares 5", "0 20 * * * = stop", "… = stop warn" or "… = start"; may be ' +
        'repeated; none: no schedule',
    ).argParser(parseSchedule),
}

/** The options that `create` and `set` share: every field of the policy. */
export function withPolicy(command: Command): Command {
  for (const option of Object.values(OPTIONS)) command.addOption(option())
  return command
}

/** What was given, as the API takes it; undefined when nothing was. */
export function policyBody(options: PoolPolicyPatch): PoolPolicyPatch | undefined {
  const given: PoolPolicyPatch = Object.fromEntries(
    Object.keys(OPTIONS)
      .filter((field) => field in options)
      .map((field) => [field, options[field as keyof PoolPolicyPatch]]),
  )
  if (given.maxSession === 'none') given.maxSession = null // commander makes an empty text of a parsed null
  return Object.keys(given).length === 0 ? undefined : given
}

function parseSwitch(text: string): boolean {
  if (text !== 'on' && text !== 'off')
    throw new InvalidArgumentError('Allowed choices are on, off.')
  return text === 'on'
}

function parseSchedule(text: string, before: Schedule[] | undefined): Schedule[] {
  if (text === 'none') return []
  const match = /^([^=]+)=\s*(?:(spares)\s+(\d+)|(start)|(stop)(?:\s+(warn|spare))?)\s*$/.exec(text)
  if (match === null)
    throw new InvalidArgumentError(
      'Give the time and what to do, such as "0 7 * * 1-5 = spares 5".',
    )
  const [, cron = '', spares, count, start, , connected] = match
  const entry: Schedule = {
    cron: cron.trim(),
    do: spares !== undefined ? 'spares' : start !== undefined ? 'start' : 'stop',
    ...(count === undefined ? {} : { spares: Number(count) }),
    ...(connected === 'warn' || connected === 'spare' ? { connected } : {}),
  }
  return [...(before ?? []), entry]
}
