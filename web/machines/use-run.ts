import { useEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Job, JobList } from '../../broker/api/jobs.js'
import { api, ApiError, path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { sentenceOf } from '../frame/error-state.js'
import { hasEnded } from '../parts/use-job.js'
import { doTo, type MachineAct } from './machine-acts.js'

/** waiting: not asked for yet; running: a job works on it. */
export type LineState = 'waiting' | 'running' | 'done' | 'failed'
export interface Line {
  readonly name: string
  readonly state: LineState
  readonly message: string
  readonly job: string | null
}
export interface Run {
  readonly act: MachineAct
  readonly lines: readonly Line[]
}

type Note = (name: string, change: Partial<Line>) => void

/** So many are asked for at one time; the broker's answer comes before the work. */
const AT_ONCE = 6
/** As many as the broker lists; jobs that newer ones have pushed out are asked for one by one. */
const LISTED = 500

/**
 * Does one thing to many machines and says of each what came of it: the broker's refusal, or the
 * end of its job. `place`: where this window keeps it, so that a reload loses nothing and goes on
 * with what was not asked for yet; null: it is gone with the page.
 */
export function useRun(place: string | null = null): {
  readonly run: Run | null
  readonly begin: (act: MachineAct, names: readonly string[]) => void
  readonly forget: () => void
} {
  const [run, setRun] = useKept(place)
  const note: Note = (name, change) => {
    setRun(
      (before) =>
        before && {
          ...before,
          lines: before.lines.map((line) => (line.name === name ? { ...line, ...change } : line)),
        },
    )
  }
  const { ask, stop } = useAsking(note)
  useEffect(() => {
    if (run)
      ask(
        run.act,
        run.lines.filter(({ state }) => state === 'waiting').map(({ name }) => name),
      )
    return stop
  }, [])
  useEnds(run, note)
  const begin = (act: MachineAct, names: readonly string[]): void => {
    setRun(() => ({
      act,
      lines: names.map((name) => ({ name, state: 'waiting', message: '', job: null })),
    }))
    ask(act, names)
  }
  const forget = (): void => {
    stop()
    setRun(() => null)
  }
  return { run, begin, forget }
}

/** Asks the broker, for a few machines at a time; another asking, or `stop`, ends the one before. */
function useAsking(note: Note): {
  readonly ask: (act: MachineAct, names: readonly string[]) => void
  readonly stop: () => void
} {
  const { t } = useTranslation()
  const asking = useRef(0)
  const askFor = async (name: string, act: MachineAct): Promise<void> => {
    try {
      const job = await doTo(name, act)
      note(name, job === null ? { state: 'done' } : { state: 'running', job })
    } catch (error) {
      note(name, {
        state: 'failed',
        message: error instanceof ApiError ? sentenceOf(t, error) : String(error),
      })
    }
  }
  const ask = (act: MachineAct, names: readonly string[]): void => {
    const mine = ++asking.current
    const queue = [...names]
    const askInTurn = async (): Promise<void> => {
      for (
        let name = queue.shift();
        name !== undefined && asking.current === mine;
        name = queue.shift()
      )
        await askFor(name, act)
    }
    for (let asker = 0; asker < AT_ONCE; asker++) void askInTurn()
  }
  const stop = (): void => {
    asking.current++
  }
  return { ask, stop }
}

function useKept(
  place: string | null,
): [Run | null, (change: (before: Run | null) => Run | null) => void] {
  const [run, setRun] = useState<Run | null>(() =>
    place === null ? null : (JSON.parse(sessionStorage.getItem(place) ?? 'null') as Run | null),
  )
  useEffect(() => {
    if (place === null) return
    if (run === null) sessionStorage.removeItem(place)
    else sessionStorage.setItem(place, JSON.stringify(run))
  }, [place, run])
  return [run, setRun]
}

/** Notes how the jobs of a run end. */
function useEnds(run: Run | null, note: Note): void {
  const open = run?.lines.filter(({ state, job }) => state === 'running' && job !== null) ?? []
  const listed = useGet<JobList>(`/jobs?limit=${LISTED}`, ['jobs'], { enabled: open.length > 0 })
  const jobs = listed.data?.jobs
  const looked = useRef(jobs)
  useEffect(() => {
    if (!jobs) return
    const isNew = looked.current !== jobs
    looked.current = jobs
    for (const line of open) {
      const job = jobs.find(({ id }) => id === line.job)
      if (job) noteEnd(line, job, note)
      else if (isNew && jobs.length >= LISTED)
        api<Job>('GET', path`/jobs/${line.job ?? ''}`, { background: true }).then(
          (found) => {
            noteEnd(line, found, note)
          },
          () => {},
        ) // it is asked for again at the next change
    }
  }, [jobs, open.length])
}

function noteEnd(line: Line, job: Job, note: Note): void {
  if (!hasEnded(job)) return
  // A machine may bring others along, as a deleted initial does: what went wrong with any of them is to be seen.
  const message = [
    job.message,
    ...job.targets.map((target) =>
      target.message === ''
        ? ''
        : target.name === line.name
          ? target.message
          : `${target.name}: ${target.message}`,
    ),
  ]
    .filter((text) => text !== '')
    .join(' ')
  note(line.name, { state: job.state === 'succeeded' ? 'done' : 'failed', message })
}
