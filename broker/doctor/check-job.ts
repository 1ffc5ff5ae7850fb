import { CHECKS, type CheckId, type Finding } from '../api/checks.js'
import type { FindingResult } from '../api/finding-meaning.js'
import type { TargetState } from '../api/jobs.js'
import { sentenceOf } from '../errors/broker-error.js'
import type { Contact, ContactStage, Visit } from '../hypervisors/contact.js'
import type { HypervisorLink } from '../hypervisors/hypervisor.js'
import type { Hypervisors } from '../hypervisors/service.js'
import type { JobContext } from '../jobs/context.js'
import type { JobKind } from '../jobs/runner.js'
import type { Store } from '../store/open.js'
import type { HypervisorRow } from '../store/tables.js'
import { findingOf, type Judgement, type Said, says } from './finding.js'
import { LOOKS } from './looks.js'
import type { Scene } from './scene.js'

export interface CheckInput {
  readonly hypervisor: string
}
export interface CheckJobDeps {
  readonly store: Store
  readonly hypervisors: Hypervisors
  readonly ca: string
  readonly ownHelperVersion: () => string | null
}

export const CHECK_JOB = 'check'
/** The step whose result is the finding. */
export const LOOK_STEP = 'look'
const TARGET_STATES: Readonly<Record<FindingResult, TargetState>> = {
  ok: 'done',
  warning: 'done',
  failed: 'failed',
  skipped: 'skipped',
}

/**
 * One target a check. Nothing on the host is changed, so a check that a crash cut off is simply
 * made again; what was found before stands.
 */
export function checkJob(deps: CheckJobDeps): JobKind<CheckInput> {
  return {
    kind: CHECK_JOB,
    run: async (context) => {
      const examination = new Examination(deps, context.input.hypervisor)
      try {
        for (const check of CHECKS)
          await makeCheck(context, check, async () => await examination.look(check))
      } finally {
        examination.end()
      }
    },
  }
}

async function makeCheck(
  context: JobContext<CheckInput>,
  check: CheckId,
  look: () => Promise<Judgement>,
): Promise<void> {
  // A fault is a finding: the runner's patience with a line that is lost would only hide it.
  const finding = await context.step<Finding>(check, LOOK_STEP, async () =>
    findingOf(
      await context.unlessCancelled(
        look().catch((error: unknown) =>
          says('', { code: 'cannot-look', values: { reason: sentenceOf(error) } }),
        ),
      ),
    ),
  )
  await context.end(
    check,
    TARGET_STATES[finding.result],
    finding.says.map(({ sentence }) => sentence).join(' '),
  )
}

/** What is known so far: whether the broker got in. */
class Examination {
  readonly #row: HypervisorRow
  readonly #link: HypervisorLink
  #barred = false
  #visit: Visit | undefined

  constructor(
    readonly deps: CheckJobDeps,
    name: string,
  ) {
    this.#row = deps.hypervisors.row(name)
    this.#link = deps.hypervisors.link(name)
  }

  async look(check: CheckId): Promise<Judgement> {
    if (this.#barred) return says('', { code: 'not-reached' })
    if (check === 'name' || check === 'port' || check === 'host-key')
      return this.#noting(judgeContact(check, await this.#link.contact(check), this.#row))
    if (check === 'login') return this.#noting(await this.#logIn())
    // A job that goes on after a restart has its login in the journal and none in its hand.
    if (!this.#visit) await this.#logIn()
    if (!this.#visit) return says('', { code: 'not-reached' })
    const { store, ca, ownHelperVersion } = this.deps
    const scene: Scene = {
      store,
      row: this.#row,
      visit: this.#visit,
      link: this.#link,
      ca,
      ownHelperVersion: ownHelperVersion(),
    }
    return await LOOKS[check](scene)
  }

  end(): void {
    this.#visit?.close()
  }

  async #logIn(): Promise<Judgement> {
    const found = await this.#link.visit()
    if ('request' in found) {
      this.#visit = found
      return says('', { code: 'login-done' })
    }
    return says('', {
      code:
        found.fault === 'refused'
          ? 'login-refused'
          : found.fault === 'helper'
            ? 'helper-silent'
            : 'login-failed',
      values: { reason: found.reason, name: this.#row.name },
    })
  }

  #noting(judgement: Judgement): Judgement {
    this.#barred = findingOf(judgement).result === 'failed'
    return judgement
  }
}

const FAULTS = {
  unknown: 'name-unknown',
  refused: 'port-refused',
  silent: 'port-silent',
  'no-ssh': 'no-ssh',
} as const

/** What a stage of a new connection means. */
export function judgeContact(
  stage: ContactStage,
  contact: Contact,
  {
    address,
    port,
    name,
    host_key_fingerprint: pinned,
  }: Pick<HypervisorRow, 'address' | 'port' | 'name' | 'host_key_fingerprint'>,
): Judgement {
  if ('fault' in contact)
    return says('', {
      code: FAULTS[contact.fault],
      values: { address, port, reason: contact.reason },
    })
  const { seen } = contact
  const well: Readonly<Record<ContactStage, Said>> = {
    name: { code: 'name-found', values: { address, found: seen } },
    port: { code: 'port-open', values: { address, port } },
    'host-key': { code: 'key-pinned' },
  }
  if (stage === 'host-key' && seen !== pinned)
    return says(seen, { code: 'key-changed', values: { offered: seen, pinned, name } })
  return says(seen, well[stage])
}
