import {
  Content,
  ExpandableSection,
  Label,
  SearchInput,
  Stack,
  StackItem,
} from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useGet } from '../api/queries.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'

interface Parameter {
  readonly name: string
  readonly in: string
  readonly required?: boolean
  readonly schema?: unknown
}
interface Operation {
  readonly summary?: string
  readonly tags?: readonly string[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { content?: Record<string, { schema?: unknown }> }
  readonly responses?: Record<string, { content?: Record<string, { schema?: unknown }> }>
}
interface OpenApi {
  readonly info: { title: string; version: string; description?: string }
  readonly paths: Record<string, Record<string, Operation>>
}

/** The API's own description (OpenAPI), to be read. */
export function ApiDocs(): ReactElement {
  const { t } = useTranslation()
  const [search, setSearch] = useState('')
  const description = useGet<OpenApi>('/openapi.json', [])
  return (
    <>
      <PageHead
        title={t('navigation.apiDocs')}
        about={
          <>
            {t('apiDocs.about')}{' '}
            <a href="/api/v1/openapi.json" download="berth-openapi.json">
              openapi.json
            </a>
          </>
        }
      />
      <SearchInput
        aria-label={t('apiDocs.search')}
        placeholder={t('table.searchPlaceholder')}
        value={search}
        onChange={(_event, value) => {
          setSearch(value)
        }}
        onClear={() => {
          setSearch('')
        }}
      />
      <Loaded query={description}>
        {(api) => <Operations api={api} search={search.toLowerCase()} />}
      </Loaded>
    </>
  )
}

function Operations({ api, search }: { api: OpenApi; search: string }): ReactElement {
  const { t } = useTranslation()
  const all = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method: method.toUpperCase(),
      operation,
    })),
  )
  const found = all.filter(({ path, method, operation }) =>
    `${method} ${path} ${operation.summary ?? ''}`.toLowerCase().includes(search),
  )
  return (
    <Stack hasGutter className="berth-api">
      <StackItem>
        <span role="status">{t('table.countOf', { count: found.length, all: all.length })}</span>
      </StackItem>
      {found.map(({ path, method, operation }) => (
        <StackItem key={`${method} ${path}`}>
          <ExpandableSection toggleText={`${method} ${path} — ${operation.summary ?? ''}`}>
            <OneOperation operation={operation} />
          </ExpandableSection>
        </StackItem>
      ))}
      <StackItem>
        <ExpandableSection toggleText={t('apiDocs.errors')}>
          <Content component="pre" className="berth-pre">
            {api.info.description ?? ''}
          </Content>
        </ExpandableSection>
      </StackItem>
    </Stack>
  )
}

function OneOperation({ operation }: { operation: Operation }): ReactElement {
  const { t } = useTranslation()
  const bodies = Object.values(operation.requestBody?.content ?? {})
  return (
    <Stack hasGutter>
      <StackItem>
        {t('apiDocs.who')} <Label isCompact>{operation.tags?.join(', ') ?? ''}</Label>
      </StackItem>
      {operation.parameters && operation.parameters.length > 0 && (
        <StackItem>
          {t('apiDocs.parameters')}
          <Schema
            schema={operation.parameters.map(({ name, in: place, required = false, schema }) => ({
              name,
              in: place,
              required,
              schema,
            }))}
          />
        </StackItem>
      )}
      {bodies.map(({ schema }, index) => (
        <StackItem key={index}>
          {t('apiDocs.body')}
          <Schema schema={schema} />
        </StackItem>
      ))}
      {Object.entries(operation.responses ?? {})
        .filter(([status]) => /^2/.test(status))
        .map(([status, { content }]) => (
          <StackItem key={status}>
            {t('apiDocs.answer', { status })}
            {Object.values(content ?? {}).map(({ schema }, index) => (
              <Schema key={index} schema={schema} />
            ))}
          </StackItem>
        ))}
    </Stack>
  )
}

function Schema({ schema }: { schema: unknown }): ReactElement {
  return (
    <pre className="berth-pre" tabIndex={0}>
      {JSON.stringify(schema, null, 2)}
    </pre>
  )
}
