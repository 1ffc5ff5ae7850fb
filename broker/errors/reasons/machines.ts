import { says } from '../sentence.js'

/** Machines: their names, types and parents, and whether they run. */
export const MACHINE_REASONS = {
  machine_unknown: says(
    'not_found',
    'There is no machine {{machine}}: "berth machine list" shows all.',
  ),
  machine_deleted: says('not_found', 'The machine was deleted meanwhile.'),
  machine_taken: says(
    'name_taken',
    'There is a machine {{machine}} on {{hypervisor}} already: choose another name.',
  ),
  machine_named_like_hypervisor: says(
    'name_taken',
    'There is a hypervisor {{hypervisor}} already, and jobs name both:',
    'choose another name for the machine.',
  ),
  machine_name_form: says(
    'invalid_request',
    '"{{name}}" cannot be a machine\'s name: letters, digits, dot, dash and underscore, at most 63.',
  ),
  machine_name_like_generation: says(
    'invalid_request',
    '"{{name}}" ends like a generation of an image: choose another name.',
  ),
  name_has_numbers: says(
    'invalid_request',
    'The name {{name}} holds more than one number: use {n} or {nn} once.',
  ),
  name_needs_number: says(
    'invalid_request',
    '{{count}} machines need a number in their name: write for example {{name}}-{nn}.',
  ),
  no_free_mac: says('mac_taken', 'No free MAC address was found: too many are taken.'),
  mac_taken: says(
    'mac_taken',
    '{{machine}} has the MAC address {{mac}}, and so has {{other}} on {{hypervisor}}: both would',
    'lose their connections. Give one of them another with "virsh edit".',
  ),
  domain_missing: says(
    'not_found',
    '{{hypervisor}} has no domain {{machine}}: populate its initial again, or delete the machine.',
  ),
  domain_not_offered: says(
    'not_found',
    '{{hypervisor}} has no domain {{machine}}: "berth hypervisor domains {{hypervisor}}" shows those',
    'that can be adopted.',
  ),
  disk_not_managed: says(
    'wrong_type',
    'The disk of {{machine}} ({{disk}}) is no file of its host: it can be a simple machine only,',
    'for its power and console.',
  ),
  type_wrong: says(
    'wrong_type',
    '{{machine}} is a {{type}} machine; this is for machines of the type {{types}}.',
  ),
  type_not_handed_out: says(
    'wrong_type',
    '{{machine}} is a {{type}} machine: only vdi and simple machines are handed to people.',
  ),
  type_keeps_changes: says(
    'wrong_type',
    '{{machine}} is a {{type}} machine: only vdi machines throw their changes away.',
  ),
  discard_is_for_vdi: says(
    'wrong_type',
    'Only vdi machines throw their changes away: leave "discardChanges" out.',
  ),
  type_has_no_parent: says(
    'invalid_request',
    'A {{type}} machine has no parent: leave "parent" out.',
  ),
  vdi_needs_parent: says(
    'invalid_request',
    'A vdi machine needs the initial machine it is made from: give "parent".',
  ),
  type_change_needs_off: says(
    'machine_running',
    '{{machine}} is {{power}}: shut it down before its type or parent is changed.',
  ),
  type_cannot_carry: says(
    'has_dependants',
    'Made from {{machine}}: {{children}}. A {{type}} machine cannot carry that.',
  ),
  machine_not_off: says('machine_running', '{{machine}} is {{power}}: shut it down first.'),
  machine_not_off_force: says(
    'machine_running',
    '{{machine}} is {{power}}: shut it down first, or use --force.',
  ),
  machine_not_running: says('machine_off', '{{machine}} is {{power}}: start it instead.'),
  machine_off: says('machine_off', '{{machine}} is not running: start it first.'),
  no_children: says('not_found', 'No machine is made from {{machine}}.'),
  one_child: says(
    'has_dependants',
    '1 machine is made from {{machine}} ({{child}}): delete it first, or use --force.',
  ),
  has_children: says(
    'has_dependants',
    '{{count}} machines are made from {{machine}} ({{children}}): delete them first,',
    'or use --force.',
  ),
  child_left: says(
    'has_dependants',
    '{{child}}, which is made from {{machine}}, could not be deleted.',
  ),
  images_left: says(
    'hypervisor_unreachable',
    'Its images on {{hypervisors}} could not be removed: try again when that answers.',
  ),
  machine_held: says('assigned', '{{person}} has {{machine}}: release it first, or use --force.'),
}
