import { test } from 'tap'
import { ERRORS } from '../../broker/errors/codes.js'
import { REASONS } from '../../broker/errors/reasons.js'
import { TYPESCRIPT_FILES, textOf } from './tree.js'

/** Longer ones are not read. */
const LONGEST_SENTENCE = 320
/** What stands for a whole sentence that was made elsewhere. */
const WHOLE_SENTENCE = '{{said}}'
/** Languages other than English, in which the broker's own sentences are. */
const TRANSLATIONS = ['lt']

const CATALOGUE = 'broker/errors/'
const SOURCES = TYPESCRIPT_FILES.filter(
  (file) => /^(broker|web)\//.test(file) && !file.startsWith(CATALOGUE),
)
const ENTRIES = Object.entries(REASONS)

function placesIn(sentence: string): string[] {
  return [...new Set([...sentence.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name ?? ''))].sort()
}

test('every reason has one place in the catalogue, and is used', async (t) => {
  const files = TYPESCRIPT_FILES.filter((file) => file.startsWith(`${CATALOGUE}reasons/`))
  const named = files.flatMap((file) =>
    [...textOf(file).matchAll(/^ {2}(\w+): says\(/gm)].map(([, name]) => name ?? ''),
  )
  t.same(named.sort(), Object.keys(REASONS).sort(), 'no name is there twice')
  const used = new Set(
    SOURCES.flatMap((file) => [...textOf(file).matchAll(/'(\w+)'/g)].map(([, name]) => name ?? '')),
  )
  t.same(
    named.filter((name) => !used.has(name)),
    [],
  )
})

test('every sentence is short, whole, and has places of the usual form', async (t) => {
  for (const [reason, { code, sentence }] of ENTRIES) {
    t.ok(code in ERRORS, `${reason}: ${code}`)
    t.ok(sentence.length <= LONGEST_SENTENCE, `${reason} has ${sentence.length} characters`)
    t.notMatch(
      sentence.replace(/\{\{[a-zA-Z]+\}\}/g, 'X'),
      /\{\{|\}\}| {2}/,
      `${reason}: ${sentence}`,
    )
    if (sentence !== WHOLE_SENTENCE)
      t.match(sentence, /^([A-Z0-9"]|\{\{|--|[a-z-]+\.).*([.?]|\{\{(why|said)\}\})$/, reason)
  }
})

test('every language has every reason that leaves the broker, with the same parameters', async (t) => {
  // Faults of the broker itself are read in its own log, or where it is started.
  const told = ENTRIES.filter(
    ([reason, { code }]) => code !== 'internal' || reason === 'internal_fault',
  )
  for (const language of TRANSLATIONS) {
    const texts = JSON.parse(textOf(`web/language/reasons.${language}.json`)) as Record<
      string,
      string
    >
    const pages = JSON.parse(textOf(`web/language/${language}.json`)) as object
    t.same(Object.keys(texts).sort(), told.map(([reason]) => reason).sort(), language)
    for (const [reason, { sentence }] of told) {
      const text = texts[reason] ?? ''
      t.same(placesIn(text), placesIn(sentence), `${language}: ${reason}`)
      for (const [, key = ''] of text.matchAll(/\$t\(([\w.]+?)(?:\.\{\{\w+\}\})?\)/g))
        t.ok(hasText(pages, key), `${language}: ${reason} takes ${key} from the pages`)
    }
  }
})

test('a sentence is made in one place', async (t) => {
  for (const file of [...SOURCES, ...TYPESCRIPT_FILES.filter((one) => one.startsWith('test/'))]) {
    if (file === 'test/architecture/errors.test.ts') continue
    t.notMatch(textOf(file), /new BrokerError\(/, `${file} throws a refusal(…)`)
  }
})

/** Whether a language has something under `machines.powers`. */
function hasText(texts: object, key: string): boolean {
  const found = key
    .split('.')
    .reduce<unknown>(
      (below, part) =>
        typeof below === 'object' && below !== null
          ? (below as Record<string, unknown>)[part]
          : undefined,
      texts,
    )
  return found !== undefined
}
