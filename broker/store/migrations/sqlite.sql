-- Append only: a released block is never edited. Times are milliseconds since 1970, flags are 0 or 1.
-- v 1
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE event (
  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL,
  object TEXT NOT NULL, result TEXT NOT NULL, detail TEXT NOT NULL
);
CREATE TABLE account (
  name TEXT PRIMARY KEY, password_hash TEXT NOT NULL, role TEXT NOT NULL, created_at INTEGER NOT NULL
);
CREATE TABLE token (
  hash TEXT PRIMARY KEY,
  account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER, last_used_at INTEGER, UNIQUE (account, name)
);
CREATE TABLE hypervisor (
  name TEXT PRIMARY KEY, address TEXT NOT NULL, port INTEGER NOT NULL, display_address TEXT NOT NULL,
  host_key_fingerprint TEXT NOT NULL, virt_type_setting TEXT NOT NULL, virt_type TEXT,
  images_dir TEXT NOT NULL, overlays_dir TEXT NOT NULL, transient_dir TEXT NOT NULL,
  max_starts INTEGER NOT NULL, maintenance INTEGER NOT NULL DEFAULT 0, maintenance_reason TEXT NOT NULL DEFAULT '',
  created_at INTEGER NOT NULL
);
CREATE TABLE machine (
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, type TEXT NOT NULL,
  hypervisor TEXT NOT NULL REFERENCES hypervisor (name),
  parent_id TEXT REFERENCES machine (id),
  disk TEXT, -- the full path of vda; NULL until it is known
  generation_id TEXT REFERENCES generation (id), wanted_generation_id TEXT REFERENCES generation (id),
  maintenance INTEGER NOT NULL DEFAULT 0, maintenance_reason TEXT NOT NULL DEFAULT '',
  discard_changes INTEGER NOT NULL DEFAULT 0, discard_on_reboot INTEGER NOT NULL DEFAULT 0,
  memory_mib INTEGER NOT NULL, vcpus INTEGER NOT NULL, network TEXT NOT NULL, firmware TEXT NOT NULL,
  mac TEXT NOT NULL, serial TEXT NOT NULL, domain_xml TEXT, adopted INTEGER NOT NULL DEFAULT 0,
  power TEXT NOT NULL DEFAULT 'unknown', power_reason TEXT NOT NULL DEFAULT '', power_since INTEGER NOT NULL,
  -- 'on' while somebody's desktop must run: a reset that leaves the machine off is answered by a
  -- start
  wanted_power TEXT,
  created_at INTEGER NOT NULL
);
CREATE INDEX machine_of_hypervisor ON machine (hypervisor);
CREATE INDEX machine_of_parent ON machine (parent_id);
CREATE INDEX machine_on_generation ON machine (generation_id);
CREATE TABLE generation (
  id TEXT PRIMARY KEY, initial_id TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE, number INTEGER NOT NULL,
  source_name TEXT, state TEXT NOT NULL, current INTEGER NOT NULL DEFAULT 0, file TEXT NOT NULL,
  bytes INTEGER,
  virtual_bytes INTEGER,
  sha256 TEXT,
  method TEXT,
  created_at INTEGER NOT NULL,
  UNIQUE (initial_id, number)
);
CREATE TABLE generation_copy (
  generation_id TEXT NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  hypervisor TEXT NOT NULL REFERENCES hypervisor (name) ON DELETE CASCADE,
  PRIMARY KEY (generation_id, hypervisor)
);
CREATE TABLE job (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL DEFAULT '',
  input TEXT NOT NULL, created_by TEXT NOT NULL, owner TEXT, lease_until INTEGER, fence INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER
);
CREATE INDEX job_by_state ON job (state);
CREATE TABLE job_target (
  job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  position INTEGER NOT NULL,
  state TEXT NOT NULL,
  step TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '', PRIMARY KEY (job_id, name)
);
CREATE TABLE job_step (
  job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  target TEXT NOT NULL,
  step TEXT NOT NULL,
  result TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (job_id, target, step)
);
CREATE TABLE job_lock (machine_id TEXT PRIMARY KEY, job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE);
CREATE INDEX job_lock_of_job ON job_lock (job_id);
CREATE TABLE assignment (
  machine_id TEXT PRIMARY KEY REFERENCES machine (id) ON DELETE CASCADE, thin_client_id TEXT NOT NULL,
  assigned_at INTEGER NOT NULL, ticket_at INTEGER, connected_at INTEGER, disconnected_at INTEGER
);
CREATE TABLE thin_client (
  id TEXT PRIMARY KEY,
  mac TEXT NOT NULL UNIQUE,
  key_hash TEXT,
  accepted INTEGER NOT NULL,
  address TEXT NOT NULL,
  hostname TEXT NOT NULL,
  version TEXT NOT NULL,
  assigned_machine_id TEXT REFERENCES machine (id) ON DELETE SET NULL,
  note TEXT NOT NULL DEFAULT '',
  first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL
);
CREATE INDEX thin_client_by_key ON thin_client (key_hash);
-- v 2
-- People: from here or from a directory, with any number of roles. `name_key` is the name in NFC
-- and small letters, by which it is found.
CREATE TABLE account_v2 (
  name TEXT PRIMARY KEY, name_key TEXT NOT NULL UNIQUE,
  source TEXT NOT NULL, -- 'local', or the directory or provider that the person comes from
  subject TEXT, -- OpenID Connect: issuer and subject; a name may change hands there, a subject never
  password_hash TEXT, display_name TEXT NOT NULL DEFAULT '', disabled INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL, last_login_at INTEGER
);
INSERT INTO account_v2 (name, name_key, source, password_hash, created_at)
  SELECT name, lower(name), 'local', password_hash, created_at
  FROM account;
CREATE TABLE account_role (
  account TEXT NOT NULL REFERENCES account_v2 (name) ON DELETE CASCADE, role TEXT NOT NULL,
  -- 'local': given by an administrator; else the directory that says so, and takes it back at a
  -- login
  source TEXT NOT NULL,
  PRIMARY KEY (account, role, source)
);
INSERT INTO account_role (account, role, source) SELECT name, role, 'local' FROM account;
CREATE TABLE token_v2 (
  hash TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES account_v2 (name) ON DELETE CASCADE, name TEXT NOT NULL,
  kind TEXT NOT NULL, -- 'login' ends with log-out and a new password; 'program' does not
  scopes TEXT, -- separated by commas; NULL: all that the account may
  created_at INTEGER NOT NULL, expires_at INTEGER, last_used_at INTEGER, UNIQUE (account, name)
);
INSERT INTO token_v2 (hash, account, name, kind, scopes, created_at, expires_at, last_used_at)
  SELECT hash, account, name, CASE WHEN name LIKE 'login %' THEN 'login' ELSE 'program' END,
    CASE WHEN role = 'admin' THEN NULL ELSE 'observe' END, created_at, expires_at, last_used_at
  FROM token;
DROP TABLE token;
DROP TABLE account;
ALTER TABLE account_v2 RENAME TO account;
ALTER TABLE token_v2 RENAME TO token;
CREATE TABLE web_session (
  hash TEXT PRIMARY KEY,
  account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
  provider TEXT NOT NULL,
  address TEXT NOT NULL,
  created_at INTEGER NOT NULL, seen_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
);
CREATE INDEX web_session_of_account ON web_session (account);
CREATE TABLE login_failure ( -- subject: 'account:KEY' or 'address:ADDRESS'
  subject TEXT PRIMARY KEY, failures INTEGER NOT NULL, last_at INTEGER NOT NULL, blocked_until INTEGER NOT NULL
);
-- a login with a provider that has been begun: by a redirect of a browser, or by a code on a screen
CREATE TABLE login_flow (
  hash TEXT PRIMARY KEY, kind TEXT NOT NULL, provider TEXT NOT NULL, state TEXT NOT NULL, expires_at INTEGER NOT NULL
);
CREATE TABLE permission_grant ( -- object_kind: pool or machine; subject_kind: user or role
  object_kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_key TEXT NOT NULL,
  subject TEXT NOT NULL,
  machine_id TEXT REFERENCES machine (id) ON DELETE CASCADE, -- object_id where it is a machine's
  verbs TEXT NOT NULL, created_at INTEGER NOT NULL, PRIMARY KEY (object_kind, object_id, subject_kind, subject_key)
);
CREATE INDEX permission_grant_of_subject ON permission_grant (subject_kind, subject_key);
-- SHA-256 over the hash before and this row; NULL only in rows older than this column, until the
-- next start
ALTER TABLE event ADD COLUMN hash TEXT;
INSERT INTO setting (name, value) VALUES ('audit-unchained', 'rows of version 1');
-- v 3
CREATE TABLE pool (
  -- the seed's namespace, kept as a label
  id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE COLLATE NOCASE, namespace TEXT NOT NULL DEFAULT '',
  -- 1: made by the pool and deleted with it
  initial_id TEXT REFERENCES machine (id) ON DELETE SET NULL,
  initial_made INTEGER NOT NULL DEFAULT 0,
  policy TEXT NOT NULL, hardware TEXT NOT NULL, hypervisors TEXT NOT NULL, -- JSON, as in api/pools.ts
  size INTEGER NOT NULL, spares INTEGER NOT NULL, state TEXT NOT NULL, -- active or deleting
  maintenance INTEGER NOT NULL DEFAULT 0, maintenance_reason TEXT NOT NULL DEFAULT '',
  needed_at INTEGER NOT NULL, -- when its size was last needed; after the cool-down it shrinks
  retry_at INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, created_at INTEGER NOT NULL
);
CREATE TABLE desktop ( -- a machine that is handed from one person to the next
  machine_id TEXT PRIMARY KEY REFERENCES machine (id) ON DELETE CASCADE,
  state TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  since INTEGER NOT NULL,
  unclean TEXT, -- NULL: clean; stop or rebuild: what is done before anybody else gets it
  last_holder TEXT, fresh INTEGER NOT NULL DEFAULT 1, -- 1: nobody has had it since it was built or rebuilt
  used_at INTEGER NOT NULL DEFAULT 0, tries INTEGER NOT NULL DEFAULT 0, retry_at INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX desktop_by_state ON desktop (state);
CREATE INDEX desktop_of_last_holder ON desktop (last_holder);
CREATE TABLE pool_member (
  pool_id TEXT NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
  machine_id TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE,
  built INTEGER NOT NULL,
  -- What a claim looks at stands here too, so that one index answers it. claimable: 0 no, 1 yes, 2
  -- after it was cleaned.
  claimable INTEGER NOT NULL DEFAULT 0,
  hypervisor TEXT NOT NULL,
  name TEXT NOT NULL,
  fresh INTEGER NOT NULL DEFAULT 1,
  used_at INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (pool_id, machine_id)
);
CREATE INDEX pool_member_of_machine ON pool_member (machine_id);
CREATE INDEX pool_member_to_claim
  ON pool_member (pool_id, claimable, fresh DESC, used_at, running DESC, hypervisor, name);
ALTER TABLE assignment RENAME TO assignment_of_v_1;
CREATE TABLE assignment (
  machine_id TEXT PRIMARY KEY REFERENCES machine (id) ON DELETE CASCADE,
  pool_id TEXT REFERENCES pool (id) ON DELETE CASCADE,
  holder TEXT NOT NULL, -- user:NAME or thin-client:ID
  by_administrator INTEGER NOT NULL DEFAULT 0, fixed INTEGER NOT NULL DEFAULT 0, -- fixed: never expires
  wanted INTEGER NOT NULL DEFAULT 0, -- 1: it is cleaned, moved and started until it runs
  connected INTEGER NOT NULL DEFAULT 0,
  assigned_at INTEGER NOT NULL,
  started_at INTEGER,
  ticket_at INTEGER,
  connected_at INTEGER,
  disconnected_at INTEGER,
  extended_at INTEGER,
  session_at INTEGER, -- since when somebody is connected, short breaks included
  idle_since INTEGER NOT NULL, -- the last of these times, moved on by the time in which broker or host was away
  stop_at INTEGER, -- when the schedule shuts it down, after its holder was warned
  warned_for INTEGER, starts_failed INTEGER NOT NULL DEFAULT 0
);
INSERT INTO assignment (machine_id, holder, assigned_at, ticket_at, connected_at, disconnected_at, idle_since)
  SELECT machine_id, 'thin-client:' || thin_client_id, assigned_at, ticket_at, connected_at,
    disconnected_at, assigned_at
  FROM assignment_of_v_1;
DROP TABLE assignment_of_v_1;
CREATE UNIQUE INDEX assignment_in_pool ON assignment (pool_id, holder);
CREATE INDEX assignment_of_holder ON assignment (holder);
CREATE INDEX assignment_by_idle ON assignment (pool_id, connected, idle_since);
CREATE TABLE machine_mirror ( -- SHA-256 of the metadata that a machine's domain was last told
  machine_id TEXT PRIMARY KEY REFERENCES machine (id) ON DELETE CASCADE, hash TEXT NOT NULL
);
CREATE TABLE waiter ( -- who waits for a desktop of a full pool, in this order
  pool_id TEXT NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
  holder TEXT NOT NULL,
  since INTEGER NOT NULL,
  asked_at INTEGER NOT NULL,
  PRIMARY KEY (pool_id, holder)
);
CREATE INDEX waiter_in_order ON waiter (pool_id, since);
-- v 4
CREATE TABLE console_seat (
  machine_id TEXT PRIMARY KEY REFERENCES machine (id) ON DELETE CASCADE,
  holder_kind TEXT NOT NULL, holder TEXT NOT NULL, -- who was given the last ticket
  address TEXT NOT NULL, via TEXT NOT NULL, ticket_at INTEGER NOT NULL, connected_at INTEGER, disconnected_at INTEGER
);
-- v 5
CREATE TABLE device_login ( -- the person who is logged in at a thin client
  thin_client_id TEXT PRIMARY KEY REFERENCES thin_client (id) ON DELETE CASCADE,
  account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
  since INTEGER NOT NULL, seen_at INTEGER NOT NULL, -- when they last did something there, or were shown a desktop
  choice_kind TEXT, choice TEXT, -- the pool or machine that they chose
  -- the desktop for which the device was last given a ticket, and when
  machine_id TEXT REFERENCES machine (id) ON DELETE SET NULL, ticket_at INTEGER,
  ends TEXT -- NULL: it lasts; else why it is over, until its viewer is gone
);
CREATE INDEX device_login_of_account ON device_login (account);
CREATE INDEX device_login_of_machine ON device_login (machine_id);
-- v 6
ALTER TABLE thin_client ADD COLUMN assigned_pool_id TEXT REFERENCES pool (id) ON DELETE SET NULL;
CREATE TABLE thin_client_order ( -- what a device was told to do: a message, to reconnect, to restart
  id TEXT PRIMARY KEY,
  thin_client_id TEXT NOT NULL REFERENCES thin_client (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  seconds INTEGER NOT NULL,
  ordered_by TEXT NOT NULL, state TEXT NOT NULL, sentence TEXT NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, sent_at INTEGER, finished_at INTEGER
);
CREATE INDEX thin_client_order_of_device ON thin_client_order (thin_client_id, created_at);
CREATE INDEX thin_client_order_open ON thin_client_order (thin_client_id, state) WHERE state IN ('pending', 'sent');
CREATE TABLE clients_xml_version ( -- the last texts that were in force; author: an account, or file
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at INTEGER NOT NULL,
  author TEXT NOT NULL,
  etag TEXT NOT NULL,
  clients INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  text TEXT NOT NULL
);
-- v 7
CREATE TABLE history_minute ( -- one row for each minute in which the broker looked; what it did not see has no row
  at INTEGER PRIMARY KEY, -- when the minute began
  -- as they were when it ended
  sessions INTEGER NOT NULL,
  assigned INTEGER NOT NULL,
  waiting INTEGER NOT NULL,
  longest_wait_ms INTEGER NOT NULL,
  -- what happened in it; JSON arrays: medians of longer times need every figure
  starts INTEGER NOT NULL, start_ms TEXT NOT NULL, waited_ms TEXT NOT NULL
);
CREATE INDEX job_step_by_time ON job_step (at);
-- v 8
CREATE TABLE drain ( -- a hypervisor that is being emptied; the row goes when its maintenance ends
  hypervisor TEXT PRIMARY KEY REFERENCES hypervisor (name) ON DELETE CASCADE,
  began_at INTEGER NOT NULL,
  ordered_by TEXT NOT NULL,
  message TEXT NOT NULL, -- said to those who are still on it; may be empty
  deadline INTEGER, -- NULL: until they leave by themselves
  warned_at INTEGER, -- when those who would lose something at the deadline were first told so
  total INTEGER NOT NULL, -- machines that had something to be done with at the beginning
  empty_at INTEGER
);
-- v 9
-- A device is who shows its key. Its MACs and its host name are what it says of itself, and several
-- may say the same: a dock goes from desk to desk.
CREATE TABLE thin_client_v9 (
  id TEXT PRIMARY KEY, mac TEXT NOT NULL, -- the MAC by which it is listed
  name TEXT NOT NULL DEFAULT '', -- given by an administrator
  key_hash TEXT, key_shown INTEGER NOT NULL DEFAULT 0, -- 0: the key is on its way, and is given again
  -- who first asked, or was last given the key, and when: claim:HASH or address:ADDRESS
  asker TEXT NOT NULL DEFAULT '', key_given_at INTEGER NOT NULL DEFAULT 0,
  accepted INTEGER NOT NULL,
  accept_for TEXT, -- who is given a key at the next contact: code:CODE or address:ADDRESS
  -- as_new: as a device of its own, beside this one
  accept_until INTEGER NOT NULL DEFAULT 0, accept_as_new INTEGER NOT NULL DEFAULT 0,
  address TEXT NOT NULL, hostname TEXT NOT NULL,
  believed_hostname TEXT, -- the host name by which clients.xml may mean it; NULL: what it says at its next contact
  version TEXT NOT NULL,
  assigned_machine_id TEXT REFERENCES machine (id) ON DELETE SET NULL,
  assigned_pool_id TEXT REFERENCES pool (id) ON DELETE SET NULL,
  -- the day (since 1970) on which others asked in its place, and how often
  note TEXT NOT NULL DEFAULT '',
  strangers_day INTEGER NOT NULL DEFAULT 0,
  strangers INTEGER NOT NULL DEFAULT 0,
  first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL
);
INSERT INTO thin_client_v9 (id, mac, key_hash, key_shown, accepted, accept_for, accept_until,
  address, hostname, version, assigned_machine_id, assigned_pool_id, note, first_seen, last_seen)
  SELECT id, mac, key_hash, key_hash IS NOT NULL, accepted,
    CASE WHEN accepted = 1 AND key_hash IS NULL THEN 'address:' || address END, 4102444800000,
    address, hostname, version, assigned_machine_id, assigned_pool_id, note, first_seen, last_seen
  FROM thin_client;
CREATE TABLE thin_client_mac ( -- believed: clients.xml may mean the device by it
  thin_client_id TEXT NOT NULL REFERENCES thin_client_v9 (id) ON DELETE CASCADE,
  mac TEXT NOT NULL,
  believed INTEGER NOT NULL,
  first_seen INTEGER NOT NULL,
  PRIMARY KEY (thin_client_id, mac)
);
CREATE INDEX thin_client_mac_by_mac ON thin_client_mac (mac);
INSERT INTO thin_client_mac (thin_client_id, mac, believed, first_seen)
  SELECT id, mac, accepted, first_seen
  FROM thin_client;
CREATE TABLE device_login_v9 (
  thin_client_id TEXT PRIMARY KEY REFERENCES thin_client_v9 (id) ON DELETE CASCADE,
  account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
  since INTEGER NOT NULL, seen_at INTEGER NOT NULL, choice_kind TEXT, choice TEXT,
  machine_id TEXT REFERENCES machine (id) ON DELETE SET NULL, ticket_at INTEGER, ends TEXT
);
INSERT INTO device_login_v9 (thin_client_id, account, since, seen_at, choice_kind, choice, machine_id, ticket_at, ends)
  SELECT thin_client_id, account, since, seen_at, choice_kind, choice, machine_id, ticket_at, ends FROM device_login;
CREATE TABLE thin_client_order_v9 (
  id TEXT PRIMARY KEY,
  thin_client_id TEXT NOT NULL REFERENCES thin_client_v9 (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  seconds INTEGER NOT NULL,
  ordered_by TEXT NOT NULL, state TEXT NOT NULL, sentence TEXT NOT NULL,
  created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL, sent_at INTEGER, finished_at INTEGER
);
INSERT INTO thin_client_order_v9 (id, thin_client_id, kind, text, seconds, ordered_by, state,
  sentence, created_at, expires_at, sent_at, finished_at)
  SELECT id, thin_client_id, kind, text, seconds, ordered_by, state, sentence, created_at,
    expires_at, sent_at, finished_at
  FROM thin_client_order;
DROP TABLE thin_client_order;
DROP TABLE device_login;
DROP TABLE thin_client;
ALTER TABLE thin_client_v9 RENAME TO thin_client;
ALTER TABLE device_login_v9 RENAME TO device_login;
ALTER TABLE thin_client_order_v9 RENAME TO thin_client_order;
CREATE INDEX thin_client_by_key ON thin_client (key_hash);
CREATE INDEX thin_client_unaccepted ON thin_client (address) WHERE accepted = 0;
CREATE INDEX device_login_of_account ON device_login (account);
CREATE INDEX device_login_of_machine ON device_login (machine_id);
CREATE INDEX thin_client_order_of_device ON thin_client_order (thin_client_id, created_at);
CREATE INDEX thin_client_order_open ON thin_client_order (thin_client_id, state) WHERE state IN ('pending', 'sent');
-- the codes on screens of devices that wait are made with it
INSERT INTO setting (name, value) VALUES ('thin-client-codes', lower(hex(randomblob(32))));
-- v 10
-- 1: its disk was made by a Berth that did not mark its files; it is marked once it is proven to be
-- the machine's
ALTER TABLE machine ADD COLUMN unmarked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE generation_copy ADD COLUMN unmarked INTEGER NOT NULL DEFAULT 0;
UPDATE machine SET unmarked = 1 WHERE adopted = 0;
UPDATE generation_copy SET unmarked = 1;
-- what a job made and could not take back, or a deleted machine left on a host that was away;
-- removed when that is back
CREATE TABLE leftover (
  id INTEGER PRIMARY KEY AUTOINCREMENT, hypervisor TEXT NOT NULL REFERENCES hypervisor (name) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  owner TEXT NOT NULL,
  made_by TEXT,
  noted_at INTEGER NOT NULL,
  fault TEXT NOT NULL DEFAULT '',
  UNIQUE (hypervisor, kind, name, owner)
);
-- v 11
CREATE INDEX job_by_time ON job (created_at DESC, id);
CREATE INDEX job_by_state_and_time ON job (state, created_at DESC, id);
DROP INDEX job_by_state;
CREATE INDEX job_by_kind ON job (kind, created_at DESC);
CREATE INDEX job_by_subject ON job (subject, created_at DESC);
CREATE INDEX job_by_creator ON job (created_by, created_at DESC);
CREATE INDEX job_by_owner ON job (owner) WHERE owner IS NOT NULL;
CREATE INDEX job_by_end ON job (finished_at);
CREATE INDEX event_by_time ON event (at);
CREATE INDEX event_by_actor ON event (actor, id);
CREATE INDEX event_by_object ON event (object, id);
CREATE INDEX event_by_action ON event (action, id);
CREATE INDEX machine_by_wanted_generation ON machine (wanted_generation_id);
CREATE INDEX thin_client_by_assigned_machine ON thin_client (assigned_machine_id);
CREATE INDEX thin_client_by_assigned_pool ON thin_client (assigned_pool_id);
CREATE INDEX login_failure_by_time ON login_failure (last_at);
CREATE INDEX thin_client_order_by_state ON thin_client_order (state, expires_at);
-- v 12
-- every card that a machine is known to have, in lower case: two with one MAC take each other's
-- connections
CREATE TABLE machine_mac (
  mac TEXT PRIMARY KEY, machine_id TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE
);
CREATE INDEX machine_mac_of_machine ON machine_mac (machine_id);
INSERT OR IGNORE INTO machine_mac (mac, machine_id) SELECT lower(mac), id FROM machine WHERE mac != '';
-- where displays listen; auto: the display address where it is the host's own, else all of its
-- family
ALTER TABLE hypervisor ADD COLUMN listen_address TEXT NOT NULL DEFAULT 'auto';
ALTER TABLE hypervisor ADD COLUMN listen_found TEXT; -- what auto was found to be when the line last came up
-- v 13
-- the marks of browsers in which somebody has logged in are signed with it
INSERT INTO setting (name, value) VALUES ('known-browsers', lower(hex(randomblob(32))));
CREATE INDEX token_of_account ON token (account, kind, created_at);
-- v 14
-- a device that is new says a name, and ten thousand come at once after a power cut
CREATE INDEX thin_client_by_hostname ON thin_client (believed_hostname);
