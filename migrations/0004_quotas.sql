-- What each process counted under quotas in the last minute, for the others to add up. A process writes its own rows alone.
-- Unlogged: after a crash of the database one minute of counts is gone, and every request costs no write-ahead log.
create unlogged table quota_count (
  process_id uuid not null,
  -- a person, or people who share an amount: a hash, so that no name stands here
  key text not null,
  -- requests that run there
  running integer not null,
  -- [[second, requests, input tokens, output tokens], …]
  counted jsonb not null,
  -- a row that is not written anew is not counted: the minute is over, and its process may have ended
  told_at timestamptz not null,
  primary key (process_id, key)
);
create index quota_count_told on quota_count (told_at);
