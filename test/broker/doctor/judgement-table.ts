import t from 'tap'
import { type FindingCode } from '../../../broker/api/checks.js'
import { type Judgement } from '../../../broker/doctor/finding.js'

type Case = readonly [string, Judgement, readonly FindingCode[]]
export function table(name: string, cases: readonly Case[]): void {
  t.test(name, async (t) => {
    for (const [what, judgement, codes] of cases)
      t.same(
        judgement.says.map(({ code }) => code),
        codes,
        what,
      )
  })
}
