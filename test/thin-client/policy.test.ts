import { test } from 'tap'
import { nextStep } from '../../thin-client/policy.js'
import { ASKING } from './policy-asking.js'
import { showing } from './policy-rows.js'
import { SHOWING } from './policy-showing.js'

for (const row of [...ASKING, ...SHOWING]) {
  test(`policy: ${row.when}`, async (t) => {
    const next = nextStep(row.state, row.event, row.random ?? 0)
    t.match(next.state, row.becomes)
    t.strictSame(next.steps, row.steps)
  })
}

test('policy: a note fits the field of the API', async (t) => {
  t.equal(
    nextStep(showing, { type: 'viewer-missing', sentence: 'x'.repeat(500) }, 0).state.note?.length,
    200,
  )
})
