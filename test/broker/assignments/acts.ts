import fc from 'fast-check'
import type { NamedAct } from './named-machine.js'

export const PEOPLE = ['ann', 'bob', 'cem', 'dag', 'eve'] as const

/**
 * queue: claims, and waits when all are taken; assign: an administrator does it, of his choice or
 * this member; forbid: the grant is taken away.
 */
export type Act =
  | {
      readonly do:
        | 'claim'
        | 'queue'
        | 'give up'
        | 'connect'
        | 'disconnect'
        | 'release'
        | 'extend'
        | 'forbid'
        | 'permit'
      readonly user: string
    }
  | {
      readonly do: 'assign'
      readonly user: string
      readonly fixed: boolean
      readonly member: number | null
    }
  | NamedAct
  | { readonly do: 'wait' | 'clock step'; readonly minutes: number }
  | { readonly do: 'cut' | 'reconnect' | 'start fails' | 'starts work'; readonly host: string }
  | { readonly do: 'resize'; readonly size: number }
  | { readonly do: 'restart'; readonly awayMinutes: number }

const user = fc.constantFrom(...PEOPLE)
const host = fc.constantFrom('hv1', 'hv2')
/** What happens next in a random walk. */
export const ACT: fc.Arbitrary<Act> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('claim' as const), user }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('queue' as const), user }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'give up' as const,
        'forbid' as const,
        'permit' as const,
        'dedicate' as const,
        'sit down' as const,
      ),
      user,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('assign' as const),
      user,
      fixed: fc.boolean(),
      member: fc.option(fc.integer({ min: 1, max: 4 })),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('release the named one' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('clock step' as const),
      minutes: fc.constantFrom(-180, -7, 7, 180),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom(
        'connect' as const,
        'disconnect' as const,
        'release' as const,
        'extend' as const,
      ),
      user,
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      minutes: fc.constantFrom(1, 5, 9, 20),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('cut' as const, 'reconnect' as const), host }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('resize' as const),
      size: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('restart' as const),
      awayMinutes: fc.constantFrom(0, 3, 240),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('start fails' as const, 'starts work' as const),
      host,
    }),
  },
)
