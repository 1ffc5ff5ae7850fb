import { says } from '../sentence.js'

/** Who has which desktop, and why somebody gets none. */
export const ASSIGNMENT_REASONS = {
  pool_in_maintenance: says(
    'maintenance',
    '{{pool}} is in maintenance. It is handed out again when that ends.',
  ),
  pool_in_maintenance_for: says(
    'maintenance',
    '{{pool}} is in maintenance: {{why}}. It is handed out again when that ends.',
  ),
  one_desktop_allowed: says(
    'too_many_desktops',
    '{{person}} has 1 desktop, as many as {{pool}} allows: release one first.',
  ),
  desktops_allowed: says(
    'too_many_desktops',
    '{{person}} has {{count}} desktops, as many as {{pool}} allows: release one first.',
  ),
  pool_empty: says('pool_exhausted', '{{pool}} has no desktops yet. Ask the administrator.'),
  pool_full_until: says(
    'pool_exhausted',
    '{{pool}} has no free desktop ({{assigned}} of {{count}} are assigned): the next may become free',
    "at {{at}}, when somebody's time is over.",
  ),
  pool_full: says(
    'pool_exhausted',
    '{{pool}} has no free desktop ({{assigned}} of {{count}} are assigned):',
    'one of those who have them may release one.',
  ),
  pool_not_ready: says(
    'pool_exhausted',
    '{{pool}} has no free desktop ({{assigned}} of {{count}} are assigned): those that are left are',
    'being made ready, in maintenance, failed, or on a hypervisor that does not answer.',
  ),
  desktop_held: says(
    'assigned',
    '{{person}} has {{machine}}: release it first with "berth release {{machine}}".',
  ),
  desktop_held_for_good: says(
    'assigned',
    '{{machine}} is {{person}}\'s: release it first with "berth release {{machine}}".',
  ),
  desktop_held_by_somebody: says(
    'assigned',
    '{{machine}} is somebody\'s already: release it first with "berth release {{machine}}".',
  ),
  other_desktop_held: says(
    'assigned',
    '{{person}} has another desktop of {{pool}} already: release that first.',
  ),
  holder_connected: says(
    'assigned',
    '{{person}} is connected to {{machine}}: release it first with',
    '"berth release {{machine}} --force".',
  ),
  holder_perhaps_connected: says(
    'assigned',
    'It is not known whether {{person}} is connected to {{machine}}: {{why}} Release it first with',
    '"berth release {{machine}} --force".',
  ),
  release_cuts: says(
    'assigned',
    '{{person}} is connected to {{machine}}: use --force to take it all the same.',
  ),
  release_may_cut: says(
    'assigned',
    'It is not known whether {{person}} is connected to {{machine}}: {{why}} Use --force to take it',
    'all the same.',
  ),
  holder_came_back: says('assigned', '{{person}} came back to {{machine}} in this moment.'),
  desktop_not_free: says(
    'assigned',
    '{{machine}} is {{state}}, not free: "berth pool show {{pool}}" tells why.',
  ),
  machine_is_pooled: says(
    'assigned',
    'It is a member of the pool {{pool}}, which hands it out: name the pool in clients.xml',
    '(desktop-pool).',
  ),
  nobody_has_it: says('not_found', 'Nobody has {{machine}}.'),
  nothing_to_release: says('not_found', 'Nobody has {{machine}}: there is nothing to release.'),
  nothing_to_extend: says('not_found', 'Nobody has {{machine}}: there is nothing to extend.'),
  nothing_to_rebuild_from: says(
    'wrong_type',
    '{{machine}} is made from no initial machine: there is nothing to rebuild it from.',
  ),
  rebuild_needs_pool: says(
    'wrong_type',
    '{{machine}} is in no pool: populate its initial machine to renew it.',
  ),
  desktop_not_to_rebuild: says('busy', '{{machine}} is {{state}}: try again when that has ended.'),
  desktop_unclean: says(
    'busy',
    '{{machine}} is cleaned after its last use: it can be opened when that is done.',
  ),
  desktop_taken_away: says(
    'desktop_failed',
    'The desktop was taken away while it was made ready: ask again.',
  ),
  not_cleaned: says('hypervisor_refused', 'It was not cleaned.'),
  named_in_use: says('busy', 'Another thin client or person uses this machine ({{why}}).'),
  named_made_ready: says('busy', 'It is being made ready (job {{job}}, {{kind}}).'),
  named_taken: says('busy', 'Another thin client was quicker.'),
}
