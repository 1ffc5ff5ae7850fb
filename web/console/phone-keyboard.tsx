import { Button } from '@patternfly/react-core'
import { MobileAltIcon } from '@patternfly/react-icons/dist/esm/icons/mobile-alt-icon'
import { type FormEvent, type ReactElement, type RefObject, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { chosenLayout } from './chosen-layout.js'
import { KEYS, press, type Sender } from './keys.js'
import { typeCharacter } from './layouts.js'

/** What a phone's keyboard edits must hold something, or it has nothing to delete. */
const FILLING = ' '.repeat(64)

/** What was typed: so many characters deleted, then these. Pure. */
export function typedSince(
  before: string,
  after: string,
): { readonly deleted: number; readonly typed: string } {
  let same = 0
  while (same < before.length && same < after.length && before[same] === after[same]) same++
  return { deleted: before.length - same, typed: after.slice(same) }
}

/** Opens the phone's own keyboard: a field that nobody sees takes what is typed, and it goes on to the guest. */
export function PhoneKeyboard({ to }: { to: Sender }): ReactElement | null {
  const { t } = useTranslation()
  const field = useRef<HTMLTextAreaElement>(null)
  if (!window.matchMedia('(pointer: coarse)').matches) return null
  return (
    <>
      <UnseenField to={to} field={field} />
      <Button
        title={t('console.phoneKeyboard')}
        variant="plain"
        aria-label={t('console.openPhoneKeyboard')}
        icon={<MobileAltIcon />}
        onClick={() => {
          field.current?.focus()
        }}
      />
    </>
  )
}

interface UnseenFieldProps {
  readonly to: Sender
  readonly field: RefObject<HTMLTextAreaElement>
}

function UnseenField({ to, field }: UnseenFieldProps): ReactElement {
  const { t } = useTranslation()
  const before = useRef(FILLING)
  const refill = (): void => {
    if (!field.current) return
    field.current.value = before.current = FILLING
  }
  const input = ({ currentTarget, nativeEvent }: FormEvent<HTMLTextAreaElement>): void => {
    const { deleted, typed } = typedSince(before.current, currentTarget.value)
    for (let n = 0; n < deleted; n++) press(to, [KEYS.backspace])
    for (const character of typed) typeCharacter(to, character, chosenLayout())
    before.current = currentTarget.value
    // A keyboard that has deleted nearly all that there is would have nothing more to delete.
    if (
      currentTarget.value.length < FILLING.length / 2 &&
      (nativeEvent as InputEvent).isComposing !== true
    )
      refill()
  }
  return (
    <textarea
      ref={field}
      className="berth-unseen"
      aria-label={t('console.phoneKeyboard')}
      tabIndex={-1}
      autoCapitalize="none"
      autoComplete="off"
      autoCorrect="off"
      spellCheck={false}
      defaultValue={FILLING}
      onInput={input}
      onFocus={refill}
      onBlur={refill}
    />
  )
}
