-- A person's own page: signing in to it, and being signed in.

-- An attempt is for the grant of a device or for the page, and can end in nothing else.
alter table sign_in_attempt add column purpose text not null default 'device' check (purpose in ('device', 'page'));
alter table sign_in_attempt alter column device_code_hash drop not null;
alter table sign_in_attempt add constraint sign_in_attempt_purpose_grant check ((purpose = 'device') = (device_code_hash is not null));

-- A browser that is signed in to the page, for an hour. Its session has no refresh token and no bearer.
create table page_session (
  token_hash text primary key,
  sid uuid not null references session on delete cascade,
  expires_at timestamptz not null
);
create index page_session_session on page_session (sid);
create index page_session_expiry on page_session (expires_at);
