import { says } from '../sentence.js'

/** Who may do what: roles, permissions, scopes, the pages' own site. */
export const ACCESS_REASONS = {
  login_needed: says('unauthenticated', 'This needs a login: run "berth login".'),
  session_ended: says('unauthenticated', 'The session has ended: log in again.'),
  token_ended: says('unauthenticated', 'The token is unknown or has expired: run "berth login".'),
  only_administrators: says('forbidden', 'Only an administrator may do this.'),
  only_readers: says(
    'forbidden',
    'Only those who may read everything may do this: administrators and observers.',
  ),
  all_children_not_allowed: says(
    'forbidden',
    'Only an administrator may do this with all machines that are made from one.',
  ),
  nothing_allowed: says('forbidden', 'You may do nothing of this kind with the {{kind}} {{name}}.'),
  permission_needed: says(
    'forbidden',
    'You may not do this with the {{kind}} {{name}}: it needs the permission "{{verb}}",',
    'which an administrator can grant.',
  ),
  machine_permission_needed: says(
    'forbidden',
    'You may not do this with {{machine}}: it needs the permission "{{verb}}",',
    'which an administrator can grant.',
  ),
  scoped_token_not_allowed: says(
    'forbidden',
    'A token with scopes may not do this: log in as a person.',
  ),
  scope_missing: says(
    'forbidden',
    'This token has no scope "{{scope}}", so it cannot make one that has.',
  ),
  made_by_other_site: says(
    'forbidden',
    "This request was made by another site, and is refused: open Berth's own pages,",
    "under one of the broker's public names.",
  ),
  origin_missing: says(
    'forbidden',
    'A request with a cookie must say where it comes from (Origin or Sec-Fetch-Site):',
    'programs use a token.',
  ),
  csrf_wrong: says(
    'forbidden',
    'The header x-berth-csrf is missing or wrong: GET /api/v1/session tells it.',
  ),
  return_address_wrong: says(
    'invalid_request',
    'querystring.returnTo: must be a path of this broker, such as /machines.',
  ),
  looks_too_often: says('too_many_requests', 'You ask too often: wait a second.'),
  changes_too_often: says(
    'too_many_requests',
    'You ask for too many changes: wait a second before the next one.',
  ),
  grant_unknown: says(
    'not_found',
    'The {{subjectKind}} {{subject}} has no grant on the {{kind}} {{name}}: "berth grant list" shows all.',
  ),
  role_name_wrong: says('invalid_request', 'body.subject is not the name of a role: {{form}}.'),
}
