import { says } from '../sentence.js'

/** Accounts, their passwords and tokens. */
export const ACCOUNT_REASONS = {
  login_wrong: says('unauthenticated', 'The name or the password is wrong.'),
  old_password_wrong: says('unauthenticated', 'The old password is wrong.'),
  password_elsewhere: says(
    'invalid_request',
    '{{account}} comes from {{source}}: the password is changed there.',
  ),
  own_password_elsewhere: says(
    'invalid_request',
    '{{account}} comes from {{source}}: change the password there.',
  ),
  account_disabled: says('forbidden', 'The account {{account}} is disabled: ask an administrator.'),
  account_of_other_source: says(
    'forbidden',
    'There is another account {{account}} already, which comes from {{source}}:',
    'an administrator has to rename or delete it.',
  ),
  account_of_other_person: says(
    'forbidden',
    'There is another account {{account}} already, which comes from another person there:',
    'an administrator has to rename or delete it.',
  ),
  account_taken: says(
    'name_taken',
    'There is an account {{account}} ({{source}}) already: choose another name.',
  ),
  account_unknown: says(
    'not_found',
    'There is no account {{account}}: "berth user list" shows all.',
  ),
  last_administrator: says(
    'last_administrator',
    'This is the last administrator with a password here: make another one first.',
  ),
  person_name_form: says(
    'invalid_request',
    'The name of a person has 1 to {{most}} characters and no control characters:',
    'choose another one.',
  ),
  person_name_reserved: says(
    'invalid_request',
    "The name {{name}} is Berth's own: choose another one.",
  ),
  token_too_long: says(
    'invalid_request',
    'body.validForMs: a token is good for at most {{days}} days here (setting token-lifetime).',
  ),
  token_unknown: says('not_found', 'There is no token "{{token}}": "berth token list" shows all.'),
  token_of_account_unknown: says(
    'not_found',
    '{{account}} has no token "{{token}}": "berth user tokens {{account}}" shows all.',
  ),
  token_taken: says(
    'name_taken',
    'There is a token "{{token}}" already: revoke it or choose another name.',
  ),
  too_many_tokens: says(
    'too_many_tokens',
    'You have {{count}} tokens already, the most that one person may have: revoke some first.',
  ),
}
