import { SearchInput, Toolbar, ToolbarContent, ToolbarItem } from '@patternfly/react-core'
import type { ReactElement, ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

interface SearchToolsProps {
  /** Of what is searched. */ readonly label: string
  /** What stands in the search while it is empty; "Search" when absent. */
  readonly searchHint?: string | undefined
  readonly search: string
  readonly setSearch: (search: string) => void
  /** Beside the search. */ readonly tools: ReactNode
  /** How many are found, in words. */ readonly found: string
}

/** The search, what a page puts beside it, and how many are found. */
export function SearchTools({
  label,
  searchHint,
  search,
  setSearch,
  tools,
  found,
}: SearchToolsProps): ReactElement {
  const { t } = useTranslation()
  return (
    <Toolbar inset={{ default: 'insetNone' }}>
      <ToolbarContent>
        <ToolbarItem>
          <SearchInput
            aria-label={t('table.search', { table: label })}
            placeholder={searchHint ?? t('table.searchPlaceholder')}
            value={search}
            onChange={(_event, value) => {
              setSearch(value)
            }}
            onClear={() => {
              setSearch('')
            }}
          />
        </ToolbarItem>
        {tools}
        <ToolbarItem align={{ default: 'alignEnd' }}>
          <span role="status">{found}</span>
        </ToolbarItem>
      </ToolbarContent>
    </Toolbar>
  )
}
