import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TFunction } from 'i18next'
import t from 'tap'
import { TYPESCRIPT_FILES, textOf } from '../architecture/tree.js'
import { ROOT } from '../support/broker-process.js'
import type { ErrorParameters } from '../../broker/api/common.js'
import { instantOf } from '../../web/audit/local-days.js'
import { pageWays, WAYS } from '../../web/frame/page-ways.js'
import { refusalWords } from '../../web/frame/refusal-words.js'
import { durationIso, durationTyped, durationWords } from '../../web/parts/durations.js'
import { fittingColumns, leastRow, trackOf } from '../../web/parts/fitting-columns.js'
import { rolesIn } from '../../web/people/roles.js'

type Texts = { readonly [key: string]: string | Texts }
const texts = JSON.parse(readFileSync(join(ROOT, 'web/language/en.json'), 'utf8')) as Texts
const words = ((key: string, values: Record<string, string> = {}): string => {
  const text = key
    .split('.')
    .reduce<string | Texts>(
      (below, part) => (typeof below === 'string' ? below : (below[part] ?? '')),
      texts,
    )
  return String(text).replace(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? '')
}) as unknown as TFunction

t.test(
  'durations are read as people type them, in both languages, and said in words',
  async (t) => {
    const cases = [
      ['4 h', 'PT4H'],
      ['1 day 12 hours', 'P1DT12H'],
      ['4 val.', 'PT4H'],
      ['1 d. 30 min.', 'P1DT30M'],
      ['90 sek.', 'PT90S'],
      ['PT4H', 'PT4H'],
      ['pt1h', 'pt1h'],
      ['0 min', 'PT0S'],
    ] as const
    for (const [typed, iso] of cases) t.equal(durationIso(typed), iso, typed)
    for (const text of ['four hours', '4', '4 months', '4 h later', '2026-12-24T18:00:00Z'])
      t.equal(durationIso(text), text, `${text} is left to the broker`)
    t.equal(durationWords('en', 'PT4H30M'), '4 hours 30 minutes')
    t.equal(durationWords('lt', 'PT4H'), '4 valandos')
    t.equal(durationWords('en', 'PT0S'), '0 seconds')
    t.match(durationWords('en', '2026-12-24T18:00:00Z'), /Dec 24, 2026/)
    for (const language of ['en', 'lt'])
      for (const iso of ['PT1M', 'PT4H', 'P1D', 'P2DT3H4M5S'])
        t.equal(
          durationIso(durationTyped(language, iso)),
          iso,
          `${iso} comes back from a field in ${language}`,
        )
  },
)

t.test('names of roles are told apart by commas only', async (t) => {
  t.same(rolesIn(' chemistry teachers, vm-users/Lab 1,,chemistry teachers '), [
    'chemistry teachers',
    'vm-users/Lab 1',
  ])
  t.same(rolesIn('  '), [])
})

t.test('columns go by their rank until the rest has room; what must be there stays', async (t) => {
  const columns = [
    { name: 'a', width: '5rem' },
    { name: 'b', width: 'minmax(5rem, 2fr)', wideOnly: true, rank: 1 },
    { name: 'c', width: '5rem', wideOnly: true, rank: 3 },
    { name: 'd', width: '5rem', wideOnly: true, rank: 3 },
  ]
  const measure = (): number => 1
  const names = (room: number): string =>
    fittingColumns(columns, [2], room, measure)
      .map(({ name }) => name)
      .join('')
  const least = (count: number): number => leastRow(columns.slice(0, count), [2], measure)
  t.equal(names(least(4)), 'abcd')
  t.equal(names(least(4) - 0.1), 'abc', 'among equals the one at the right')
  t.equal(names(least(3) - 0.1), 'ab')
  t.equal(names(0), 'a')
  t.equal(
    trackOf({ name: 'long head', width: 'minmax(5rem, 2fr)' }, () => 7),
    'minmax(8.4rem, 2fr)',
    'a head is never cut',
  )
})

t.test('a refused field is called as the form calls it', async (t) => {
  const said = (reason: string, field: string, rest: ErrorParameters = {}): string | null =>
    refusalWords(words, { reason, parameters: { field, ...rest } })
  t.equal(
    said('field_too_short', 'body.password', { least: '12' }),
    'Password: too short; at least 12.',
  )
  t.equal(
    said('field_too_small', 'body.size', { least: '0' }),
    'Desktops to provision: too small; at least 0.',
  )
  t.equal(
    said('field_form', 'body.policy.retention', { form: 'a duration (PT4H)' }),
    'Keep after disconnect: use this form: a duration (PT4H).',
  )
  t.equal(said('field_too_long', 'body.roles.0', { most: '200' }), 'Roles: too long; at most 200.')
  t.equal(said('field_missing', 'body.name'), 'Name: this is needed.')
  t.equal(said('field_number', 'body.unheardOf'), 'unheardOf: a number is needed.')
  t.equal(
    said('field_choices', 'body.protocols.0', { choices: ['spice', 'rdp'] })
      ?.split(': ')
      .at(-1),
    'spice, rdp.',
  )
  t.equal(said('field_refused', 'body.size', { said: 'must be red' }), null)
})

t.test('what a command does is told as the pages do it', async (t) => {
  t.equal(
    pageWays(words, 'gold has no image yet: copy one with "berth image copy gold".'),
    'gold has no image yet: copy one with “Images › Copy disk from source”.',
  )
  t.equal(
    pageWays(words, 'Ask the administrator to run "berth thin-client accept 12ab".'),
    'Ask the administrator to use “Thin clients › Accept”.',
  )
  t.equal(
    pageWays(
      words,
      'make its directory the image directory with "berth hypervisor set hv1 --images-dir".',
    ),
    'make its directory the image directory with "berth hypervisor set hv1 --images-dir".',
    'only the command can',
  )
  for (const [page, word] of Object.values(WAYS)) {
    t.not(words(`navigation.${page}` as never), '', page)
    if (word !== undefined) t.not(words(word as never), '', word)
  }
})

/** Commands for which these pages have nothing. */
const ONLY_COMMANDS = ['hypervisor set', 'provider test', 'token list']

t.test(
  'every command that the broker advises has its way on the pages, or is known to have none',
  async (t) => {
    const advised = new Set(
      TYPESCRIPT_FILES.filter((file) => file.startsWith('broker/')).flatMap((file) =>
        [...textOf(file).matchAll(/"berth ([a-z-]+ [a-z-]+)/g)].map(([, command]) => command ?? ''),
      ),
    )
    t.ok(advised.size > 15, 'they are found')
    for (const command of advised) t.ok(command in WAYS || ONLY_COMMANDS.includes(command), command)
  },
)

t.test("days of the audit log are the reader's, the last one whole", async (t) => {
  t.equal(instantOf('2026-01-31', 'begin'), new Date(2026, 0, 31).toISOString())
  t.equal(instantOf('2026-01-31', 'end'), new Date(2026, 1, 1).toISOString())
  t.equal(instantOf('2026-01-31T10:00:00Z', 'end'), '2026-01-31T10:00:00Z')
  t.equal(instantOf('yesterday', 'begin'), 'yesterday')
})
