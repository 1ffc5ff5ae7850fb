import { type Command, Option } from 'commander'
import { HISTORY_SPANS, History, type HistorySpan } from '../../broker/api/history.js'
import { apiQuery } from '../broker-client.js'
import type { Invocation } from '../invocation.js'
import { type Column, tableOf } from '../output.js'

interface Point {
  readonly at: string
  readonly index: number
}

export function defineHistoryCommand(program: Command, invocation: Invocation): void {
  program
    .command('history')
    .summary('sessions, waits and starts of a day or a week')
    .description(
      'What the site was like: how many desktops people were connected to and had, who ' +
        'waited for one and how long, how many machines were started and how long that took. ' +
        'One line for each 5 minutes of a day, or half hour of a week, in UTC; times in which ' +
        'the broker did not run have no line. -o json has every point, with null where nothing ' +
        'is known.\nHorizon: trending reports. Proxmox VE: summary graphs.',
    )
    .addOption(new Option('--span <SPAN>', 'day or week').choices(HISTORY_SPANS).default('day'))
    .action(async ({ span }: { span: HistorySpan }) => {
      const history = await invocation.client.get(`/history${apiQuery({ span })}`, History)
      invocation.output.show(history, () => tableOrSentence(history))
    })
}

function tableOrSentence(history: History): string {
  const points = pointsOf(history)
  return points.length === 0
    ? `Nothing was sampled in the last ${history.span}; the broker takes a sample after each full minute.`
    : tableOf(columnsOf(history), points)
}

/** Those of which something is known, the oldest first. */
function pointsOf({ from, stepSeconds, samples }: History): Point[] {
  return samples.flatMap((count, index) =>
    count === 0
      ? []
      : [
          {
            index,
            at: `${new Date(Date.parse(from) + index * stepSeconds * 1_000).toISOString().slice(0, 16)}Z`,
          },
        ],
  )
}

function columnsOf(history: History): Array<Column<Point>> {
  const figure =
    (column: ReadonlyArray<number | null>) =>
    ({ index }: Point) =>
      column[index] ?? null
  return [
    ['FROM', ({ at }) => at],
    ['CONNECTED (MEAN)', figure(history.sessionsMean)],
    ['CONNECTED (MOST)', figure(history.sessionsMost)],
    ['ASSIGNED', figure(history.assignedMost)],
    ['WAITING', figure(history.waitingMost)],
    ['LONGEST WAIT (S)', figure(history.longestWaitSeconds)],
    ['GIVEN', figure(history.given)],
    ['WAITED (MEDIAN S)', figure(history.waitedMedianSeconds)],
    ['WAITED (MOST S)', figure(history.waitedMostSeconds)],
    ['STARTS', figure(history.starts)],
    ['START (MEDIAN S)', figure(history.startMedianSeconds)],
  ]
}
