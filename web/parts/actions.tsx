import { Dropdown, DropdownItem, DropdownList, MenuToggle } from '@patternfly/react-core'
import { EllipsisVIcon } from '@patternfly/react-icons/dist/esm/icons/ellipsis-v-icon'
import { type ReactElement, useState } from 'react'

export interface Action {
  readonly name: string
  readonly onClick: () => void
  readonly isDanger?: boolean
  readonly isDisabled?: boolean
  /** Why it cannot be done now. */ readonly description?: string
}

interface ActionsProps {
  readonly label: string
  readonly text?: string
  readonly actions: readonly Action[]
  readonly isDisabled?: boolean
  readonly isBusy?: boolean
}

/**
 * A menu of what can be done. `label` names it for who does not see it; with `text` it is a button
 * with a word, which begins its name, else three dots. `isBusy`: something of it is being done; it
 * waits, and keeps the focus meanwhile.
 */
export function Actions({
  label,
  text,
  actions,
  isDisabled = false,
  isBusy = false,
}: ActionsProps): ReactElement {
  const [open, setOpen] = useState(false)
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      shouldFocusToggleOnSelect
      popperProps={{ position: 'right' }}
      toggle={(ref) => (
        <MenuToggle
          ref={ref}
          aria-label={text === undefined ? label : `${text}: ${label}`}
          variant={text === undefined ? 'plain' : 'secondary'}
          isExpanded={open}
          isDisabled={isDisabled}
          aria-disabled={isBusy || isDisabled}
          onClick={() => {
            if (!isBusy) setOpen(!open)
          }}
          {...(text === undefined ? { icon: <EllipsisVIcon /> } : {})}
        >
          {text}
        </MenuToggle>
      )}
    >
      <DropdownList>
        {actions.map((action) => (
          <ActionItem
            key={action.name}
            action={action}
            closeMenu={() => {
              setOpen(false)
            }}
          />
        ))}
      </DropdownList>
    </Dropdown>
  )
}

function ActionItem({
  action: { name, onClick, isDanger = false, isDisabled = false, description },
  closeMenu,
}: {
  action: Action
  closeMenu: () => void
}): ReactElement {
  return (
    <DropdownItem
      isDanger={isDanger}
      isDisabled={isDisabled}
      description={description}
      onClick={() => {
        closeMenu()
        onClick()
      }}
    >
      {name}
    </DropdownItem>
  )
}
