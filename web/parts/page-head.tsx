import { Breadcrumb, BreadcrumbItem, Content, Flex, FlexItem, Title } from '@patternfly/react-core'
import { type ReactElement, type ReactNode, useEffect } from 'react'
import { Link } from 'react-router'

interface PageHeadProps {
  readonly title: string
  readonly above?: ReadonlyArray<{ to: string; name: string }>
  readonly about?: ReactNode
  readonly children?: ReactNode
}

/**
 * The head of a page: where it is, its name (also in the browser's title), a line about it, and
 * what can be done there.
 */
export function PageHead({ title, above, about, children }: PageHeadProps): ReactElement {
  useEffect(() => {
    document.title = `${title} · Berth`
  }, [title])
  return (
    <header className="berth-page-head">
      {above && (
        <Breadcrumb>
          {above.map(({ to, name }) => (
            <BreadcrumbItem
              key={to}
              render={({ className }) => (
                <Link className={className} to={to}>
                  {name}
                </Link>
              )}
            />
          ))}
          <BreadcrumbItem isActive>{title}</BreadcrumbItem>
        </Breadcrumb>
      )}
      <Flex
        justifyContent={{ default: 'justifyContentSpaceBetween' }}
        alignItems={{ default: 'alignItemsCenter' }}
      >
        <FlexItem>
          <Title headingLevel="h1">{title}</Title>
        </FlexItem>
        {children != null && <Flex columnGap={{ default: 'columnGapSm' }}>{children}</Flex>}
      </Flex>
      {about != null && (
        <Content component="p" className="berth-about">
          {about}
        </Content>
      )}
    </header>
  )
}
