import { pino } from 'pino'
import { Events } from '../../broker/events/bus.js'
import { PoolPolicy } from '../../broker/api/pool-policy.js'
import { AUDIT_ACTIONS } from '../../broker/audit/actions.js'
import { SETTINGS } from '../../broker/settings.js'
import { ERRORS } from '../../broker/errors/codes.js'
import { REASONS } from '../../broker/errors/reasons.js'
import { LOGIN_SETTINGS } from '../../broker/login-settings.js'
import { Metrics, type MetricsDeps } from '../../broker/metrics.js'
import { EXIT_CODES } from '../../cli/exit-codes.js'
import { picture } from './imports.js'
import { routesOfTheApi } from './routes.js'

type Row = ReadonlyArray<string | number>
interface Described {
  readonly default?: unknown
  readonly description?: string
}

/** What a page of the reference may have between `<!-- generated:NAME -->` and `<!-- /generated -->`. */
export const TABLES: Readonly<Record<string, () => string>> = {
  imports: picture,
  settings: () =>
    table(
      ['setting', 'default', 'meaning'],
      SETTINGS.map(({ name, default: value, meaning }) => [code(name), code(value), meaning]),
    ),
  'settings-directories': () => loginSettings('directories'),
  'settings-oidc-providers': () => loginSettings('oidc-providers'),
  'settings-trusted-proxy': () => loginSettings('trusted-proxy'),
  'pool-policy': () =>
    table(
      ['field', 'default', 'meaning'],
      fieldsOf(PoolPolicy.properties).map(([name, { default: value, description = '' }]) => [
        code(name),
        value === '' ? '(empty)' : code(JSON.stringify(value).replaceAll('"', '')),
        description,
      ]),
    ),
  errors: () =>
    table(
      ['code', 'HTTP', 'meaning'],
      Object.entries(ERRORS).map(([name, { status, meaning }]) => [code(name), status, meaning]),
    ),
  'error-reasons': reasons,
  'exit-codes': () =>
    table(
      ['code', 'meaning'],
      Object.values(EXIT_CODES).map(({ code: number, meaning }) => [number, meaning]),
    ),
  'audit-events': () =>
    table(
      ['event', 'meaning'],
      Object.entries(AUDIT_ACTIONS).map(([name, meaning]) => [code(name), meaning]),
    ),
  metrics: () =>
    table(
      ['metric', 'type', 'labels', 'meaning'],
      metrics().map(({ name, type, labelNames, help }) => [
        code(name),
        type,
        labelNames.map(code).join(', '),
        help,
      ]),
    ),
  api: () =>
    table(
      ['route', 'who may call it', 'what it does'],
      routesOfTheApi().map(({ route, access, summary }) => [code(route), access, summary]),
    ),
}

/** A list under each code; what the sentences have in braces are the parameters. */
function reasons(): string {
  return Object.keys(ERRORS)
    .flatMap((name) => {
      const own = Object.entries(REASONS).filter(([, reason]) => reason.code === name)
      return own.length === 0
        ? []
        : [
            `### ${code(name)}\n\n${table(
              ['reason', 'sentence'],
              own.map(([reason, { sentence }]) => [
                code(reason),
                sentence.replace(/\{\{(\w+)\}\}/g, '`{$1}`').replaceAll('<', '&lt;'),
              ]),
            )}`,
          ]
    })
    .join('\n\n')
}

function loginSettings(name: keyof typeof LOGIN_SETTINGS): string {
  return table(
    ['setting', 'default', 'meaning'],
    fieldsOf(LOGIN_SETTINGS[name].properties).map(([key, { default: value, description = '' }]) => [
      code(key),
      value === undefined ? 'needed' : code(JSON.stringify(value)),
      description,
    ]),
  )
}

/** Only their names are asked for, so nothing stands behind them. */
function metrics() {
  return new Metrics({
    events: new Events(pino({ level: 'silent' })),
  } as MetricsDeps).descriptions()
}

function fieldsOf(properties: object): Array<[string, Described]> {
  return Object.entries(properties as Record<string, Described>)
}

function code(text: string): string {
  return `\`${text}\``
}

function table(headings: readonly string[], rows: readonly Row[]): string {
  const line = (cells: Row): string =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
  return [line(headings), `|${'---|'.repeat(headings.length)}`, ...rows.map(line)].join('\n')
}
