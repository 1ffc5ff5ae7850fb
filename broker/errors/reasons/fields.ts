import { says } from '../sentence.js'

/** A field of a request that is not as the API describes it; the pages call it as their forms do. */
export const FIELD_REASONS = {
  field_missing: says('invalid_request', '{{field}}: is missing.'),
  field_not_known: says('invalid_request', '{{field}}: is not a field that is known here.'),
  field_form: says('invalid_request', '{{field}}: is not of this form: {{form}}.'),
  field_choices: says('invalid_request', '{{field}}: must be one of {{choices}}.'),
  field_forms: says('invalid_request', '{{field}}: must be one of these: {{choices}}.'),
  field_too_short: says('invalid_request', '{{field}}: must be at least {{least}} long.'),
  field_too_long: says('invalid_request', '{{field}}: must be at most {{most}} long.'),
  field_too_small: says('invalid_request', '{{field}}: must be at least {{least}}.'),
  field_too_large: says('invalid_request', '{{field}}: must be at most {{most}}.'),
  field_number: says('invalid_request', '{{field}}: must be a number.'),
  field_whole_number: says('invalid_request', '{{field}}: must be a whole number.'),
  field_refused: says('invalid_request', '{{field}}: {{said}}.'),
}
