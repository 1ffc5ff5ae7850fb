import { Button } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { path } from '../api/client.js'
import { useGet } from '../api/queries.js'
import { Loaded } from '../parts/loaded.js'

/** The domain as its hypervisor has it, without secrets. */
export function DomainXml({ name }: { name: string }): ReactElement {
  const { t } = useTranslation()
  const [copied, setCopied] = useState(false)
  const xml = useGet<{ xml: string }>(path`/machines/${name}/xml`, ['machines'])
  const copy = (text: string): void => {
    void navigator.clipboard.writeText(text).then(() => {
      setCopied(true)
    })
  }
  return (
    <Loaded query={xml}>
      {({ xml: text }) => (
        <>
          <Button
            variant="secondary"
            size="sm"
            onClick={() => {
              copy(text)
            }}
          >
            {t(copied ? 'machines.copied' : 'machines.copyText')}
          </Button>
          <pre className="berth-pre" tabIndex={0} aria-label="XML">
            {text}
          </pre>
        </>
      )}
    </Loaded>
  )
}
