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
  hash TEXT PRIMARY KEY, account TEXT NOT NULL REFERENCES account (name) ON DELETE CASCADE, name TEXT NOT NULL, role TEXT NOT NULL,
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
  wanted_power TEXT, -- 'on' while somebody's desktop must run: a reset that leaves the machine off is answered by a start
  created_at INTEGER NOT NULL
);
CREATE INDEX machine_of_hypervisor ON machine (hypervisor);
CREATE INDEX machine_of_parent ON machine (parent_id);
CREATE INDEX machine_on_generation ON machine (generation_id);
CREATE TABLE generation (
  id TEXT PRIMARY KEY, initial_id TEXT NOT NULL REFERENCES machine (id) ON DELETE CASCADE, number INTEGER NOT NULL,
  source_name TEXT, state TEXT NOT NULL, current INTEGER NOT NULL DEFAULT 0, file TEXT NOT NULL,
  bytes INTEGER, virtual_bytes INTEGER, sha256 TEXT, method TEXT, created_at INTEGER NOT NULL, UNIQUE (initial_id, number)
);
CREATE TABLE generation_copy (
  generation_id TEXT NOT NULL REFERENCES generation (id) ON DELETE CASCADE, hypervisor TEXT NOT NULL REFERENCES hypervisor (name) ON DELETE CASCADE,
  PRIMARY KEY (generation_id, hypervisor)
);
CREATE TABLE job (
  id TEXT PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL DEFAULT '',
  input TEXT NOT NULL, created_by TEXT NOT NULL, owner TEXT, lease_until INTEGER, fence INTEGER NOT NULL DEFAULT 0,
  created_at INTEGER NOT NULL, started_at INTEGER, finished_at INTEGER
);
CREATE INDEX job_by_state ON job (state);
CREATE TABLE job_target (
  job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE, name TEXT NOT NULL, position INTEGER NOT NULL, state TEXT NOT NULL,
  step TEXT NOT NULL DEFAULT '', message TEXT NOT NULL DEFAULT '', PRIMARY KEY (job_id, name)
);
CREATE TABLE job_step (
  job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE, target TEXT NOT NULL, step TEXT NOT NULL, result TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (job_id, target, step)
);
CREATE TABLE job_lock (machine_id TEXT PRIMARY KEY, job_id TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE);
CREATE INDEX job_lock_of_job ON job_lock (job_id);
CREATE TABLE assignment (
  machine_id TEXT PRIMARY KEY REFERENCES machine (id) ON DELETE CASCADE, thin_client_id TEXT NOT NULL,
  assigned_at INTEGER NOT NULL, ticket_at INTEGER, connected_at INTEGER, disconnected_at INTEGER
);
CREATE TABLE thin_client (
  id TEXT PRIMARY KEY, mac TEXT NOT NULL UNIQUE, key_hash TEXT, accepted INTEGER NOT NULL, address TEXT NOT NULL, hostname TEXT NOT NULL,
  version TEXT NOT NULL, assigned_machine_id TEXT REFERENCES machine (id) ON DELETE SET NULL, note TEXT NOT NULL DEFAULT '',
  first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL
);
CREATE INDEX thin_client_by_key ON thin_client (key_hash);
-- v 4
CREATE TABLE console_seat (
  machine_id TEXT PRIMARY KEY REFERENCES machine (id) ON DELETE CASCADE,
  holder_kind TEXT NOT NULL, holder TEXT NOT NULL, -- who was given the last ticket
  address TEXT NOT NULL, via TEXT NOT NULL, ticket_at INTEGER NOT NULL, connected_at INTEGER, disconnected_at INTEGER
);
