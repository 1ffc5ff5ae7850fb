import { type Static, Type } from '@sinclair/typebox'
import { Instant, nullable, oneOf, strictObject } from './common.js'

export const HISTORY_SPANS = ['day', 'week'] as const
export type HistorySpan = (typeof HISTORY_SPANS)[number]
export const HistoryQuery = strictObject({
  span: Type.Optional(
    oneOf(HISTORY_SPANS, {
      description: 'day: points of 5 minutes; week: points of 30 minutes',
      default: 'day',
    }),
  ),
})

/** A figure for each point; null where nothing was sampled, or nothing was there to be measured. */
function figures(description: string) {
  return Type.Array(nullable(Type.Number()), { description })
}

/**
 * Columns instead of points, because that is a quarter of the bytes. All arrays are equally long;
 * the number I stands for the time from `from` + I × `stepSeconds`.
 */
export const History = strictObject({
  span: oneOf(HISTORY_SPANS),
  from: Instant,
  stepSeconds: Type.Integer({ description: 'Length of a point; the last one is not over yet' }),
  begins: nullable({
    ...Instant,
    description: 'The oldest sample that is kept; null: there is none yet',
  }),
  samples: Type.Array(Type.Integer(), {
    description:
      'Minutes of the point that were sampled. 0: none was, as the broker did not run or ' +
      'kept no history yet; nothing is known then, and every figure is null',
  }),
  sessionsMean: figures(
    'Desktops to which their people were connected at the end of a minute; the mean of the sampled minutes',
  ),
  sessionsMost: figures('The same; the most of any sampled minute'),
  assignedMost: figures(
    'Desktops that somebody had, connected or not; the most of any sampled minute',
  ),
  waitingMost: figures(
    'People and devices in queues of full pools; the most of any sampled minute',
  ),
  longestWaitSeconds: figures(
    'How long the first of those had waited; the longest of any sampled minute, 0 when nobody waited',
  ),
  given: figures(
    'Desktops that were given to somebody who asked for one, without those given by an ' +
      'administrator or in place of another one; the sum',
  ),
  waitedMedianSeconds: figures(
    'How long those had waited in the queue, 0 who got one at once; the median of all of ' +
      'them. null: nobody was given one',
  ),
  waitedMostSeconds: figures('The same; the longest'),
  starts: figures('Machines that Berth started; the sum'),
  startMedianSeconds: figures(
    "How long a start took, from its job's begin until libvirt said that the machine runs; " +
      'the median of all starts of a single machine. null: there was none',
  ),
})
export type History = Static<typeof History>
