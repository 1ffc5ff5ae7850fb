import {
  EmptyState,
  EmptyStateActions,
  EmptyStateBody,
  EmptyStateFooter,
} from '@patternfly/react-core'
import { type ReactElement, useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import { Link } from 'react-router'
import type { Desktop } from '../../broker/api/assignments.js'
import type { Machine } from '../../broker/api/machines.js'
import type { Session } from '../../broker/api/users.js'
import { useDesktops, useMachines } from '../machines/use-machines.js'
import { ButtonLink } from '../parts/button-link.js'
import { useLeave, useParam, useSetParams } from '../parts/choice-filter.js'
import { JobProgress } from '../parts/job-progress.js'
import { Loaded } from '../parts/loaded.js'
import { PageHead } from '../parts/page-head.js'
import { CopyDialogue } from './copy-dialogue.js'
import { ImportDialogue } from './import-dialogue.js'
import './images.css'
import { linesOf, type SourceLine } from './lines.js'
import { PopulateDialogue } from './populate-dialogue.js'
import { InitialLine, SourceBox } from './picture.js'

/** The lines from a source over its initials and their generations to the machines that stand on them. */
export function ImagesPage({ session }: { session: Session }): ReactElement {
  const { t } = useTranslation()
  const machines = useMachines()
  const admin = session.role === 'admin'
  const [job, setJob] = useParam('job')
  return (
    <>
      <PageHead title={t('navigation.images')} about={t('images.about')}>
        {admin && (
          <ButtonLink variant="secondary" to="/machines/-/new?type=source">
            {t('images.newSource')}
          </ButtonLink>
        )}
      </PageHead>
      {job !== '' && (
        <JobProgress
          id={job}
          mayCancel={admin}
          close={() => {
            setJob('')
          }}
        />
      )}
      <Loaded query={machines}>
        {({ machines: all }) => <Picture all={all} admin={admin} shownJob={job} />}
      </Loaded>
      {machines.data && admin && <Dialogues all={machines.data.machines} />}
    </>
  )
}

interface PictureProps {
  readonly all: readonly Machine[]
  readonly admin: boolean
  readonly shownJob: string
}

function Picture({ all, admin, shownJob }: PictureProps): ReactElement {
  const desktops = useDesktops()
  const lines = useMemo(() => linesOf(all), [all])
  if (lines.length === 0) return <NoLines admin={admin} />
  return (
    <>
      {lines.map((line) => (
        <LineOfImages
          key={line.source?.id ?? 'none'}
          line={line}
          desktops={desktops}
          admin={admin}
          shownJob={shownJob}
        />
      ))}
    </>
  )
}

function NoLines({ admin }: { admin: boolean }): ReactElement {
  const { t } = useTranslation()
  return (
    <EmptyState headingLevel="h2" titleText={t('images.none')}>
      <EmptyStateBody>{t('images.noneWhat')}</EmptyStateBody>
      {admin && (
        <EmptyStateFooter>
          <EmptyStateActions>
            <ButtonLink to="/machines/-/new?type=source">{t('images.newSource')}</ButtonLink>
          </EmptyStateActions>
        </EmptyStateFooter>
      )}
    </EmptyState>
  )
}

interface LineOfImagesProps extends Pick<PictureProps, 'admin' | 'shownJob'> {
  readonly line: SourceLine
  readonly desktops: ReadonlyMap<string, Desktop>
}

/** A source with its initials. */
function LineOfImages({
  line: { source, initials },
  desktops,
  admin,
  shownJob,
}: LineOfImagesProps): ReactElement {
  const { t } = useTranslation()
  return (
    <section className="berth-line" aria-label={source?.name ?? t('images.noSource')}>
      <SourceBox source={source} admin={admin} />
      <div className="berth-initials">
        {initials.length === 0 && <NoInitials source={admin ? source : null} />}
        {initials.map(({ initial, machines }) => (
          <InitialLine
            key={initial.id}
            initial={initial}
            machines={machines}
            desktops={desktops}
            admin={admin}
            shownJob={shownJob}
          />
        ))}
      </div>
    </section>
  )
}

/** `source`: from which they can make one; null: they cannot. */
function NoInitials({ source }: { source: Machine | null }): ReactElement {
  const { t } = useTranslation()
  return (
    <p className="berth-quiet berth-branch">
      {t('images.noInitials')}
      {source && (
        <>
          {' '}
          <Link to={`/machines/-/new?type=initial&parent=${encodeURIComponent(source.name)}`}>
            {t('images.newInitial')}
          </Link>
        </>
      )}
    </p>
  )
}

/**
 * What is asked for stands in the address: ?copy=INITIAL, ?populate=INITIAL&generation=g2,
 * ?import=SOURCE; then the job that it became.
 */
function Dialogues({ all }: { all: readonly Machine[] }): ReactElement {
  const [[copy], [populate], [importTo]] = [
    useParam('copy'),
    useParam('populate'),
    useParam('import'),
  ]
  const set = useSetParams()
  const leave = useLeave()
  const named = (name: string): Machine | undefined => all.find((machine) => machine.name === name)
  const begun = (job: string): void => {
    set({ copy: '', populate: '', generation: '', import: '', job })
  }
  const close = (): void => {
    leave({ copy: '', populate: '', generation: '', import: '' })
  }
  const [toCopy, toPopulate, toImport] = [named(copy), named(populate), named(importTo)]
  return (
    <>
      {toCopy && <CopyDialogue initial={toCopy} all={all} begun={begun} close={close} />}
      {toPopulate && <PopulateDialogue initial={toPopulate} begun={begun} close={close} />}
      {toImport && <ImportDialogue machine={toImport} begun={begun} close={close} />}
    </>
  )
}
