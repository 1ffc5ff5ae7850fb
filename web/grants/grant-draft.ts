import type { Grant, GrantPlace, Verb } from '../../broker/api/permissions.js'

/** What somebody gets who has nothing there yet. */
const USUAL: readonly Verb[] = ['start', 'accessConsole', 'release', 'extend']

/**
 * What is being given. `verbs` is null until somebody has chosen: then it is what the subject has
 * there, else what is usual.
 */
export interface GrantDraft extends GrantPlace {
  readonly verbs: readonly Verb[] | null
}
export const NEW_GRANT: GrantDraft = {
  kind: 'pool',
  object: '',
  subjectKind: 'user',
  subject: '',
  verbs: null,
}

/** As the broker finds a name. */
export function isSameName(one: string, other: string): boolean {
  return keyOf(one) === keyOf(other)
}
function keyOf(name: string): string {
  return name.normalize('NFC').trim().toLowerCase()
}

/** What the subject has on that very object by a grant of its own. */
export function grantAt(
  grants: readonly Grant[],
  { kind, object, subjectKind, subject }: GrantPlace,
): Grant | undefined {
  return grants.find(
    (grant) =>
      grant.kind === kind &&
      grant.subjectKind === subjectKind &&
      isSameName(grant.object, object) &&
      isSameName(grant.subject, subject),
  )
}

/** Another place, where something else may be given already: what was chosen for the one before does not hold there. */
export function moved(
  draft: GrantDraft,
  part: Partial<GrantPlace>,
  grants: readonly Grant[],
): GrantDraft {
  const after = { ...draft, ...part }
  return grantAt(grants, draft) === grantAt(grants, after) ? after : { ...after, verbs: null }
}

export function verbsOf(draft: GrantDraft, there: Grant | undefined): readonly Verb[] {
  return draft.verbs ?? there?.verbs ?? USUAL
}

/** Whether it says who may do what, and where. */
export function isWhole({ object, subject }: GrantPlace, verbs: readonly Verb[]): boolean {
  return object !== '' && subject !== '' && verbs.length > 0
}
