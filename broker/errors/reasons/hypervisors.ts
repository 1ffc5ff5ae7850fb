import { says } from '../sentence.js'

/** Hypervisors: the line to them, what they refuse, what is recorded of them. */
export const HYPERVISOR_REASONS = {
  hypervisor_unknown: says(
    'not_found',
    'There is no hypervisor {{hypervisor}}: "berth hypervisor list" shows all.',
  ),
  hypervisor_taken: says(
    'name_taken',
    'There is a hypervisor {{hypervisor}} already: choose another name.',
  ),
  hypervisor_named_like_machine: says(
    'name_taken',
    'There is a machine {{machine}} already, and jobs name both:',
    'choose another name for the hypervisor.',
  ),
  hypervisor_address_taken: says(
    'name_taken',
    '{{address}} port {{port}} is the hypervisor {{hypervisor}} already.',
  ),
  hypervisor_has_machines: says(
    'has_dependants',
    '{{hypervisor}} still has machines ({{machines}}): delete them first,',
    'or use --force to forget them.',
  ),
  hypervisor_directories_used: says(
    'has_dependants',
    '{{hypervisor}} has {{count}} machines whose disks lie in its directories: delete them first.',
  ),
  host_key_other: says(
    'host_key_changed',
    '{{hypervisor}} shows {{offered}} now, not {{fingerprint}}: look again before you trust it.',
  ),
  host_key_changed: says(
    'host_key_changed',
    '{{hypervisor}} shows the host key {{offered}}, pinned is {{pinned}}: if the host was',
    'reinstalled, run "berth hypervisor trust {{hypervisor}}".',
  ),
  hypervisor_not_connected: says('hypervisor_unreachable', '{{hypervisor}} is not connected.'),
  hypervisor_away: says('hypervisor_unreachable', '{{hypervisor}} is not reachable: {{why}}'),
  hypervisor_away_since: says(
    'hypervisor_unreachable',
    '{{hypervisor}} is not reachable since {{minutes}} min: {{why}}',
  ),
  ssh_login_refused: says(
    'hypervisor_unreachable',
    "{{place}}: it refuses the broker's key; run the install line of",
    '"berth hypervisor show" on it as root.',
  ),
  ssh_port_closed: says(
    'hypervisor_unreachable',
    '{{place}}: nothing listens there; is sshd running?',
  ),
  ssh_name_unknown: says('hypervisor_unreachable', '{{place}}: the name is not known in the DNS.'),
  ssh_no_route: says(
    'hypervisor_unreachable',
    '{{place}}: no route to it; is the host on and the network up?',
  ),
  ssh_no_answer: says(
    'hypervisor_unreachable',
    '{{place}}: no answer; is the host on and the network up?',
  ),
  ssh_hung_up: says(
    'hypervisor_unreachable',
    '{{place}}: it closed the connection during the login; was sshd restarted?',
  ),
  ssh_closed: says('hypervisor_unreachable', '{{place}}: it closed the connection.'),
  ssh_failed: says('hypervisor_unreachable', '{{place}}: {{said}}.'),
  port_not_reached: says('hypervisor_unreachable', '{{place}} cannot be reached: {{said}}.'),
  port_line_lost: says(
    'hypervisor_unreachable',
    '{{place}} cannot be reached: the line to the hypervisor was lost.',
  ),
  port_silent: says(
    'connection_refused',
    'Nothing answers at {{place}} within {{ms}} ms, as seen from the hypervisor.',
  ),
  port_refused: says(
    'connection_refused',
    'Nothing answers at {{place}}, as seen from the hypervisor.',
  ),
  forwarding_refused: says(
    'hypervisor_refused',
    "The hypervisor's sshd refuses to forward to {{place}}:",
    'set AllowTcpForwarding yes for the account berth.',
  ),
  helper_silent: says(
    'hypervisor_unreachable',
    '{{hypervisor}}: the helper does not answer; run the install line of',
    '"berth hypervisor show {{hypervisor}}" again.',
  ),
  helper_restarted: says(
    'hypervisor_unreachable',
    'The helper on {{hypervisor}} does not answer; another one is started.',
  ),
  helper_of_other_berth: says(
    'hypervisor_refused',
    '{{hypervisor}} has a helper of another Berth (protocol {{protocol}}):',
    'run the install line again.',
  ),
  helper_late: says(
    'timeout',
    '{{hypervisor}} did not answer "{{operation}}" within {{seconds}} s;',
    'it is looked up before anything is repeated.',
  ),
  line_lost: says(
    'hypervisor_unreachable',
    'The line to {{hypervisor}} was lost; Berth looks what was done when it is back.',
  ),
  libvirt_late: says(
    'timeout',
    '{{hypervisor}}: libvirt did not answer "{{operation}}" within {{seconds}} s;',
    'it is looked up before anything is repeated.',
  ),
  libvirt_process_ended: says(
    'hypervisor_unreachable',
    'The libvirt process ended; it is started again.',
  ),
  libvirt_line_lost: says(
    'hypervisor_unreachable',
    'The line to libvirt on {{hypervisor}} was lost ({{said}}).',
  ),
  libvirt_foreign: says('foreign', '{{hypervisor}}: {{said}}.'),
  libvirt_refused: says('hypervisor_refused', '{{hypervisor}}: {{said}}.'),
  host_refused: says('hypervisor_refused', '{{hypervisor}}: {{said}}'),
  host_has_none: says('not_found', '{{hypervisor}}: {{said}}'),
  host_has_one: says('name_taken', '{{hypervisor}}: {{said}}'),
  host_has_foreign: says('foreign', '{{hypervisor}}: {{said}}'),
  host_display_hidden: says('console_unreachable', '{{hypervisor}}: {{said}}'),
  host_file_in_use: says('machine_running', '{{hypervisor}}: {{said}}'),
  host_full: says('no_space', '{{hypervisor}}: {{said}}'),
  host_image_bad: says('image_refused', '{{hypervisor}}: {{said}}'),
  host_cancelled: says('cancelled', '{{hypervisor}}: {{said}}'),
  host_late: says('timeout', '{{hypervisor}}: {{said}}'),
  host_refused_item: says('hypervisor_refused', '{{hypervisor}}: {{name}}: {{said}}'),
  host_gave_no_reason: says('hypervisor_refused', '{{hypervisor}}: {{name}}: no reason given.'),
  displays_silent: says('timeout', 'None of its machines says who is connected to it.'),
  virt_type_unknown: says(
    'hypervisor_unreachable',
    'It is not known yet whether {{hypervisor}} runs guests under kvm:',
    'wait until it is up, or set --virt-type.',
  ),
  own_key_unusable: says(
    'internal',
    'The key for the hypervisors, {{path}}, cannot be used ({{said}}): restore it from a backup.',
    'Without a backup, remove it, start the broker and {{next}}.',
  ),
  simulated_without_images: says('hypervisor_refused', 'A simulated host carries no images.'),
  simulated_refusal: says('hypervisor_refused', '{{said}}'),
  deadline_too_soon: says(
    'invalid_request',
    'The deadline is sooner than a minute: those who work there must be warned first.',
  ),
}
