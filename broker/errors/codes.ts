/**
 * The closed list of error codes: what a program acts upon. Each has one HTTP status and one line
 * for docs/reference/errors.md, which is made from this table. Why exactly something was refused,
 * and the sentence for the reader, is in the reasons.
 */
export const ERRORS = {
  invalid_request: {
    status: 400,
    meaning:
      'A field of the request is missing, unknown or of the wrong form; the message names it.',
  },
  unauthenticated: {
    status: 401,
    meaning: 'No token, or one that is unknown or expired: log in again.',
  },
  forbidden: { status: 403, meaning: 'The token is valid but may not do this.' },
  account_refused: {
    status: 403,
    meaning:
      'The password is right, but the directory no longer lets the account in, or not now; the message says why.',
  },
  not_found: {
    status: 404,
    meaning: 'The named thing does not exist; the message says what was looked for.',
  },
  route_unknown: { status: 404, meaning: 'There is no such address in the API.' },
  method_unknown: { status: 405, meaning: 'The address exists, but not with this HTTP method.' },
  name_taken: { status: 409, meaning: 'Another thing already has this name.' },
  mac_taken: {
    status: 409,
    meaning: 'Another machine has this MAC address; the message names it.',
  },
  foreign: {
    status: 409,
    meaning:
      'A domain or a file that Berth did not make is in the way; the message names it, and it was left as it is.',
  },
  busy: { status: 409, meaning: 'A job already works on this machine; the message names the job.' },
  machine_running: { status: 409, meaning: 'The operation needs the machine to be off.' },
  machine_off: { status: 409, meaning: 'The operation needs the machine to be running.' },
  console_in_use: {
    status: 409,
    meaning:
      'Somebody else has this console: wait until they leave, or take it over, which needs a separate permission.',
  },
  console_unreachable: {
    status: 409,
    meaning:
      'The display cannot be reached in the way that was asked for; the message says which way is open.',
  },
  address_unknown: {
    status: 409,
    meaning: 'No address of the guest is known that its hypervisor can vouch for.',
  },
  has_dependants: {
    status: 409,
    meaning: 'Others depend on it; the message names them. Use force to go on.',
  },
  assigned: {
    status: 409,
    meaning:
      'Somebody has this desktop, or one of the pool; the message says who or how many. Release it, or use force.',
  },
  pool_exhausted: {
    status: 409,
    meaning: 'All desktops of the pool are taken; the message says when one may become free.',
  },
  too_many_desktops: {
    status: 409,
    meaning: 'The person already has as many desktops as the pool allows.',
  },
  desktop_failed: {
    status: 409,
    meaning: 'The desktop could not be made ready; the message says why.',
  },
  wrong_type: { status: 409, meaning: 'The operation does not fit the type of this machine.' },
  no_generation: {
    status: 409,
    meaning: 'The initial machine has no such image: run "berth image copy" first.',
  },
  maintenance: { status: 409, meaning: 'The machine or its hypervisor is in maintenance.' },
  job_finished: { status: 409, meaning: 'The job has ended and can no longer be cancelled.' },
  host_key_changed: {
    status: 409,
    meaning: 'The hypervisor shows another SSH host key than the pinned one; both are named.',
  },
  clients_xml_invalid: {
    status: 422,
    meaning:
      'clients.xml was refused; every fault is listed with line and column. The last good file stays in force.',
  },
  changed_meanwhile: {
    status: 409,
    meaning:
      'It was changed after you had read it; the message says by whom. Nothing was written: ' +
      'look at the newer one first.',
  },
  image_refused: { status: 422, meaning: 'The disk image is damaged, or refers to other files.' },
  too_large: { status: 413, meaning: 'The request body is larger than the broker accepts.' },
  media_type_unknown: {
    status: 415,
    meaning: 'The body is not JSON; send content-type application/json.',
  },
  too_many_requests: {
    status: 429,
    meaning: 'Too many attempts from this address or with this name; wait and try again.',
  },
  last_administrator: {
    status: 409,
    meaning: 'The change would leave nobody who can administer Berth.',
  },
  too_many_tokens: {
    status: 409,
    meaning: 'The person already has as many tokens as one person may have: revoke some.',
  },
  too_many_connections: {
    status: 429,
    meaning:
      'Too many consoles, forwarded connections or live pages are open through the broker: close some.',
  },
  upgrade_required: {
    status: 426,
    meaning: 'This address speaks WebSocket only: use "berth port-forward".',
  },
  device_unknown: {
    status: 403,
    meaning: 'The thin client is not accepted; an administrator decides.',
  },
  code_needed: {
    status: 409,
    meaning:
      'Several devices ask in the place of this one, or none has that code: give the code on ' +
      'the screen of the right one.',
  },
  cancelled: { status: 409, meaning: 'The operation was cancelled.' },
  no_space: {
    status: 507,
    meaning: 'The hypervisor has too little free space; the message names both figures.',
  },
  hypervisor_unreachable: {
    status: 503,
    meaning: 'The hypervisor does not answer; the message says why and since when.',
  },
  hypervisor_refused: {
    status: 502,
    meaning: 'The hypervisor answered, but refused; the message says what it said.',
  },
  connection_refused: {
    status: 502,
    meaning: 'Nothing answers at that port, as seen from the hypervisor.',
  },
  directory_unreachable: {
    status: 503,
    meaning:
      'The directory (LDAP) with the account does not answer as it should; the log says why.',
  },
  provider_unreachable: {
    status: 503,
    meaning: 'The login provider (OpenID Connect) does not answer as it should; the log says why.',
  },
  timeout: {
    status: 504,
    meaning:
      'The hypervisor did not answer in time; what it did is looked up before anything is repeated.',
  },
  store_busy: {
    status: 503,
    meaning:
      'Another program has locked the database, such as a backup; nothing was changed: try again.',
  },
  store_full: {
    status: 507,
    meaning:
      'The disk that holds the database is full; nothing was changed. Free space there: the broker goes on by itself.',
  },
  store_unwritable: {
    status: 503,
    meaning:
      'The database cannot be read or written; nothing was changed. The log says what the file system answered.',
  },
  shutting_down: { status: 503, meaning: 'The broker is stopping; ask again in a few seconds.' },
  internal: {
    status: 500,
    meaning: 'A fault of the broker itself; the log has the details under the request id.',
  },
} as const satisfies Record<string, { status: number; meaning: string }>

export type ErrorCode = keyof typeof ERRORS
