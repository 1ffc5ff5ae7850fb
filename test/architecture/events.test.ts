import { test } from 'tap'
import ts from 'typescript'
import { lineOf, nodesOf, syntaxOf, TYPESCRIPT_FILES } from './tree.js'

const MAP = 'broker/events/map.ts'
const SOURCES = TYPESCRIPT_FILES.filter((file) => file.startsWith('broker/'))

/** Every event of the map, with the folder that its comment says publishes it. */
function eventsOfMap(): ReadonlyMap<string, string | undefined> {
  const source = syntaxOf(MAP)
  const map = nodesOf(source).find(
    (node): node is ts.InterfaceDeclaration =>
      ts.isInterfaceDeclaration(node) && node.name.text === 'EventMap',
  )
  return new Map(
    (map?.members ?? []).map((member) => {
      const comments = ts.getLeadingCommentRanges(source.text, member.pos) ?? []
      const comment = comments.map(({ pos, end }) => source.text.slice(pos, end)).at(-1) ?? ''
      return [
        member.name?.getText(source) ?? '',
        /^\/\*\* ([a-z-]+): .+ \*\/$/.exec(comment)?.[1],
      ] as const
    }),
  )
}

interface Call {
  readonly event: string
  readonly file: string
  readonly line: number
}

/** Calls of a method of the bus, by the event that they name. */
function callsOf(method: RegExp): Call[] {
  return SOURCES.flatMap((file) => {
    const source = syntaxOf(file)
    return nodesOf(source).flatMap((node) => {
      if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return []
      const { name, expression: on } = node.expression
      if (!method.test(name.text) || !/\bevents$/.test(on.getText(source))) return []
      const [first] = node.arguments
      const names = first && ts.isArrayLiteralExpression(first) ? first.elements : [first]
      return names.flatMap((one) =>
        one && ts.isStringLiteral(one)
          ? [{ event: one.text, file, line: lineOf(source, node) }]
          : [],
      )
    })
  })
}

test('each event says in one line what has happened and which folder publishes it', async (t) => {
  const events = eventsOfMap()
  t.ok(events.size > 10, `${events.size} events`)
  for (const [event, folder] of events)
    if (folder === undefined) t.fail(`${MAP}: ${event} has no comment "/** FOLDER: what. */"`)
})

test('each event is published by its folder, and by no other', async (t) => {
  const events = eventsOfMap()
  const published = callsOf(/^publish$/)
  for (const { event, file, line } of published)
    if (!file.startsWith(`broker/${events.get(event) ?? '?'}/`))
      t.fail(`${file}:${line} publishes ${event}, which is of ${events.get(event) ?? 'nobody'}`)
  for (const event of events.keys())
    if (!published.some((one) => one.event === event)) t.fail(`nobody publishes ${event}`)
})

/** Classes that emit events of their own, by their names: the plumbing of sockets and tunnels. */
function emitters(): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const file of SOURCES)
    for (const node of nodesOf(syntaxOf(file)))
      if (
        ts.isClassDeclaration(node) &&
        node.heritageClauses?.some((clause) => /\bEventEmitter\b/.test(clause.getText()))
      )
        found.set(node.name?.text ?? '', file.split('/')[1] ?? '')
  return found
}

test('what emits events of its own stays within its folder; the others publish on the bus', async (t) => {
  const folders = emitters()
  for (const file of SOURCES)
    for (const node of nodesOf(syntaxOf(file))) {
      if (!ts.isImportSpecifier(node)) continue
      const name = (node.propertyName ?? node.name).text
      if (folders.has(name) && folders.get(name) !== file.split('/')[1])
        t.fail(`${file} imports ${name}, an EventEmitter of ${folders.get(name) ?? ''}`)
    }
})
