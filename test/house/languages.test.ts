import { test } from 'tap'
import { FINDINGS } from '../../broker/api/checks.js'
import { ERRORS } from '../../broker/errors.js'
import { textOf } from './tree.js'

type Texts = { readonly [key: string]: string | Texts }
/** Of counted texts each language has the forms that it needs (https://www.unicode.org/cldr/charts/latest/supplemental/language_plural_rules.html). */
const PLURALS: Readonly<Record<string, readonly string[]>> = { en: ['one', 'other'], lt: ['one', 'few', 'other'] }

function leaves (texts: Texts, above = ''): Map<string, string> {
  return new Map(Object.entries(texts).flatMap(([key, value]) => typeof value === 'string' ? [[`${above}${key}`, value] as const] : [...leaves(value, `${above}${key}.`)]))
}

function read (language: string): Map<string, string> { return leaves(JSON.parse(textOf(`web/language/${language}.json`)) as Texts) }
const stem = (key: string): string => key.replace(/_(one|few|many|other)$/, '')
const placeholders = (text: string): string[] => [...new Set([...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name ?? ''))].sort()

test('every language says the same things, with the same figures in them', async (t) => {
  const [en, lt] = [read('en'), read('lt')]
  const own = (texts: Map<string, string>): string[] => [...new Set([...texts.keys()].filter((key) => !/^(errors|findings)\./.test(key)).map(stem))].sort()
  t.same(own(lt), own(en))
  for (const [language, texts] of [['en', en], ['lt', lt]] as const) {
    for (const key of texts.keys()) {
      if (stem(key) !== key) for (const form of PLURALS[language] ?? []) t.ok(texts.has(`${stem(key)}_${form}`), `${language} ${stem(key)} has the form ${form}`)
    }
  }
  for (const [key, text] of lt) {
    const same = en.get(key) ?? en.get(`${stem(key)}_other`)
    if (same !== undefined) t.same(placeholders(text), placeholders(same), key)
    t.ok(text.trim() !== '', key)
  }
})

test('every refusal of the API has its meaning in Lithuanian', async (t) => {
  const lt = read('lt')
  t.same([...lt.keys()].filter((key) => key.startsWith('errors.')).map((key) => key.slice('errors.'.length)).sort(), Object.keys(ERRORS).sort())
})

test('everything that a check of a hypervisor can say has its meaning in Lithuanian, with the same figures in it', async (t) => {
  const lt = read('lt')
  const wanted = new Map(Object.entries(FINDINGS).flatMap(([code, { sentence, advice }]) => [[`findings.${code}.sentence`, sentence], ...(advice === '' ? [] : [[`findings.${code}.advice`, advice]])] as Array<[string, string]>))
  t.same([...lt.keys()].filter((key) => key.startsWith('findings.')).sort(), [...wanted.keys()].sort())
  for (const [key, text] of wanted) t.same(placeholders(lt.get(key) ?? ''), placeholders(text), key)
})
