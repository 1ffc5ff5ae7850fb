import { says } from '../sentence.js'

/** What a directory (LDAP) or a login provider (OpenID Connect) says, or does not say. */
export const DIRECTORY_REASONS = {
  directory_unknown: says(
    'not_found',
    'There is no directory {{directory}}: the settings have {{directories}}.',
  ),
  no_directories: says('not_found', 'There is no directory {{directory}}: the settings have none.'),
  directory_login_refused: says(
    'directory_unreachable',
    'The directory {{directory}} ({{urls}}) refuses the name or password in bind-dn and',
    'bind-password-file.',
  ),
  directory_silent: says(
    'directory_unreachable',
    'The directory {{directory}} does not answer: try again later, or ask an administrator.',
  ),
  account_hours: says('account_refused', 'The account may not log in at this time of the day.'),
  account_computer: says('account_refused', 'The account may not log in at this computer.'),
  account_password_expired: says(
    'account_refused',
    'The password has expired: set a new one at another computer first.',
  ),
  account_disabled_there: says('account_refused', 'The account is disabled.'),
  account_expired: says('account_refused', 'The account has expired.'),
  account_password_change: says(
    'account_refused',
    'The password has to be changed first, at another computer.',
  ),
  account_locked: says(
    'account_refused',
    'The account is locked, since the password was wrong too often.',
  ),
  account_restricted: says('account_refused', 'A restriction of the account forbids the login.'),
  account_without_password: says(
    'account_refused',
    'The account has no password in the directory.',
  ),
  provider_unknown: says('not_found', 'There is no login provider {{provider}}.'),
  provider_login_elsewhere: says(
    'unauthenticated',
    'This login was not begun in this browser, or too long ago: begin again.',
  ),
  provider_login_unknown: says('unauthenticated', 'This login is unknown or too old: begin again.'),
  provider_without_codes: says(
    'invalid_request',
    'The provider {{provider}} has no login by a code: use a browser.',
  ),
  provider_without_name: says(
    'unauthenticated',
    'The login provider {{provider}} says no "{{claim}}" of this person:',
    'an administrator has to mend the setting name-claim.',
  ),
  provider_refused_login: says(
    'unauthenticated',
    'The login provider {{provider}} refused the login ({{said}}): begin again.',
  ),
  provider_busy: says(
    'provider_unreachable',
    'The login provider {{provider}} cannot answer just now: try again later.',
  ),
  provider_wrong: says(
    'provider_unreachable',
    'The login provider {{provider}} does not answer as it should: try again later, or ask an',
    'administrator.',
  ),
  provider_wrong_answer: says(
    'provider_unreachable',
    'The login provider {{provider}} did not answer as it should ({{said}}).',
  ),
  provider_not_reached: says(
    'provider_unreachable',
    'The login provider {{provider}} cannot be asked. {{why}} Try again later, or ask an',
    'administrator.',
  ),
  provider_refuses_client: says(
    'provider_unreachable',
    "The login provider {{provider}} does not take Berth's client-id or secret:",
    'an administrator has to check the settings ("berth provider test").',
  ),
  provider_shared_key: says(
    'provider_unreachable',
    "The login provider {{provider}} signs with the client's secret (HS256), which proves nothing",
    'to others: an administrator has to choose a signing key (RS256 or ES256) there.',
  ),
  provider_clock: says(
    'provider_unreachable',
    "The clocks of the login provider {{provider}} and of the broker differ: by the broker's,",
    '{{why}}. An administrator has to let both follow the same time (NTP).',
  ),
}
