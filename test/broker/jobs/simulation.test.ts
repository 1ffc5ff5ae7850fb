/**
 * A seeded random walk. BERTH_SEEDS=N walks N times (default 8); a failure prints its seed and
 * path, which BERTH_SEED=… and BERTH_PATH=… repeat.
 */
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import t from 'tap'
import { ACT, Walk } from './job-walk.js'

t.setTimeout(1_200_000)

const WALKS = Number(process.env['BERTH_SEEDS'] ?? 8)

t.test(
  'whatever happens in whatever order, every job ends and nothing is lost, doubled or half-made',
  async (t) => {
    const property = fc.asyncProperty(
      fc.array(ACT, { minLength: 6, maxLength: 22 }),
      async (acts) => {
        const walk = await Walk.begin()
        try {
          for (const act of acts) {
            await walk.act(act)
            await delay(1)
          }
          const faults = await walk.end()
          if (faults.length > 0) throw new Error(faults.join('\n'))
        } finally {
          await walk.remove()
        }
      },
    )
    const seed = process.env['BERTH_SEED']
    const path = process.env['BERTH_PATH']
    const result = await fc.check(property, {
      numRuns: WALKS,
      endOnFailure: seed !== undefined,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
      ...(path === undefined ? {} : { path }),
      interruptAfterTimeLimit: WALKS > 50 ? 600_000 : 60_000,
    })
    t.notOk(
      result.failed,
      result.failed
        ? [
            `BERTH_SEED=${result.seed} BERTH_PATH=${result.counterexamplePath ?? ''}`,
            JSON.stringify(result.counterexample),
            String(result.errorInstance),
          ].join('\n')
        : `${result.numRuns} walks, seed ${result.seed}`,
    )
  },
)
