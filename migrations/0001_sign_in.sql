-- Sign-in: device grants (RFC 8628), the browser's way through the identity provider, sessions and refresh tokens.
-- Codes and tokens are stored as SHA-256, base64url; what must be read back is sealed by the program.

create table device_grant (
  device_code_hash text primary key,
  user_code text not null,
  status text not null default 'pending' check (status in ('pending', 'approved', 'denied', 'consumed')),
  interval_seconds integer not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  last_polled_at timestamptz,
  requester_ip text not null,
  -- who approved, until the poll that turns it into a session
  identity jsonb,
  idp_refresh_token text
);
-- A person types the user code, so no two grants that wait may share one.
create unique index device_grant_waiting_code on device_grant (user_code) where status = 'pending';
create index device_grant_expiry on device_grant (expires_at);

create table sign_in_attempt (
  state_hash text primary key,
  -- the browser that began, so that nobody finishes a stranger's sign-in (RFC 9700 4.7)
  browser_hash text not null,
  device_code_hash text not null references device_grant on delete cascade,
  sealed text not null,
  expires_at timestamptz not null
);
create index sign_in_attempt_expiry on sign_in_attempt (expires_at);

create table session (
  sid uuid primary key,
  issuer text not null,
  sub text not null,
  email text,
  name text,
  groups jsonb not null,
  created_at timestamptz not null default now(),
  refreshed_at timestamptz not null default now(),
  revoked_at timestamptz,
  idp_refresh_token text
);
create index session_person on session (issuer, sub);
-- Every replica reads the recent revocations once a second.
create index session_revoked on session (revoked_at) where revoked_at is not null;

create table refresh_token (
  token_hash text primary key,
  sid uuid not null references session on delete cascade,
  created_at timestamptz not null default now(),
  -- one process at a time asks the identity provider
  claimed_until timestamptz,
  used_at timestamptz,
  -- the token that replaced this one, so that processes refreshing together all get it; wiped after the overlap
  successor text
);
create index refresh_token_session on refresh_token (sid);
