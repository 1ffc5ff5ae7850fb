import { useEffect, useState } from 'react'
import type { Job } from '../../broker/api/jobs.js'
import type { Offer } from '../../broker/api/offers.js'
import { api, ApiError, path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { asApiError } from './as-api-error.js'
import { chosenWay, chooseWay, saveViewerFile, type Way } from './opening.js'
import { isRunning, machineOf } from './offer-state.js'

export interface Opener {
  readonly way: Way
  readonly pending: boolean
  readonly error: ApiError | null
  /** A machine of their own is started before it is opened: since when, or null. */
  readonly startingSince: number | null
  /** Somebody else has the screen: their sentence, and how to go on. Null: nobody. */
  readonly inUse: { readonly machine: string; readonly sentence: string } | null
  /** The ways by RDP of this machine are shown. */
  readonly rdpOf: string | null
  /** `way`: it is remembered as the one that they want. */
  open(way: Way, machine?: string): void
  /** Starts the machine, then opens it. */
  startAndOpen(): void
  take(): void
  forget(): void
}

/** Opens a machine's screen in the way that was chosen. `show`: opens the console here. */
export function useOpener(offer: Offer, show: (machine: string) => void): Opener {
  const [way, setWay] = useState<Way>(chosenWay)
  const [error, setError] = useState<ApiError | null>(null)
  const [rdpOf, setRdpOf] = useState<string | null>(null)
  const viewer = useViewerFile(setError)
  const open = (wanted: Way, given?: string): void => {
    const machine = given ?? machineOf(offer)
    chooseWay(wanted)
    setWay(wanted)
    setError(null)
    if (machine === null) return
    if (wanted === 'browser') show(machine)
    else if (wanted === 'viewer') viewer.save(machine, false)
    else setRdpOf(machine)
  }
  const start = useStart(
    offer,
    () => {
      open(way)
    },
    setError,
  )
  return {
    way,
    pending: viewer.pending,
    error,
    inUse: viewer.inUse,
    rdpOf,
    startingSince: start.since,
    open,
    startAndOpen: start.start,
    take: viewer.take,
    forget: () => {
      setError(null)
      viewer.forget()
      setRdpOf(null)
    },
  }
}

/** Saves the file for the native viewer; `take`: although somebody else has the screen. */
function useViewerFile(onError: (error: ApiError) => void): Pick<
  Opener,
  'pending' | 'inUse' | 'take'
> & {
  save(machine: string, take: boolean): void
  forget(): void
} {
  const [pending, setPending] = useState(false)
  const [inUse, setInUse] = useState<Opener['inUse']>(null)
  const save = (machine: string, take: boolean): void => {
    setPending(true)
    saveViewerFile(machine, take)
      .catch((fault: unknown) => {
        if (fault instanceof ApiError && fault.code === 'console_in_use')
          setInUse({ machine, sentence: fault.message })
        else onError(asApiError(fault))
      })
      .finally(() => {
        setPending(false)
      })
  }
  const forget = (): void => {
    setInUse(null)
  }
  const take = (): void => {
    if (inUse) save(inUse.machine, true)
    forget()
  }
  return { pending, inUse, save, take, forget }
}

/** A machine that is theirs by name is switched on by a job; its power, and the end of the job, come by push. */
function useStart(
  offer: Offer,
  onRunning: () => void,
  onError: (error: ApiError) => void,
): { since: number | null; start: () => void } {
  const [since, setSince] = useState<number | null>(null)
  const [job, setJob] = useState<string | null>(null)
  const state = useGet<Job>(path`/jobs/${job ?? ''}`, ['jobs'], { enabled: job !== null })
  const ended =
    state.data && ['failed', 'partly', 'cancelled'].includes(state.data.state) ? state.data : null
  const running = isRunning(offer)
  useEffect(() => {
    if (since === null || (!running && !ended)) return
    setSince(null)
    setJob(null)
    if (running) onRunning()
    else if (ended)
      onError(new ApiError(0, 'desktop_failed', ended.targets[0]?.message || ended.message))
  }, [since, running, ended, onRunning, onError])
  const start = (): void => {
    setSince(Date.now())
    api<{ job: string }>('POST', path`/machines/${offer.name}/power`, {
      body: { action: 'start' },
    }).then(
      (answer) => {
        setJob(answer.job)
      },
      (fault: unknown) => {
        setSince(null)
        onError(asApiError(fault))
      },
    )
  }
  return { since, start }
}
