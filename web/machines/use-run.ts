import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Job, JobList } from '../../broker/api/jobs.js'
import { ApiError } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { sentenceOf } from '../frame/error-state.js'
import { hasEnded } from '../parts/use-job.js'
import { doTo, type MachineAct } from './machine-acts.js'

/** waiting: not asked for yet; running: a job works on it. */
export type LineState = 'waiting' | 'running' | 'done' | 'failed'
export interface Line { readonly name: string, readonly state: LineState, readonly message: string, readonly job: string | null }
export interface Run { readonly act: MachineAct, readonly lines: readonly Line[] }

/** So many are asked for at one time; the broker's answer comes before the work. */
const AT_ONCE = 6

/** Does one thing to many machines and says of each what came of it: the broker's refusal, or the end of its job. */
export function useRun (): { readonly run: Run | null, readonly begin: (act: MachineAct, names: readonly string[]) => void, readonly forget: () => void } {
  const { t } = useTranslation()
  const [run, setRun] = useState<Run | null>(null)
  const open = run?.lines.some(({ state, job }) => state === 'running' && job !== null) === true
  const jobs = useGet<JobList>('/jobs?limit=500', ['jobs'], { enabled: open })
  const note = (name: string, change: Partial<Line>): void => {
    setRun((before) => before && { ...before, lines: before.lines.map((line) => line.name === name ? { ...line, ...change } : line) })
  }
  const begin = (act: MachineAct, names: readonly string[]): void => {
    setRun({ act, lines: names.map((name) => ({ name, state: 'waiting', message: '', job: null })) })
    const queue = [...names]
    const work = async (): Promise<void> => {
      for (let name = queue.shift(); name !== undefined; name = queue.shift()) {
        try {
          const job = await doTo(name, act)
          note(name, job === null ? { state: 'done' } : { state: 'running', job })
        } catch (error) {
          note(name, { state: 'failed', message: error instanceof ApiError ? sentenceOf(t, error) : String(error) })
        }
      }
    }
    for (let worker = 0; worker < AT_ONCE; worker++) void work()
  }
  return { run: run && { ...run, lines: run.lines.map((line) => withJob(line, jobs.data?.jobs ?? [])) }, begin, forget: () => { setRun(null) } }
}

function withJob (line: Line, jobs: readonly Job[]): Line {
  const job = line.job === null ? undefined : jobs.find(({ id }) => id === line.job)
  if (!job || !hasEnded(job)) return line
  // A machine may bring others along, as a deleted initial does: what went wrong with any of them is to be seen.
  const message = [job.message, ...job.targets.map((target) => target.message === '' ? '' : target.name === line.name ? target.message : `${target.name}: ${target.message}`)].filter((text) => text !== '').join(' ')
  return { ...line, state: job.state === 'succeeded' ? 'done' : 'failed', message }
}
