import { type Static, Type } from '@sinclair/typebox'
import { oneOf, strictObject } from './common.js'
import { failed, FINDING_RESULTS, type Meaning } from './finding-meaning.js'
import { HOST_FINDINGS } from './host-findings.js'
import { MACHINE_FINDINGS } from './machine-findings.js'

/** What is looked at on a hypervisor, in this order. */
export const CHECKS = [
  'name',
  'port',
  'host-key',
  'login',
  'helper',
  'sshd',
  'account',
  'clock',
  'libvirt',
  'programs',
  'virtualisation',
  'networks',
  'images',
  'overlays',
  'transient',
  'certificate',
  'display-address',
  'domains',
  'definitions',
  'files',
] as const
export type CheckId = (typeof CHECKS)[number]
/** Everything that a check can say: a closed list. `{{word}}` stands for a value of the finding. */
export const FINDINGS = {
  ...HOST_FINDINGS,
  ...MACHINE_FINDINGS,
  'not-reached': {
    result: 'skipped',
    sentence: 'Not looked at: the broker did not get in.',
    advice: '',
  },
  'not-up': {
    result: 'skipped',
    sentence: 'Not looked at: libvirt does not answer to the broker.',
    advice: '',
  },
  'cannot-look': failed(
    'It could not be looked at: {{reason}}',
    "Try again; if it stays so, the broker's log says more.",
  ),
} as const satisfies Readonly<Record<string, Meaning>>
export type FindingCode = keyof typeof FINDINGS

export const Finding = strictObject(
  {
    result: oneOf(FINDING_RESULTS, { description: 'The gravest of what is said; ok: all is well' }),
    measured: Type.String({ description: 'What was seen, such as "14 ms"; may be empty' }),
    says: Type.Array(
      strictObject({
        code: Type.String({ description: 'One of a closed list' }),
        values: Type.Record(Type.String(), Type.String(), {
          description: 'What stands in the sentence',
        }),
        sentence: Type.String(),
        advice: Type.String({ description: 'What to do; empty when there is nothing to do' }),
      }),
    ),
  },
  {
    description:
      'What a check of a hypervisor found; only targets of jobs of the kind check have one',
  },
)
export type Finding = Static<typeof Finding>
export const CheckStarted = strictObject({
  job: Type.String({
    description: 'Its targets are the checks; the one that runs already, where there is one',
  }),
})
export type CheckStarted = Static<typeof CheckStarted>
