import { Button } from '@patternfly/react-core'
import { type ReactElement, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { chooseLayout, chosenLayout } from './chosen-layout.js'
import { type Key, KEYS, keysymOf, press, type Sender } from './keys.js'
import { type LayoutKey, type LayoutName, LAYOUTS, rowsOf } from './layouts.js'

/** Pressed, they stay until the next key, as one finger needs it. */
const HELD = {
  shift: 'Shift',
  altGr: 'AltGr',
  control: 'Ctrl',
  alt: 'Alt',
  super: 'Super',
} as const
type Held = keyof typeof HELD
const NAMED: ReadonlyArray<readonly [string, Key]> = [
  ['Esc', KEYS.escape],
  ['Tab', KEYS.tab],
  ['⌫', KEYS.backspace],
  ['⏎', KEYS.enter],
  ['←', KEYS.left],
  ['↑', KEYS.up],
  ['↓', KEYS.down],
  ['→', KEYS.right],
]
/** How those keys that are shown by a sign are called. */
const SPOKEN: Readonly<Record<string, string>> = {
  '⌫': 'Backspace',
  '⏎': 'Enter',
  '←': 'Left',
  '↑': 'Up',
  '↓': 'Down',
  '→': 'Right',
}

/** A small keyboard for fingers, in the layout of the guest. */
export function TouchKeyboard({ to }: { to: Sender }): ReactElement {
  const { t } = useTranslation()
  const [layout, setLayout] = useState<LayoutName>(chosenLayout)
  const [held, setHeld] = useState<readonly Held[]>([])
  const level = (held.includes('shift') ? 1 : 0) + (held.includes('altGr') ? 2 : 0)
  const send = (key: Key): void => {
    press(to, [...held.map((one) => KEYS[one]), key])
    setHeld([])
  }
  const toggle = (one: Held): void => {
    setHeld(held.includes(one) ? held.filter((other) => other !== one) : [...held, one])
  }
  return (
    <div className="berth-keyboard" role="group" aria-label={t('console.keyboard')}>
      {rowsOf(layout).map((row) => (
        <div className="berth-keys" key={row[0]?.code}>
          {row.map((key) => (
            <CharacterKey key={key.code} of={key} level={level} send={send} />
          ))}
        </div>
      ))}
      <div className="berth-keys">
        <HeldKeys held={held} toggle={toggle} />
        <Button
          variant="control"
          className="berth-space"
          aria-label={t('console.space')}
          onClick={() => {
            send(KEYS.space)
          }}
        >
          {' '}
        </Button>
        <NamedKeys send={send} />
        <LayoutSelect layout={layout} choose={setLayout} />
      </div>
    </div>
  )
}

interface HeldKeysProps {
  readonly held: readonly Held[]
  readonly toggle: (key: Held) => void
}

function HeldKeys({ held, toggle }: HeldKeysProps): ReactElement {
  return (
    <>
      {(Object.keys(HELD) as Held[]).map((one) => (
        <Button
          key={one}
          variant="control"
          aria-pressed={held.includes(one)}
          isClicked={held.includes(one)}
          onClick={() => {
            toggle(one)
          }}
        >
          {HELD[one]}
        </Button>
      ))}
    </>
  )
}

function NamedKeys({ send }: { send: (key: Key) => void }): ReactElement {
  return (
    <>
      {NAMED.map(([name, key]) => (
        <Button
          key={name}
          variant="control"
          aria-label={SPOKEN[name] ?? name}
          onClick={() => {
            send(key)
          }}
        >
          {name}
        </Button>
      ))}
    </>
  )
}

interface LayoutSelectProps {
  readonly layout: LayoutName
  readonly choose: (layout: LayoutName) => void
}

function LayoutSelect({ layout, choose }: LayoutSelectProps): ReactElement {
  const { t } = useTranslation()
  return (
    <select
      aria-label={t('console.layout')}
      value={layout}
      onChange={({ target }) => {
        chooseLayout(target.value as LayoutName)
        choose(target.value as LayoutName)
      }}
    >
      {Object.entries(LAYOUTS).map(([name, title]) => (
        <option key={name} value={name}>
          {title}
        </option>
      ))}
    </select>
  )
}

function CharacterKey({
  of: { code, levels },
  level,
  send,
}: {
  of: LayoutKey
  level: number
  send: (key: Key) => void
}): ReactElement | null {
  const character = levels[level] ?? levels[0]
  if (character === undefined) return null
  return (
    <Button
      variant="control"
      onClick={() => {
        send({ keysym: keysymOf(character), code })
      }}
    >
      {character}
    </Button>
  )
}
