import { says } from '../sentence.js'

const ADMINISTRATOR = "the broker's administrator finds the reason in /readyz and in its log."

/** The database, and the files beside it. Those with the code `internal` are read at the broker's start. */
export const STORE_REASONS = {
  store_locked: says(
    'store_busy',
    'Nothing was changed: another program has locked the database ({{fault}}). Try again;',
    ADMINISTRATOR,
  ),
  store_crowded: says(
    'store_busy',
    'Nothing was changed: the database server takes no more connections ({{fault}}). Try again;',
    ADMINISTRATOR,
  ),
  store_slow: says(
    'store_busy',
    'Nothing was changed: the database took too long ({{fault}}). Try again;',
    ADMINISTRATOR,
  ),
  store_full: says(
    'store_full',
    "Nothing was changed: the disk that holds the broker's data is full ({{fault}}). Try again;",
    ADMINISTRATOR,
  ),
  store_unwritable: says(
    'store_unwritable',
    "Nothing was changed: the broker's data cannot be read or written ({{fault}}). Try again;",
    ADMINISTRATOR,
  ),
  store_unsure: says(
    'store_unwritable',
    'It is not known whether this was done: the database did not answer ({{fault}}). Look, then try',
    'again;',
    ADMINISTRATOR,
  ),
  store_of_other_broker: says(
    'store_busy',
    'Another broker works with this database: stop it first, or give this one a database of its own.',
  ),
  data_directory_used: says(
    'internal',
    'Another broker uses {{path}}: stop it first, or set another data-dir.',
  ),
  schema_newer: says(
    'internal',
    'The database has schema version {{version}}, this Berth knows {{known}}: start the newer Berth.',
  ),
  database_damaged: says(
    'internal',
    'The database {{path}} is damaged ({{said}}): restore it from a backup.',
  ),
  database_locale: says(
    'internal',
    'The database {{place}} has encoding {{encoding}} and locale {{locale}}: create it with ENCODING',
    "'UTF8' LOCALE 'C' TEMPLATE template0, and from PostgreSQL 15 on LOCALE_PROVIDER libc.",
  ),
  database_old: says(
    'internal',
    'The database {{place}} is on PostgreSQL {{version}}: use 13 or newer.',
  ),
  database_not_opened: says(
    'internal',
    'The database {{place}} cannot be used ({{said}}): see to the server, or correct "store" in the',
    'settings.',
  ),
  move_to_itself: says('internal', "The broker's database is {{place}} already."),
  move_place_wrong: says('internal', '--to "{{place}}": {{fault}}.'),
  move_to_filled: says(
    'internal',
    'The database to move to is not empty (it has rows in {{table}}): name an empty one.',
  ),
  move_row_unfit: says(
    'internal',
    'A row of {{table}} does not fit into the other database ({{said}}): nothing was moved.',
  ),
  move_table_differs: says(
    'internal',
    'The table {{table}} is not the same in both databases, so nothing was moved.',
    'Please report this, with the versions of Berth and PostgreSQL.',
  ),
  authority_unusable: says(
    'internal',
    "The broker's own CA, {{path}}, cannot be used ({{said}}): restore ca.pem and ca-key.pem from a",
    'backup. Without a backup, remove both and start the broker; then tell every thin client and',
    'command line the new fingerprint, which the broker logs at its start.',
  ),
  certificate_unusable: says(
    'internal',
    'The files tls-certificate {{certificate}} and tls-key {{key}} cannot be used together',
    "({{said}}): the first holds the server's certificate and its chain,",
    "the second that certificate's private key, both as PEM.",
  ),
}
