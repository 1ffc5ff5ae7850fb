import { test } from 'tap'
import ts from 'typescript'
import { FINDINGS } from '../../broker/api/checks.js'
import { POWER_ACTIONS } from '../../broker/api/machines.js'
import { ERRORS } from '../../broker/errors/codes.js'
import { nodesOf, syntaxOf, textOf, TYPESCRIPT_FILES } from './tree.js'

type Texts = { readonly [key: string]: string | Texts }
/**
 * Of counted texts each language has the forms that it needs
 * (https://www.unicode.org/cldr/charts/latest/supplemental/language_plural_rules.html).
 */
const PLURALS: Readonly<Record<string, readonly string[]>> = {
  en: ['one', 'other'],
  lt: ['one', 'few', 'other'],
}

function leaves(texts: Texts, above = ''): Map<string, string> {
  return new Map(
    Object.entries(texts).flatMap(([key, value]) =>
      typeof value === 'string'
        ? [[`${above}${key}`, value] as const]
        : [...leaves(value, `${above}${key}.`)],
    ),
  )
}

function read(language: string): Map<string, string> {
  return leaves(JSON.parse(textOf(`web/language/${language}.json`)) as Texts)
}
const stem = (key: string): string => key.replace(/_(one|few|many|other)$/, '')
const placeholders = (text: string): string[] =>
  [...new Set([...text.matchAll(/\{\{(\w+)\}\}/g)].map(([, name]) => name ?? ''))].sort()

test('every language says the same things, with the same figures in them', async (t) => {
  const [en, lt] = [read('en'), read('lt')]
  const own = (texts: Map<string, string>): string[] =>
    [
      ...new Set([...texts.keys()].filter((key) => !/^(errors|findings)\./.test(key)).map(stem)),
    ].sort()
  t.same(own(lt), own(en))
  for (const [language, texts] of [
    ['en', en],
    ['lt', lt],
  ] as const) {
    for (const key of texts.keys()) {
      if (stem(key) !== key)
        for (const form of PLURALS[language] ?? [])
          t.ok(texts.has(`${stem(key)}_${form}`), `${language} ${stem(key)} has the form ${form}`)
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
  t.same(
    [...lt.keys()]
      .filter((key) => key.startsWith('errors.'))
      .map((key) => key.slice('errors.'.length))
      .sort(),
    Object.keys(ERRORS).sort(),
  )
})

test(
  'everything that a check of a hypervisor can say has its meaning in Lithuanian, with the ' +
    'same figures in it',
  async (t) => {
    const lt = read('lt')
    const wanted = new Map(
      Object.entries(FINDINGS).flatMap(
        ([code, { sentence, advice }]) =>
          [
            [`findings.${code}.sentence`, sentence],
            ...(advice === '' ? [] : [[`findings.${code}.advice`, advice]]),
          ] as Array<[string, string]>,
      ),
    )
    t.same(
      [...lt.keys()].filter((key) => key.startsWith('findings.')).sort(),
      [...wanted.keys()].sort(),
    )
    for (const [key, text] of wanted)
      t.same(placeholders(lt.get(key) ?? ''), placeholders(text), key)
  },
)

/** The words that stand for a text in the code: itself, or those of a constant with this name. */
function textsOf(
  node: ts.Node | undefined,
  constants: ReadonlyMap<string, readonly string[]>,
): readonly string[] {
  if (node === undefined) return []
  return ts.isStringLiteral(node)
    ? [node.text]
    : ts.isIdentifier(node)
      ? (constants.get(node.text) ?? [])
      : []
}

test('every kind of job that the broker knows, and every step of one, has its words in every language', async (t) => {
  const files = TYPESCRIPT_FILES.filter((file) => file.startsWith('broker/')).map(syntaxOf)
  const nodes = files.flatMap(nodesOf)
  const constants = new Map(
    nodes
      .filter(ts.isVariableDeclaration)
      .flatMap(({ name, initializer }) =>
        ts.isIdentifier(name) && initializer && ts.isStringLiteral(initializer)
          ? [[name.text, [initializer.text]] as const]
          : [],
      ),
  )
  const jobs = nodes
    .filter(ts.isFunctionDeclaration)
    .filter(({ type }) => type?.getText().startsWith('JobKind<') === true)
  const kinds = jobs.flatMap((job) =>
    nodes
      .filter(ts.isPropertyAssignment)
      .filter(
        (one) =>
          one.getSourceFile() === job.getSourceFile() &&
          one.pos > job.pos &&
          one.end < job.end &&
          one.name.getText() === 'kind' &&
          ts.isReturnStatement(one.parent.parent),
      ),
  )
  t.equal(kinds.length, jobs.length, 'each names its kind')
  const steps = nodes
    .filter(ts.isCallExpression)
    .filter(({ expression }) => /^context\.(step|finish)$/.test(expression.getText()))
    .flatMap(({ arguments: [, step] }) => textsOf(step, constants))
  t.ok(kinds.length >= 9 && steps.length >= 15, 'they are found')
  for (const language of ['en', 'lt']) {
    const words = [...read(language).keys()]
    const below = (part: string): string[] =>
      words
        .filter((key) => key.startsWith(`jobProgress.${part}.`))
        .map((key) => key.slice(`jobProgress.${part}.`.length))
        .sort()
    t.same(
      below('kinds'),
      [...new Set(kinds.flatMap(({ initializer }) => textsOf(initializer, constants)))].sort(),
      `kinds in ${language}`,
    )
    t.same(
      below('steps'),
      [...new Set([...steps, ...POWER_ACTIONS])].sort(),
      `steps in ${language}`,
    )
  }
})
