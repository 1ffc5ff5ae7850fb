import { test } from 'tap'
import { importsOf, textOf, TYPESCRIPT_FILES } from './tree.js'

/**
 * The broker from the ground up: a room imports itself and those above it in this list. A room is a
 * folder or a file at the broker's root. `http.ts` stands after `users`, whose caller it knows; the
 * routes of every room are its HTTP edge and may import it.
 */
const ROOMS = [
  'errors',
  'allowance.ts',
  'addresses.ts',
  'steady-clock.ts',
  'seldom.ts',
  'turn.ts',
  'natural-order.ts',
  'forwarded.ts',
  'api',
  'validation.ts',
  'xml',
  'login-settings.ts',
  'settings.ts',
  'database-place.ts',
  'config.ts',
  'store',
  'background.ts',
  'rounds.ts',
  'events',
  'audit',
  'certificates',
  'users',
  'access.ts',
  'http.ts',
  'security-headers.ts',
  'live',
  'jobs',
  'occupancy',
  'hypervisors',
  'images',
  'machines',
  'doctor',
  'pools',
  'assignments',
  'draining',
  'history',
  'consoles',
  'thin-clients',
  'metrics.ts',
  'readiness.ts',
  'kept-text.ts',
  'operations.ts',
  'systemd-notify.ts',
  'log.ts',
  'authentication.ts',
  'access-check.ts',
  'web-pages.ts',
  'bodies.ts',
  'nul.ts',
  'connections.ts',
  'open-requests.ts',
  'answer-headers.ts',
  'app.ts',
  'version.ts',
  'may-stay.ts',
  'answers.ts',
  'foundation.ts',
  'move-store.ts',
  'parts.ts',
  'api-routes.ts',
  'server.ts',
  'broker.ts',
  'main.ts',
]

/** Where each outside library is imported; several places need a reason. */
const ONE_PLACE: Readonly<Record<string, readonly string[]>> = {
  '@fastify/rate-limit': ['broker/app.ts'],
  '@fastify/swagger': ['broker/app.ts'],
  '@fastify/static': ['broker/web-pages.ts'],
  '@node-rs/argon2': ['broker/users/passwords.ts'],
  '@peculiar/x509': ['broker/certificates/authority.ts'],
  'reflect-metadata': ['broker/certificates/authority.ts'],
  helmet: ['broker/security-headers.ts'],
  'fast-xml-parser': ['broker/xml/xml.ts'],
  libvirt: ['broker/hypervisors/libvirt-process.ts'],
  'prom-client': ['broker/metrics.ts'],
  'cli-progress': ['cli/job-display.ts'],
  'cli-table3': ['cli/output.ts'],
  'eventsource-parser': ['cli/server-sent-events.ts'],
  diff: ['web/clients-xml/line-diff.ts'],
  '@codemirror/commands': ['web/clients-xml/xml-editor.ts'],
  '@codemirror/lang-xml': ['web/clients-xml/xml-editor.ts'],
  '@codemirror/search': ['web/clients-xml/xml-editor.ts'],
  '@lezer/highlight': ['web/clients-xml/xml-look.ts'],
}
const SEVERAL_PLACES: Readonly<
  Record<string, { readonly under: readonly string[]; readonly reason: string }>
> = {
  fastify: {
    under: [
      'broker/app.ts',
      'broker/security-headers.ts',
      'broker/bodies.ts',
      'broker/open-requests.ts',
      'broker/answer-headers.ts',
      'broker/kept-text.ts',
      'broker/nul.ts',
      'broker/web-pages.ts',
      'broker/live',
      'broker/access-check.ts',
      'broker/authentication.ts',
      'broker/users/session-routes.ts',
      'broker/http.ts',
      'broker/thin-clients',
      'broker/consoles',
      'broker/jobs/routes.ts',
    ],
    reason: 'app.ts makes the server; the others take types',
  },
  '@fastify/type-provider-typebox': {
    under: ['broker/app.ts', 'broker/http.ts'],
    reason: 'one validates, the other has the types',
  },
  '@sinclair/typebox': {
    under: ['broker', 'cli', 'thin-client'],
    reason: 'the language in which the wire is described',
  },
  'better-sqlite3': {
    under: ['broker/store'],
    reason: 'the database, and the lock of the data directory',
  },
  pg: { under: ['broker/store'], reason: 'PostgreSQL, the other database' },
  'pg-connection-string': { under: ['broker/store'], reason: 'its URL' },
  kysely: {
    under: [
      'broker/store',
      'broker/audit/events.ts',
      'broker/occupancy/fair-clock.ts',
      'broker/assignments',
      'broker/pools/store.ts',
      'broker/thin-clients/seen.ts',
    ],
    reason:
      'tables.ts and the filter of events take types; a time is moved on where it stands, ' +
      'and many are noted by one statement',
  },
  '@fastify/cookie': {
    under: ['broker/app.ts', 'broker/authentication.ts', 'broker/users/session-routes.ts'],
    reason: 'app.ts registers it; the others take its types',
  },
  ldapts: {
    under: ['broker/users'],
    reason: 'what is asked, and how a connection ends',
  },
  'openid-client': {
    under: ['broker/users'],
    reason: 'logins, the connection to a provider, and its check',
  },
  'ipaddr.js': {
    under: ['broker/addresses.ts', 'broker/forwarded.ts', 'broker/thin-clients'],
    reason: 'a network of the settings, and the clients in it',
  },
  pino: { under: ['broker'], reason: 'log.ts makes the log; the others take its type' },
  ssh2: {
    under: ['broker/hypervisors'],
    reason: 'the connection to a host, and the proof of its key',
  },
  yaml: {
    under: ['broker/config.ts', 'broker/pools', 'cli/output.ts'],
    reason: 'settings, documents, answers',
  },
  'lru-cache': {
    under: ['broker'],
    reason:
      'what is kept for a while: of many, the one that was not used for the longest time goes',
  },
  'p-limit': { under: ['broker'], reason: 'one piece of work at a time, in order' },
  'p-map': { under: ['broker/machines'], reason: 'several machines at a time' },
  croner: {
    under: ['broker/pools'],
    reason: 'the policy is checked in one file, the schedule kept in another',
  },
  react: { under: ['web'], reason: 'the pages are made of it' },
  'react-dom': { under: ['web/main.tsx'], reason: 'it puts them on the screen' },
  'react-error-boundary': {
    under: ['web/frame/page-fault.tsx'],
    reason: 'a fault of a page is shown',
  },
  'react-router': { under: ['web'], reason: 'every page has an address' },
  '@patternfly/react-core': { under: ['web'], reason: 'the pages are made of it' },
  '@patternfly/react-icons': { under: ['web'], reason: 'pictures beside words' },
  '@patternfly/react-table': { under: ['web'], reason: 'tables of details' },
  '@tanstack/react-query': { under: ['web'], reason: 'what is shown, and what is asked' },
  '@tanstack/react-virtual': { under: ['web/parts'], reason: 'the long table' },
  i18next: { under: ['web'], reason: 'the catalogue, and its type' },
  'react-i18next': { under: ['web'], reason: 'every text of a page' },
  '@novnc/novnc': { under: ['web/console'], reason: 'the screen' },
  uplot: { under: ['web/overview'], reason: 'the charts' },
  '@codemirror/state': { under: ['web/clients-xml'], reason: 'the editor, and what it marks' },
  '@codemirror/view': { under: ['web/clients-xml'], reason: 'the editor, its marks, its look' },
  '@codemirror/language': { under: ['web/clients-xml'], reason: 'the editor, and its colours' },
  ws: {
    under: ['broker/consoles', 'broker/api/byte-socket.ts', 'cli'],
    reason: 'two ends of a forwarded connection, and its wire form',
  },
  commander: { under: ['cli'], reason: 'each command declares itself' },
}

const SOURCES = TYPESCRIPT_FILES.filter(
  (file) => /^(broker|cli|thin-client|web)\//.test(file) && file !== 'web/vite.config.ts',
)

test('folders of the broker import only those above them', async (t) => {
  const roomOf = (file: string): string => file.split('/')[1] ?? ''
  for (const file of SOURCES.filter((one) => one.startsWith('broker/'))) {
    t.ok(ROOMS.includes(roomOf(file)), `${file}: ${roomOf(file)} has a place in the order`)
    for (const { from, line } of importsOf(file).filter((one) => one.from.startsWith('broker/'))) {
      const edge = /[/-]routes\.ts$/.test(file) && from === 'broker/http.ts'
      if (!edge && ROOMS.indexOf(roomOf(from)) > ROOMS.indexOf(roomOf(file)))
        t.fail(`${file}:${line} imports ${from}, which stands below it`)
    }
  }
})

test('no file leads back to itself, not even for a type', async (t) => {
  const graph = new Map(
    SOURCES.map((file) => [
      file,
      importsOf(file)
        .map(({ from }) => from)
        .filter((from) => SOURCES.includes(from)),
    ]),
  )
  t.same(circlesIn(graph), [])
})

test('a program imports itself and the wire contract, and nothing else of the others', async (t) => {
  for (const file of SOURCES) {
    const program = file.split('/')[0] ?? ''
    for (const { from, line } of importsOf(file).filter(
      (one) => one.from.includes('/') && SOURCES.includes(one.from),
    )) {
      const allowed = from.startsWith(`${program}/`) || from.startsWith('broker/api/')
      if (!allowed) t.fail(`${file}:${line} imports ${from}`)
    }
  }
})

test('each outside library is imported where the table says', async (t) => {
  for (const file of SOURCES) {
    for (const { from, line } of importsOf(file)) {
      if (from.startsWith('node:') || SOURCES.includes(from) || /\.(json|css|svg)$/.test(from))
        continue
      const library = from
        .split('/')
        .slice(0, from.startsWith('@') ? 2 : 1)
        .join('/')
      const places = ONE_PLACE[library] ?? SEVERAL_PLACES[library]?.under ?? []
      if (!places.some((place) => file === place || file.startsWith(`${place}/`)))
        t.fail(
          `${file}:${line} imports ${library}, whose place is ${places.join(', ') || 'not in the table'}`,
        )
    }
  }
})

test('package.json and the table name the same libraries', async (t) => {
  const { dependencies, devDependencies } = JSON.parse(textOf('package.json')) as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >
  const placed = [...Object.keys(ONE_PLACE), ...Object.keys(SEVERAL_PLACES)]
  // The pages are built once; what they are made of is not needed afterwards.
  const ofPages = placed.filter((name) =>
    (SEVERAL_PLACES[name]?.under ?? [ONE_PLACE[name]?.[0] ?? '']).every((place) =>
      place.startsWith('web'),
    ),
  )
  t.same(Object.keys(dependencies).sort(), placed.filter((name) => !ofPages.includes(name)).sort())
  t.same(
    ofPages.filter((name) => !(name in devDependencies)),
    [],
  )
})

/** Each circle once, as the files of which each imports the next one, and the last one the first. */
function circlesIn(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const circles: string[][] = []
  const done = new Set<string>()
  const visit = (file: string, way: readonly string[]): void => {
    const before = way.indexOf(file)
    if (before >= 0) circles.push(way.slice(before))
    if (before >= 0 || done.has(file)) return
    for (const next of graph.get(file) ?? []) visit(next, [...way, file])
    done.add(file)
  }
  for (const file of graph.keys()) visit(file, [])
  return circles
}
