import { says } from '../sentence.js'

/** Thin clients: whether they are accepted, what they show and are told, and clients.xml. */
export const THIN_CLIENT_REASONS = {
  thin_client_unknown: says(
    'not_found',
    'There is no thin client {{id}}: "berth thin-client list" shows all.',
  ),
  thin_client_removed: says('not_found', 'The thin client {{id}} was removed meanwhile.'),
  device_removed: says('device_unknown', 'This device was removed meanwhile: ask again.'),
  device_without_key: says(
    'device_unknown',
    'This device does not show its key: ask first what to do.',
  ),
  device_asks_too_often: says(
    'too_many_requests',
    'This device asks too often: once a second will do.',
  ),
  device_machine_or_pool: says(
    'invalid_request',
    'A device gets a machine or a pool of its own, not both.',
  ),
  device_name_taken: says('name_taken', 'Another thin client has the name {{name}} already.'),
  device_not_told: says(
    'device_unknown',
    '{{mac}} is not accepted, so it is told nothing: run "berth thin-client accept {{id}}" first.',
  ),
  order_unknown: says('not_found', 'There is no order {{order}} for {{mac}}.'),
  too_many_orders: says(
    'too_many_requests',
    '{{count}} orders already wait for {{mac}}: wait until it has taken them, or two minutes.',
  ),
  nobody_asks: says(
    'code_needed',
    'No device asks in the place of {{id}} now: switch it on, and look at its screen.',
  ),
  nobody_asks_from: says(
    'code_needed',
    'No device asks in the place of {{id}} from {{address}} now: switch it on, and look at its',
    'screen.',
  ),
  nobody_has_code: says(
    'code_needed',
    'No device that asks now has this code: look at its screen again. A device that waits asks',
    'every half minute.',
  ),
  several_ask: says(
    'code_needed',
    'Several devices ask in the place of {{id}}: {{askers}}. Give the code that stands on the screen',
    'of the right one.',
  ),
  several_ask_and_itself: says(
    'code_needed',
    'Several devices ask in the place of {{id}}: {{askers}}. The device itself is at {{address}} and',
    'shows its key. Give the code that stands on the screen of the right one.',
  ),
  clients_xml_fault: says(
    'clients_xml_invalid',
    'clients.xml has a fault; the file in force stays.',
  ),
  clients_xml_faults: says(
    'clients_xml_invalid',
    'clients.xml has {{count}} faults; the file in force stays.',
  ),
  clients_xml_changed: says(
    'changed_meanwhile',
    'clients.xml was changed on the disk, after you had read it: look at the newer one and make your',
    'change again.',
  ),
  clients_xml_changed_at: says(
    'changed_meanwhile',
    'clients.xml was changed on the disk at {{at}}, after you had read it: look at the newer one and',
    'make your change again.',
  ),
  clients_xml_changed_by: says(
    'changed_meanwhile',
    'clients.xml was changed by {{person}} at {{at}}, after you had read it: look at the newer one',
    'and make your change again.',
  ),
  clients_xml_version_unknown: says(
    'not_found',
    'There is no version {{version}} of clients.xml: the last {{most}} are kept, and',
    '"berth clients-xml history" shows them.',
  ),
  code_run_out: says('unauthenticated', 'The code has run out: begin again.'),
  code_refused: says('unauthenticated', 'The login was refused in the browser: begin again.'),
  code_unknown: says(
    'not_found',
    'No thin client shows this code now: look at its screen again, since a code lasts ten minutes',
    'and is good once.',
  ),
  no_desktop_at_device: says(
    'forbidden',
    'You may use no desktop at this thin client: ask an administrator.',
  ),
  no_desktop_at_screen: says(
    'forbidden',
    '{{account}} may use no desktop at this screen: ask an administrator,',
    'or log in as somebody else.',
  ),
  nobody_at_screen: says('unauthenticated', 'Nobody is logged in at this screen: log in first.'),
  login_just_begun: says(
    'too_many_requests',
    'A login was begun at this screen a moment ago: wait a little.',
  ),
  nothing_chosen: says('invalid_request', 'Choose a pool or a machine.'),
  not_offered: says('not_found', '{{name}} is none of the desktops that you may use here.'),
  no_login_here: says(
    'invalid_request',
    'Nobody logs in at this device: clients.xml has no target LOGIN for it.',
  ),
  desktop_deleted: says('not_found', 'The desktop was deleted meanwhile.'),
}
