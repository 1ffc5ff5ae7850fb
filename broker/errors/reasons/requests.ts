import { says } from '../sentence.js'

/** What is refused at the door, whatever it asks for. */
export const REQUEST_REASONS = {
  internal_fault: says(
    'internal',
    'The broker has a fault; its log has the details under this request id.',
  ),
  address_not_there: says(
    'route_unknown',
    'There is nothing at {{method}} {{address}}; /api/v1/openapi.json lists what there is.',
  ),
  request_malformed: says('invalid_request', '{{said}}.'),
  body_too_large: says('too_large', '{{said}}.'),
  body_not_json: says('media_type_unknown', '{{said}}.'),
  nul_in_body: says('invalid_request', 'The body holds a NUL character: leave it out.'),
  nul_in_field: says('invalid_request', '{{field}} holds a NUL character: leave it out.'),
  proxy_without_tls: says(
    'forbidden',
    'The proxy in front of the broker took this request without TLS (X-Forwarded-Proto: http):',
    'open the address with https://.',
  ),
  too_many_attempts: says(
    'too_many_requests',
    'Too many attempts: try again in {{seconds}} seconds.',
  ),
  too_many_open_requests: says(
    'too_many_connections',
    'Too many requests of {{address}} are open at once: try again when some have ended.',
  ),
  broker_stopping: says('shutting_down', 'The broker is stopping: ask again in a few seconds.'),
  installer_not_built: says('internal', 'The installer was not built: run "npm run build".'),
}
