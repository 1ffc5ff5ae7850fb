import { says } from '../sentence.js'

/** Pools, their members, and the documents that describe them. */
export const POOL_REASONS = {
  pool_unknown: says('not_found', 'There is no pool {{pool}}: "berth pool list" shows all.'),
  pool_taken: says(
    'name_taken',
    'There is a pool {{pool}} already: choose another name, or change its size with',
    '"berth pool resize {{pool}} N".',
  ),
  pool_gone: says('not_found', 'The pool was deleted meanwhile.'),
  named_pool_gone: says('not_found', 'The pool {{pool}} was deleted meanwhile.'),
  pool_being_deleted: says('busy', '{{pool}} is being deleted.'),
  pool_hands_out_no_more: says('not_found', 'The pool {{pool}} is being deleted.'),
  pool_needs_golden: says(
    'invalid_request',
    'A pool that builds {{count}} members needs the golden machine they are made from:',
    'give "from", or a size of 0.',
  ),
  pool_without_golden: says(
    'invalid_request',
    '{{pool}} has no golden machine to make members from: add machines with',
    '"berth pool add {{pool}} MACHINE".',
  ),
  policy_refused: says('invalid_request', 'The policy is refused: {{faults}}.'),
  no_hypervisor_for_pool: says(
    'hypervisor_unreachable',
    'No hypervisor on which the pool may live is up and out of maintenance.',
  ),
  member_name_taken: says(
    'name_taken',
    'There is a machine {{machine}} already, and a member of {{pool}} would be called so:',
    'choose another name for the pool, or delete that machine.',
  ),
  no_member: says('not_found', '{{machine}} is no member of {{pool}}.'),
  no_member_yet: says(
    'not_found',
    '{{machine}} is no member of {{pool}}: make it one with "berth pool add {{pool}} {{machine}}".',
  ),
  member_given_meanwhile: says(
    'assigned',
    '{{machine}} is {{state}}: it was given to somebody meanwhile.',
  ),
  member_assigned: says(
    'assigned',
    '{{machine}} is assigned: release it first with "berth release {{machine}}".',
  ),
  machine_use_unknown: says(
    'assigned',
    'It is not known whether somebody is connected to {{machine}}: {{why}}',
  ),
  machine_in_use: says(
    'assigned',
    'Somebody is connected to {{machine}}: wait until they have left.',
  ),
  members_left: says(
    'has_dependants',
    '{{machines}} could not be deleted: delete the pool again when that is mended.',
  ),
  pool_assigned: says(
    'assigned',
    'Desktops of {{pool}} that somebody has: {{desktops}}. Release them first, or use --force.',
  ),
  documents_refused: says(
    'invalid_request',
    'The documents are refused, line {{line}}: {{fault}}.',
  ),
  documents_refused_with_one_more: says(
    'invalid_request',
    'The documents are refused, line {{line}}: {{fault}} (1 more fault in the details).',
  ),
  documents_refused_with_more: says(
    'invalid_request',
    'The documents are refused, line {{line}}: {{fault}} ({{more}} more faults in the details).',
  ),
  pool_described_twice: says(
    'invalid_request',
    'A pool is described twice: leave one description out.',
  ),
  documents_name_unknown_pool: says(
    'not_found',
    '{{machine}} names the pool {{pool}}, which does not exist: describe it in the same file.',
  ),
  too_many_documents: says(
    'invalid_request',
    'That is more than {{documents}} documents or {{lines}} lines: apply them in parts.',
  ),
  document_too_long: says(
    'invalid_request',
    'A single document has more than {{most}} characters: no pool needs so many.',
  ),
  document_too_full: says(
    'invalid_request',
    'A single document has more than {{most}} lists, entries and quotes: no pool needs so many.',
  ),
}
