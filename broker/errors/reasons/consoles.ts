import { says } from '../sentence.js'

/** Screens, forwarded connections, and the way to them. */
export const CONSOLE_REASONS = {
  console_not_to_take: says(
    'forbidden',
    'You may not take the console of {{machine}} from somebody else.',
  ),
  console_not_to_watch: says(
    'forbidden',
    'You may not watch the screen of {{machine}}: that needs the permission takeConsole.',
  ),
  console_held: says(
    'console_in_use',
    'Somebody else has the console of {{machine}}: wait until it is closed, or take it over.',
  ),
  console_opening: says(
    'console_in_use',
    'Somebody else is just opening the console of {{machine}}: wait until it is closed,',
    'or take it over.',
  ),
  console_held_by: says(
    'console_in_use',
    '{{person}} ({{address}}, since {{since}}) has the console of {{machine}}:',
    'wait until it is closed, or take it over.',
  ),
  console_opening_by: says(
    'console_in_use',
    '{{person}} ({{address}}, since {{since}}) is just opening the console of {{machine}}:',
    'wait until it is closed, or take it over.',
  ),
  console_held_without_ticket: says(
    'console_in_use',
    'A viewer that was given no ticket here ({{address}}, since {{since}}) has the console of',
    '{{machine}}: wait until it is closed, or take it over.',
  ),
  displays_on_loopback: says(
    'console_unreachable',
    'The displays of {{hypervisor}} listen on its loopback only: use --via proxy.',
  ),
  display_on_loopback: says(
    'console_unreachable',
    'The display of {{machine}} listens on the loopback of {{hypervisor}} only: use --via proxy.',
  ),
  display_without_way: says(
    'console_unreachable',
    'The display of {{machine}} listens on the loopback of {{hypervisor}} only, and the broker has',
    'no console proxy: set console-proxy-port in its settings.',
  ),
  console_proxy_missing: says(
    'console_unreachable',
    'The broker has no console proxy: set console-proxy-port in its settings.',
  ),
  guest_address_unknown: says(
    'address_unknown',
    '{{hypervisor}} knows no address of {{machine}}: is its network up, and is it on a network of',
    'that host?',
  ),
  no_picture: says('machine_off', '{{machine}} does not run, so it has no picture.'),
  picture_of_somebody: says(
    'console_in_use',
    'Somebody works at {{machine}}: open its console to watch, which is told there.',
  ),
  too_many_tunnels: says(
    'too_many_connections',
    'The broker already carries {{most}} connections: try again when some have ended.',
  ),
  too_many_tunnels_of_one: says(
    'too_many_connections',
    'You already have {{most}} connections through the broker: close some.',
  ),
  too_many_live_pages: says(
    'too_many_connections',
    'You have too many live pages open ({{count}} by this login): close some.',
  ),
  websocket_needed: says('upgrade_required', 'This address speaks WebSocket only.'),
  port_forward_needed: says(
    'upgrade_required',
    'This address speaks WebSocket only: use "berth port-forward".',
  ),
  browser_needed: says(
    'upgrade_required',
    'This address speaks WebSocket only: use a browser: /machines/NAME/console.',
  ),
  socket_of_other_site: says('forbidden', 'Pages of other sites may not open connections here.'),
}
