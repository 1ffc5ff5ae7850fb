import { type AskAnswer, type AskRequest, DEFAULT_VIEWER_OPTIONS } from '../api/thin-clients.js'
import type { Store } from '../store/open.js'
import type { ThinClientRow } from '../store/tables.js'
import type { ClientsXmlFile } from './clients-file.js'
import type { ClientEntry, Target } from './clients-entry.js'
import type { ClientsFile } from './clients-xml.js'
import type { Identities } from './identity.js'
import type { Identity } from './newcomer.js'
import { entryFor, sameEntry, type Seeker } from './match.js'
import type { Opened, Opener, Opening } from './opening.js'
import type { Parking } from './parking.js'
import type { PersonDesktops } from './person-desktops.js'
import { askAgainMs, markOf } from './policy.js'
import { ownTargets } from './seekers.js'
import type { SeenDevices } from './seen.js'

/** From where a device asks, and how it shows which one it is. `claim`: what it has made itself while it has no key. */
export interface Place {
  readonly macs: readonly string[]
  readonly key: string | null
  readonly claim: string | null
  readonly address: string
}

export interface Question extends Omit<Place, 'macs'> {
  readonly request: AskRequest
}

/** What a device is told, what that was concluded from, and when. */
export interface Evaluation {
  readonly answer: AskAnswer
  readonly identity: Identity
  /** The name of the machine that it is about. */
  readonly machine: string | null
  /** What may change the answer. */
  readonly topics: readonly string[]
  readonly againMs: number | undefined
  /**
   * What may change it, where nothing else may, such as time: as long as none of these has, it
   * needs no second look.
   */
  readonly steadyUnder: readonly string[] | null
  /** Moments of the parking, from before it was looked. */
  readonly moment: number
  readonly identityMoment: number
  readonly atMs: number
  /** By what clients.xml means the device; null: by nothing, it is not known. */
  readonly seeker: Seeker | null
  /** The file that was looked at last, and what it says of the device. */
  file: ClientsFile
  entry: ClientEntry | null
}

export interface EvaluationsDeps {
  readonly store: Store
  readonly clientsXml: Pick<ClientsXmlFile, 'current'>
  readonly identities: Identities
  readonly seen: SeenDevices
  readonly opening: Opening
  readonly desktops: PersonDesktops
  readonly parking: Parking
  readonly now: () => number
}

/** Whatever is remembered is looked at again after this time. */
const REMEMBERED_MS = 10 * 60_000
/** Twice as many as there may be devices, almost. */
const MOST_REMEMBERED = 100_000

type Found = Pick<Evaluation, 'answer' | 'machine' | 'topics' | 'againMs' | 'steadyUnder'>

interface Remembered {
  readonly said: string
  readonly evaluation: Evaluation
}

/**
 * What should this thin client do now? Remembers the answers that only an event can change, so that
 * a device that waits and asks again costs no second look.
 */
export class Evaluations {
  /** By key: who shows it is that device. */
  readonly #remembered = new Map<string, Remembered>()

  constructor(readonly deps: EvaluationsDeps) {}

  /** What the device was told before, if it is still so. */
  remembered(question: Question): Evaluation | null {
    const known = question.key === null ? undefined : this.#remembered.get(question.key)
    if (known?.said !== saidIn(question) || !this.isStillSo(known.evaluation)) return null
    this.#note(question, known.evaluation)
    return known.evaluation
  }

  /** Nothing can have changed it. */
  isStillSo(evaluation: Evaluation): boolean {
    const { parking, now } = this.deps
    return (
      evaluation.steadyUnder !== null &&
      now() - evaluation.atMs < REMEMBERED_MS &&
      !parking.hasChangedSince(evaluation.topics, evaluation.moment) &&
      !parking.hasChangedSince(evaluation.steadyUnder, evaluation.moment) &&
      this.isMeantAlike(evaluation)
    )
  }

  /** The clients.xml of now says of the device what the one that was looked at said. */
  isMeantAlike(evaluation: Evaluation): boolean {
    const { current } = this.deps.clientsXml
    if (evaluation.file === current || evaluation.seeker === null) return true
    const entry = entryFor(current, evaluation.seeker)
    if (!sameEntry(entry, evaluation.entry)) return false
    evaluation.file = current
    evaluation.entry = entry
    return true
  }

  /**
   * Looks. `before`: what was found for this question earlier; it still says who asks, unless
   * something about the device has changed.
   */
  async look(question: Question, before: Evaluation | null): Promise<Evaluation> {
    const { parking, clientsXml, now } = this.deps
    const moment = parking.moment
    const atMs = now()
    const isSame =
      before?.identity.known === true &&
      before.identity.newKey === null &&
      !parking.hasChangedSince([deviceTopic(before.identity.device.id)], before.identityMoment)
    const identity = isSame ? before.identity : await this.#identify(question)
    const file = clientsXml.current
    const seeker = identity.known ? { ...identity, address: question.address } : null
    const entry = seeker === null ? null : entryFor(file, seeker)
    const found = identity.known
      ? await this.#known(identity, entry, question)
      : this.#unknown(identity)
    const evaluation: Evaluation = {
      ...found,
      identity,
      moment,
      identityMoment: isSame ? before.identityMoment : moment,
      atMs,
      seeker: seeker && { macs: seeker.macs, hostname: seeker.hostname, address: seeker.address },
      file,
      entry,
    }
    this.#note(question, evaluation)
    this.#remember(question, evaluation)
    return evaluation
  }

  /**
   * What is remembered of a key must not outlive its use: an order was given with the answer, or
   * the device does not wait.
   */
  forget({ key }: Pick<Question, 'key'>): void {
    if (key !== null) this.#remembered.delete(key)
  }

  async #identify({ request, key, claim, address }: Question): Promise<Identity> {
    const { macs, hostname, version } = request
    return await this.deps.identities.identify({ macs, key, claim, address, hostname, version })
  }

  #unknown(identity: Extract<Identity, { known: false }>): Found {
    return {
      machine: null,
      answer: {
        ...toAnswer(identity.device?.id ?? '', 'unknown', identity.sentence),
        ...(identity.code === null ? {} : { code: identity.code }),
      },
      topics: identity.about === null ? [] : [deviceTopic(identity.about)],
      againMs: undefined,
      steadyUnder: null,
    }
  }

  async #known(
    identity: Extract<Identity, { known: true }>,
    entry: ClientEntry | null,
    { address }: Question,
  ): Promise<Found> {
    const { device, newKey } = identity
    const targets = [...(await ownTargetsOf(this.deps.store, device)), ...(entry?.targets ?? [])]
    const opened = await this.#open(targets, { ...device, address })
    const { ways, choices, person, state } = opened
    return {
      machine: opened.machine?.name ?? null,
      answer: {
        ...toAnswer(device.id, state, opened.sentence, { ways, choices, person }),
        ...whatOpened(opened),
        ...(newKey === null ? {} : { deviceKey: newKey }),
        ...(state === 'ready' ? { viewer: entry?.viewer ?? DEFAULT_VIEWER_OPTIONS } : {}),
      },
      topics: [deviceTopic(device.id), ...opened.wakers],
      againMs: opened.lookAgainMs,
      steadyUnder: newKey === null ? (opened.steadyUnder ?? null) : null,
    }
  }

  /** The device's own desktop, or that of the person who is logged in at it. */
  async #open(targets: readonly Target[], device: ThinClientRow): Promise<Opened> {
    const opener: Opener = {
      holder: `thin-client:${device.id}`,
      actor: { actor: `thin-client:${device.mac}`, address: device.address },
      asker: { kind: 'device', name: device.mac, address: device.address },
      may: async () => true,
    }
    const opened = await this.deps.opening.open(targets, opener)
    if (!opened.login) return opened
    const theirs = await this.deps.desktops.open(opened.login.pools, device)
    return { ...theirs, wakers: [...opened.wakers, ...theirs.wakers] }
  }

  #note({ request, address }: Question, { identity, answer, machine }: Evaluation): void {
    const { state, sentence } = answer
    if (identity.device !== null)
      this.deps.seen.asked(identity.device, request, address, { state, sentence, machine })
  }

  #remember(question: Question, evaluation: Evaluation): void {
    if (question.key === null) return
    this.#remembered.delete(question.key)
    if (evaluation.steadyUnder === null) return
    this.#remembered.set(question.key, { said: saidIn(question), evaluation })
    if (this.#remembered.size > MOST_REMEMBERED)
      this.#remembered.delete(this.#remembered.keys().next().value ?? '')
  }
}

export function deviceTopic(id: string): string {
  return `device:${id}`
}

/** What the administrator has given to the device itself: this goes before clients.xml. */
export async function ownTargetsOf(store: Store, device: ThinClientRow): Promise<Target[]> {
  const { assigned_machine_id: machineId, assigned_pool_id: poolId } = device
  const nameOf = async (table: 'machine' | 'pool', id: string | null): Promise<string | null> =>
    id === null
      ? null
      : ((await store.selectFrom(table).select('name').where('id', '=', id).executeTakeFirst())
          ?.name ?? null)
  return ownTargets({
    machine: await nameOf('machine', machineId),
    pool: await nameOf('pool', poolId),
  })
}

/** All that an answer may depend on, besides the key. */
function saidIn({ request, address }: Question): string {
  return JSON.stringify([request.macs, request.hostname, request.version, address])
}

function toAnswer(
  device: string,
  state: AskAnswer['state'],
  sentence: string,
  more: unknown = null,
): AskAnswer {
  return {
    state,
    sentence,
    device,
    askAgainMs: askAgainMs(state),
    mark: markOf(state, sentence, more),
    brokerTimeMs: Date.now(),
  }
}

function whatOpened({
  console,
  person,
  ways,
  choices,
}: Opened): Pick<AskAnswer, 'console' | 'person' | 'ways' | 'choices'> {
  return {
    ...(console ? { console } : {}),
    ...(person === undefined ? {} : { person }),
    ...(ways ? { ways } : {}),
    ...(choices ? { choices } : {}),
  }
}
