-- The schema of version 14, with which PostgreSQL begins; earlier versions were SQLite's alone. The same as
-- sqlite.sql after its block 14, which test/broker/store/schemas.test.ts sees to. The database has the locale C,
-- so that texts are compared and sorted as SQLite does it; CITEXT is its NOCASE.
CREATE EXTENSION IF NOT EXISTS citext;
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE event (
  id BIGINT PRIMARY KEY, at BIGINT NOT NULL, actor TEXT NOT NULL, address TEXT NOT NULL, action TEXT NOT NULL,
  object TEXT NOT NULL, result TEXT NOT NULL, detail TEXT NOT NULL,
  hash TEXT
);
CREATE TABLE hypervisor (
  name TEXT PRIMARY KEY, address TEXT NOT NULL, port BIGINT NOT NULL, display_address TEXT NOT NULL,
  host_key_fingerprint TEXT NOT NULL, virt_type_setting TEXT NOT NULL, virt_type TEXT,
  images_dir TEXT NOT NULL, overlays_dir TEXT NOT NULL, transient_dir TEXT NOT NULL,
  max_starts BIGINT NOT NULL, maintenance BIGINT NOT NULL DEFAULT 0, maintenance_reason TEXT NOT NULL DEFAULT '',
  created_at BIGINT NOT NULL,
  listen_address TEXT NOT NULL DEFAULT 'auto', listen_found TEXT
);
CREATE TABLE machine (
  id TEXT PRIMARY KEY, name CITEXT NOT NULL UNIQUE, type TEXT NOT NULL,
  hypervisor TEXT NOT NULL REFERENCES hypervisor (name),
  parent_id TEXT REFERENCES machine (id),
  disk TEXT, -- the full path of vda; NULL until it is known
  generation_id TEXT, wanted_generation_id TEXT,
  maintenance BIGINT NOT NULL DEFAULT 0, maintenance_reason TEXT NOT NULL DEFAULT '',
  discard_changes BIGINT NOT NULL DEFAULT 0, discard_on_reboot BIGINT NOT NULL DEFAULT 0,
  memory_mib BIGINT NOT NULL, vcpus BIGINT NOT NULL, network TEXT NOT NULL, firmware TEXT NOT NULL,
  mac TEXT NOT NULL, serial TEXT NOT NULL, domain_xml TEXT, adopted BIGINT NOT NULL DEFAULT 0,
  power TEXT NOT NULL DEFAULT 'unknown', power_reason TEXT NOT NULL DEFAULT '', power_since BIGINT NOT NULL,
  -- 'on' while somebody's desktop must run: a reset that leaves the machine off is answered by a
  -- start
  wanted_power TEXT,
  created_at BIGINT NOT NULL,
  unmarked BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX machine_of_hypervisor ON machine (hypervisor);
CREATE INDEX machine_of_parent ON machine (parent_id);
CREATE INDEX machine_on_generation ON machine (generation_id);
CREATE TABLE generation (
  id TEXT PRIMARY KEY, initial_id TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE, number BIGINT NOT NULL,
  source_name TEXT, state TEXT NOT NULL, current BIGINT NOT NULL DEFAULT 0, file TEXT NOT NULL,
  bytes BIGINT,
  virtual_bytes BIGINT,
  sha256 TEXT,
  method TEXT,
  created_at BIGINT NOT NULL,
  UNIQUE (initial_id, number)
);
ALTER TABLE machine
  ADD FOREIGN KEY (generation_id) REFERENCES generation (id),
  ADD FOREIGN KEY (wanted_generation_id) REFERENCES generation (id);
CREATE TABLE generation_copy (
  generation_id TEXT NOT NULL REFERENCES generation (id) ON DELETE CASCADE,
  hypervisor TEXT NOT NULL REFERENCES hypervisor (name) ON DELETE CASCADE, unmarked BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (generation_id, hypervisor)
);
CREATE TABLE job (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL,
  message TEXT NOT NULL DEFAULT '',
  input TEXT NOT NULL, created_by TEXT NOT NULL, owner TEXT, lease_until BIGINT, fence BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL, started_at BIGINT, finished_at BIGINT
);
CREATE TABLE job_target (
  job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  position BIGINT NOT NULL,
  state TEXT NOT NULL,
  step TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '', PRIMARY KEY (job_id, name)
);
CREATE TABLE job_step (
  job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
  target TEXT NOT NULL,
  step TEXT NOT NULL,
  result TEXT NOT NULL,
  at BIGINT NOT NULL,
  PRIMARY KEY (job_id, target, step)
);
CREATE TABLE job_lock (machine_id TEXT PRIMARY KEY, job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE);
CREATE INDEX job_lock_of_job ON job_lock (job_id);
CREATE TABLE account (
  name TEXT PRIMARY KEY, name_key TEXT NOT NULL UNIQUE,
  source TEXT NOT NULL, -- 'local', or the directory or provider that the person comes from
  subject TEXT, -- OpenID Connect: issuer and subject; a name may change hands there, a subject never
  password_hash TEXT, display_name TEXT NOT NULL DEFAULT '', disabled BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL, last_login_at BIGINT
);
CREATE TABLE account_role (
  account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE, role TEXT NOT NULL,
  -- 'local': given by an administrator; else the directory that says so, and takes it back at a
  -- login
  source TEXT NOT NULL,
  PRIMARY KEY (account, role, source)
);
CREATE TABLE token (
  hash TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE, name TEXT NOT NULL,
  kind TEXT NOT NULL, -- 'login' ends with log-out and a new password; 'program' does not
  scopes TEXT, -- separated by commas; NULL: all that the account may
  created_at BIGINT NOT NULL, expires_at BIGINT, last_used_at BIGINT, UNIQUE (account, name)
);
CREATE TABLE web_session (
  hash TEXT PRIMARY KEY,
  account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
  provider TEXT NOT NULL,
  address TEXT NOT NULL,
  created_at BIGINT NOT NULL, seen_at BIGINT NOT NULL, expires_at BIGINT NOT NULL
);
CREATE INDEX web_session_of_account ON web_session (account);
CREATE TABLE login_failure ( -- subject: 'account:KEY' or 'address:ADDRESS'
  subject TEXT PRIMARY KEY, failures BIGINT NOT NULL, last_at BIGINT NOT NULL, blocked_until BIGINT NOT NULL
);
CREATE TABLE login_flow (
  hash TEXT PRIMARY KEY, kind TEXT NOT NULL, provider TEXT NOT NULL, state TEXT NOT NULL, expires_at BIGINT NOT NULL
);
CREATE TABLE permission_grant ( -- object_kind: pool or machine; subject_kind: user or role
  object_kind TEXT NOT NULL,
  object_id TEXT NOT NULL,
  subject_kind TEXT NOT NULL,
  subject_key TEXT NOT NULL,
  subject TEXT NOT NULL,
  machine_id TEXT REFERENCES machine (id) ON DELETE CASCADE, -- object_id where it is a machine's
  verbs TEXT NOT NULL, created_at BIGINT NOT NULL, PRIMARY KEY (object_kind, object_id, subject_kind, subject_key)
);
CREATE INDEX permission_grant_of_subject ON permission_grant (subject_kind, subject_key);
CREATE TABLE pool (
  -- the seed's namespace, kept as a label
  id TEXT PRIMARY KEY, name CITEXT NOT NULL UNIQUE, namespace TEXT NOT NULL DEFAULT '',
  -- 1: made by the pool and deleted with it
  initial_id TEXT REFERENCES machine (id) ON DELETE SET NULL,
  initial_made BIGINT NOT NULL DEFAULT 0,
  policy TEXT NOT NULL, hardware TEXT NOT NULL, hypervisors TEXT NOT NULL, -- JSON, as in api/pools.ts
  size BIGINT NOT NULL, spares BIGINT NOT NULL, state TEXT NOT NULL, -- active or deleting
  maintenance BIGINT NOT NULL DEFAULT 0, maintenance_reason TEXT NOT NULL DEFAULT '',
  needed_at BIGINT NOT NULL, -- when its size was last needed; after the cool-down it shrinks
  retry_at BIGINT NOT NULL DEFAULT 0, tries BIGINT NOT NULL DEFAULT 0, created_at BIGINT NOT NULL
);
CREATE TABLE desktop ( -- a machine that is handed from one person to the next
  machine_id TEXT PRIMARY KEY REFERENCES machine (id) ON DELETE CASCADE,
  state TEXT NOT NULL,
  reason TEXT NOT NULL DEFAULT '',
  since BIGINT NOT NULL,
  unclean TEXT, -- NULL: clean; stop or rebuild: what is done before anybody else gets it
  last_holder TEXT, fresh BIGINT NOT NULL DEFAULT 1, -- 1: nobody has had it since it was built or rebuilt
  used_at BIGINT NOT NULL DEFAULT 0, tries BIGINT NOT NULL DEFAULT 0, retry_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX desktop_by_state ON desktop (state);
CREATE INDEX desktop_of_last_holder ON desktop (last_holder);
CREATE TABLE pool_member (
  pool_id TEXT NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
  machine_id TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE,
  built BIGINT NOT NULL,
  -- What a claim looks at stands here too, so that one index answers it. claimable: 0 no, 1 yes, 2
  -- after it was cleaned.
  claimable BIGINT NOT NULL DEFAULT 0,
  hypervisor TEXT NOT NULL,
  name TEXT NOT NULL,
  fresh BIGINT NOT NULL DEFAULT 1,
  used_at BIGINT NOT NULL DEFAULT 0,
  running BIGINT NOT NULL DEFAULT 0,
  PRIMARY KEY (pool_id, machine_id)
);
CREATE INDEX pool_member_of_machine ON pool_member (machine_id);
CREATE INDEX pool_member_to_claim
  ON pool_member (pool_id, claimable, fresh DESC, used_at, running DESC, hypervisor, name);
CREATE TABLE assignment (
  machine_id TEXT PRIMARY KEY REFERENCES machine (id) ON DELETE CASCADE,
  pool_id TEXT REFERENCES pool (id) ON DELETE CASCADE,
  holder TEXT NOT NULL, -- user:NAME or thin-client:ID
  by_administrator BIGINT NOT NULL DEFAULT 0, fixed BIGINT NOT NULL DEFAULT 0, -- fixed: never expires
  wanted BIGINT NOT NULL DEFAULT 0, -- 1: it is cleaned, moved and started until it runs
  connected BIGINT NOT NULL DEFAULT 0,
  assigned_at BIGINT NOT NULL,
  started_at BIGINT,
  ticket_at BIGINT,
  connected_at BIGINT,
  disconnected_at BIGINT,
  extended_at BIGINT,
  session_at BIGINT, -- since when somebody is connected, short breaks included
  idle_since BIGINT NOT NULL, -- the last of these times, moved on by the time in which broker or host was away
  stop_at BIGINT, -- when the schedule shuts it down, after its holder was warned
  warned_for BIGINT, starts_failed BIGINT NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX assignment_in_pool ON assignment (pool_id, holder);
CREATE INDEX assignment_of_holder ON assignment (holder);
CREATE INDEX assignment_by_idle ON assignment (pool_id, connected, idle_since);
CREATE TABLE machine_mirror ( -- SHA-256 of the metadata that a machine's domain was last told
  machine_id TEXT PRIMARY KEY REFERENCES machine (id) ON DELETE CASCADE, hash TEXT NOT NULL
);
CREATE TABLE waiter ( -- who waits for a desktop of a full pool, in this order
  pool_id TEXT NOT NULL REFERENCES pool (id) ON DELETE CASCADE,
  holder TEXT NOT NULL,
  since BIGINT NOT NULL,
  asked_at BIGINT NOT NULL,
  PRIMARY KEY (pool_id, holder)
);
CREATE INDEX waiter_in_order ON waiter (pool_id, since);
CREATE TABLE console_seat (
  machine_id TEXT PRIMARY KEY REFERENCES machine (id) ON DELETE CASCADE,
  holder_kind TEXT NOT NULL, holder TEXT NOT NULL, -- who was given the last ticket
  address TEXT NOT NULL, via TEXT NOT NULL, ticket_at BIGINT NOT NULL, connected_at BIGINT, disconnected_at BIGINT
);
CREATE TABLE clients_xml_version ( -- the last texts that were in force; author: an account, or file
  id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  at BIGINT NOT NULL,
  author TEXT NOT NULL,
  etag TEXT NOT NULL,
  clients BIGINT NOT NULL,
  bytes BIGINT NOT NULL,
  text TEXT NOT NULL
);
CREATE TABLE history_minute ( -- one row for each minute in which the broker looked; what it did not see has no row
  at BIGINT PRIMARY KEY, -- when the minute began
  -- as they were when it ended
  sessions BIGINT NOT NULL,
  assigned BIGINT NOT NULL,
  waiting BIGINT NOT NULL,
  longest_wait_ms BIGINT NOT NULL,
  -- what happened in it; JSON arrays: medians of longer times need every figure
  starts BIGINT NOT NULL, start_ms TEXT NOT NULL, waited_ms TEXT NOT NULL
);
CREATE INDEX job_step_by_time ON job_step (at);
CREATE TABLE drain ( -- a hypervisor that is being emptied; the row goes when its maintenance ends
  hypervisor TEXT PRIMARY KEY REFERENCES hypervisor (name) ON DELETE CASCADE,
  began_at BIGINT NOT NULL,
  ordered_by TEXT NOT NULL,
  message TEXT NOT NULL, -- said to those who are still on it; may be empty
  deadline BIGINT, -- NULL: until they leave by themselves
  warned_at BIGINT, -- when those who would lose something at the deadline were first told so
  total BIGINT NOT NULL, -- machines that had something to be done with at the beginning
  empty_at BIGINT
);
CREATE TABLE thin_client (
  id TEXT PRIMARY KEY, mac TEXT NOT NULL, -- the MAC by which it is listed
  name TEXT NOT NULL DEFAULT '', -- given by an administrator
  key_hash TEXT, key_shown BIGINT NOT NULL DEFAULT 0, -- 0: the key is on its way, and is given again
  -- who first asked, or was last given the key, and when: claim:HASH or address:ADDRESS
  asker TEXT NOT NULL DEFAULT '', key_given_at BIGINT NOT NULL DEFAULT 0,
  accepted BIGINT NOT NULL,
  accept_for TEXT, -- who is given a key at the next contact: code:CODE or address:ADDRESS
  -- as_new: as a device of its own, beside this one
  accept_until BIGINT NOT NULL DEFAULT 0, accept_as_new BIGINT NOT NULL DEFAULT 0,
  address TEXT NOT NULL, hostname TEXT NOT NULL,
  believed_hostname TEXT, -- the host name by which clients.xml may mean it; NULL: what it says at its next contact
  version TEXT NOT NULL,
  assigned_machine_id TEXT REFERENCES machine (id) ON DELETE SET NULL,
  assigned_pool_id TEXT REFERENCES pool (id) ON DELETE SET NULL,
  -- the day (since 1970) on which others asked in its place, and how often
  note TEXT NOT NULL DEFAULT '',
  strangers_day BIGINT NOT NULL DEFAULT 0,
  strangers BIGINT NOT NULL DEFAULT 0,
  first_seen BIGINT NOT NULL, last_seen BIGINT NOT NULL
);
CREATE TABLE thin_client_mac ( -- believed: clients.xml may mean the device by it
  thin_client_id TEXT NOT NULL REFERENCES thin_client (id) ON DELETE CASCADE,
  mac TEXT NOT NULL,
  believed BIGINT NOT NULL,
  first_seen BIGINT NOT NULL,
  PRIMARY KEY (thin_client_id, mac)
);
CREATE INDEX thin_client_mac_by_mac ON thin_client_mac (mac);
CREATE TABLE device_login (
  thin_client_id TEXT PRIMARY KEY REFERENCES thin_client (id) ON DELETE CASCADE,
  account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE,
  since BIGINT NOT NULL, seen_at BIGINT NOT NULL, choice_kind TEXT, choice TEXT,
  machine_id TEXT REFERENCES machine (id) ON DELETE SET NULL, ticket_at BIGINT, ends TEXT
);
CREATE TABLE thin_client_order (
  id TEXT PRIMARY KEY,
  thin_client_id TEXT NOT NULL REFERENCES thin_client (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  seconds BIGINT NOT NULL,
  ordered_by TEXT NOT NULL, state TEXT NOT NULL, sentence TEXT NOT NULL,
  created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, sent_at BIGINT, finished_at BIGINT
);
CREATE INDEX thin_client_by_key ON thin_client (key_hash);
CREATE INDEX thin_client_unaccepted ON thin_client (address) WHERE accepted = 0;
CREATE INDEX device_login_of_account ON device_login (account);
CREATE INDEX device_login_of_machine ON device_login (machine_id);
CREATE INDEX thin_client_order_of_device ON thin_client_order (thin_client_id, created_at);
CREATE INDEX thin_client_order_open ON thin_client_order (thin_client_id, state) WHERE state IN ('pending', 'sent');
CREATE TABLE leftover (
  id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
  hypervisor TEXT NOT NULL REFERENCES hypervisor (name) ON DELETE CASCADE,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  owner TEXT NOT NULL,
  made_by TEXT,
  noted_at BIGINT NOT NULL,
  fault TEXT NOT NULL DEFAULT '',
  UNIQUE (hypervisor, kind, name, owner)
);
CREATE INDEX job_by_time ON job (created_at DESC, id);
CREATE INDEX job_by_state_and_time ON job (state, created_at DESC, id);
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
CREATE TABLE machine_mac (
  mac TEXT PRIMARY KEY, machine_id TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE
);
CREATE INDEX machine_mac_of_machine ON machine_mac (machine_id);
CREATE INDEX token_of_account ON token (account, kind, created_at);
CREATE INDEX thin_client_by_hostname ON thin_client (believed_hostname);
-- The codes on screens of devices that wait are made with the one, the marks of browsers in which somebody has logged
-- in are signed with the other.
INSERT INTO setting (name, value)
  SELECT name, replace(gen_random_uuid()::TEXT || gen_random_uuid()::TEXT, '-', '')
  FROM (VALUES ('thin-client-codes'), ('known-browsers')) AS secret (name);
