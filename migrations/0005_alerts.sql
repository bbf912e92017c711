-- Thresholds of spend limits that were passed, and what is still to be delivered about them.

-- Each is passed once: another amount of the same limit is another one to pass.
create table spend_alert (
  scope text not null,
  scope_id text not null,
  limit_id text not null,
  period text not null,
  window_start date not null,
  -- nano-dollars
  amount bigint not null,
  -- percent
  threshold numeric not null,
  spent bigint not null,
  -- false: passed together with a higher one, which told it
  told boolean not null,
  created_at timestamptz not null default now(),
  primary key (scope, scope_id, limit_id, period, window_start, amount, threshold)
);
create index spend_alert_window on spend_alert (window_start);

create table alert_delivery (
  id uuid primary key,
  -- a hash of kind and URL: a webhook's URL is a secret
  destination text not null,
  body text not null,
  created_at timestamptz not null default now(),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  -- one process at a time sends it; when that dies another may
  claimed_until timestamptz,
  last_error text
);
create index alert_delivery_next on alert_delivery (destination, next_attempt_at);

-- Up to when spend was looked at, for whoever looks next.
create table alert_watch (
  only_row boolean primary key default true check (only_row),
  looked_at timestamptz not null default now()
);
insert into alert_watch default values;
