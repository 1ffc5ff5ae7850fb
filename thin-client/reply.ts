import { FormatRegistry, type Static, type TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { ProviderLoginPolled } from '../broker/api/device-logins.js'
import { ReportAnswer } from '../broker/api/thin-clients.js'
import { DeviceLoginBegun } from '../broker/api/users.js'
import { BadAnswer } from './answer.js'

FormatRegistry.Set('date-time', (value) => !Number.isNaN(Date.parse(value)))

export const checkReportAnswer = (body: unknown): ReportAnswer => checked(ReportAnswer, body)
export const checkLoginBegun = (body: unknown): Static<typeof DeviceLoginBegun> =>
  checked(DeviceLoginBegun, body)
export const checkLoginPolled = (body: unknown): Static<typeof ProviderLoginPolled> =>
  checked(ProviderLoginPolled, body)

/** Fields that this version does not know are left out. Throws BadAnswer. */
function checked<T extends TSchema>(schema: T, body: unknown): Static<T> {
  const answer: unknown = Value.Clean(schema, structuredClone(body))
  if (Value.Check(schema, answer)) return answer
  const first = Value.Errors(schema, answer).First()
  throw new BadAnswer(
    'its answer is not understood ' +
      `(${first?.path === '' ? 'body' : (first?.path ?? 'body')}: ${first?.message ?? 'wrong form'})`,
  )
}
