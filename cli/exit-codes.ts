/**
 * Every exit code of `berth`, with the line that help and reference show. Scripts rely on the
 * numbers: none is ever given another meaning.
 */
export const EXIT_CODES = {
  ok: {
    code: 0,
    meaning: 'Done. A followed job has succeeded, or was cancelled because you asked for it.',
  },
  refused: {
    code: 1,
    meaning:
      'Refused or failed: the broker said no, a followed job failed or was cancelled, a ' +
      'local program failed, or "berth diff" found a difference.',
  },
  usage: {
    code: 2,
    meaning:
      'The command line is wrong, or a confirmation is needed and there is no terminal to ask on.',
  },
  forbidden: { code: 3, meaning: 'Not logged in, the token has expired, or it may not do this.' },
  unreachable: { code: 4, meaning: 'The broker cannot be reached, or is stopping.' },
  partly: { code: 5, meaning: 'Done for some, failed for others: the failed ones are listed.' },
  'wrong-broker': {
    code: 6,
    meaning:
      'The host that answered does not have the pinned certificate authority. Nothing was sent to it.',
  },
  interrupted: {
    code: 130,
    meaning: 'Interrupted with Ctrl-C. A followed job goes on at the broker.',
  },
} as const satisfies Record<string, { code: number; meaning: string }>

export type ExitName = keyof typeof EXIT_CODES
