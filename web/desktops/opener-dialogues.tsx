import {
  Button,
  ClipboardCopy,
  Modal,
  ModalBody,
  ModalFooter,
  ModalHeader,
} from '@patternfly/react-core'
import { useQuery } from '@tanstack/react-query'
import type { ReactElement } from 'react'
import { useTranslation } from 'react-i18next'
import type { MachinePath } from '../../broker/api/consoles.js'
import type { Offer } from '../../broker/api/offers.js'
import type { ApiError } from '../api/client.js'
import { Confirm } from '../parts/confirm.js'
import { Loaded } from '../parts/loaded.js'
import type { Opener } from './opener.js'
import { rdpPaths, saveRdpFile } from './opening.js'

/** What may have to be asked or told on the way to a screen. */
export function OpenerDialogues({ offer, opener }: { offer: Offer; opener: Opener }): ReactElement {
  const { t } = useTranslation()
  const { inUse, rdpOf, forget } = opener
  return (
    <>
      {inUse &&
        (offer.verbs.includes('takeConsole') ? (
          <Confirm
            title={t('desktops.inUse', { machine: inUse.machine })}
            action={t('desktops.take')}
            danger
            pending={opener.pending}
            error={null}
            onConfirm={opener.take}
            close={forget}
          >
            {inUse.sentence}
          </Confirm>
        ) : (
          <Told title={t('desktops.inUse', { machine: inUse.machine })} close={forget}>
            {inUse.sentence}
          </Told>
        ))}
      {rdpOf !== null && <RdpDialogue machine={rdpOf} close={forget} />}
    </>
  )
}

function Told({
  title,
  children,
  close,
}: {
  title: string
  children: string
  close: () => void
}): ReactElement {
  const { t } = useTranslation()
  return (
    <Modal isOpen variant="small" onClose={close} aria-label={title}>
      <ModalHeader title={title} />
      <ModalBody>{children}</ModalBody>
      <ModalFooter>
        <Button onClick={close}>{t('common.close')}</Button>
      </ModalFooter>
    </Modal>
  )
}

/** Whether the guest answers by RDP is found out when it is asked for: it takes a moment. */
function RdpDialogue({ machine, close }: { machine: string; close: () => void }): ReactElement {
  const { t } = useTranslation()
  const paths = useQuery<MachinePath[], ApiError>({
    queryKey: ['rdp', machine],
    queryFn: async () => await rdpPaths(machine),
    gcTime: 0,
  })
  const title = t('desktops.rdpTitle', { machine })
  return (
    <Modal isOpen variant="small" onClose={close} aria-label={title}>
      <ModalHeader title={title} />
      <ModalBody>
        <Loaded query={paths}>
          {(found) => {
            const open = found.filter((one) => one.reachable)
            return open.length === 0 ? (
              <p>
                {t('desktops.rdpNone')} {found[0]?.sentence}
              </p>
            ) : (
              <>
                {open.map((one) => (
                  <RdpWay key={one.via} machine={machine} way={one} />
                ))}
              </>
            )
          }}
        </Loaded>
      </ModalBody>
      <ModalFooter>
        <Button variant="link" onClick={close}>
          {t('common.close')}
        </Button>
      </ModalFooter>
    </Modal>
  )
}

function RdpWay({ machine, way }: { machine: string; way: MachinePath }): ReactElement {
  const { t } = useTranslation()
  if (way.via === 'direct')
    return (
      <p className="berth-rdp">
        <Button
          onClick={() => {
            saveRdpFile(machine, way)
          }}
        >
          {t('desktops.rdpFile')}
        </Button>{' '}
        {t('desktops.rdpDirect', { address: way.address ?? '' })}
      </p>
    )
  return (
    <div className="berth-rdp">
      <p>{t('desktops.rdpForward')}</p>
      {way.commands.map((command) => (
        <ClipboardCopy
          key={command}
          isReadOnly
          hoverTip={t('desktops.copy')}
          clickTip={t('desktops.copied')}
          textAriaLabel={t('desktops.command')}
          toggleAriaLabel={t('desktops.command')}
        >
          {command}
        </ClipboardCopy>
      ))}
    </div>
  )
}
