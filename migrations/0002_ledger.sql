-- What was used, by whom, at what price; and what is held for requests that still run.
-- Money is nano-dollars, rates are nano-dollars per million tokens, both whole numbers. Windows are UTC. A request
-- belongs to the moment it began, by the clock of this database.

-- The clock of every rule about money. Tests put another one in its place.
create function spend_clock() returns timestamptz language sql stable as 'select now()';

create function spend_day_of(moment timestamptz) returns date language sql immutable as $$ select (moment at time zone 'UTC')::date $$;

-- People as their identity provider last described them. A name may change or end; (issuer, sub) does not.
create table person (
  issuer text not null,
  sub text not null,
  email text,
  name text,
  groups jsonb not null,
  first_seen_at timestamptz not null default now(),
  last_seen_at timestamptz not null default now(),
  primary key (issuer, sub)
);
create index person_sub on person (sub);
create index person_email on person (lower(email));

-- The groups of a person at the time of a request, written once for all its rows. The id is made of the groups.
create table group_set (
  id uuid primary key,
  groups jsonb not null
);

-- Programs that hold something: one that is not seen any more has died, and what it held is settled for it.
create table gateway_process (
  id uuid primary key,
  started_at timestamptz not null default now(),
  seen_at timestamptz not null default now()
);

-- A request on its way to an upstream, written before anything is sent.
create table usage_hold (
  request_id uuid primary key,
  process_id uuid not null,
  started_at timestamptz not null,
  -- counters that the amount is held on: [["user", "…"], …]
  held_on jsonb not null,
  held bigint not null,
  -- could not be settled: left for somebody to look at, and in nobody's way
  is_stuck boolean not null default false,
  -- what is settled when nobody comes back to do it: {"request": …, "rows": […]} as spend_settle takes them
  conservative jsonb not null
);
create index usage_hold_process on usage_hold (process_id);

-- One row for each execution at an upstream.
create table usage (
  request_id uuid not null,
  seq smallint not null,
  started_at timestamptz not null,
  -- message; or compaction, advisor_message, declined_message: work beside the answer, counted apart from it
  kind text not null,
  issuer text not null,
  sub text not null,
  group_set uuid not null,
  session text,
  -- claude-cli
  client text not null,
  client_version text,
  model_asked text not null,
  -- the catalogue's name, or the operator's own
  model text not null,
  upstream text not null,
  provider text not null,
  upstream_model text not null,
  region text,
  upstream_request_id text,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_tokens bigint not null,
  cache_write_5m_tokens bigint not null,
  cache_write_1h_tokens bigint not null,
  -- part of the output
  thinking_tokens bigint not null,
  web_searches bigint not null,
  speed text not null,
  inference_geo text not null,
  service_tier text not null,
  status smallint not null,
  -- completed, client_gone, upstream_broke, drained, failed; swept: its process died
  outcome text not null,
  -- counts are not the upstream's own: a stream broke off before its end, or nobody heard it
  estimated boolean not null,
  ttfb_ms integer,
  duration_ms integer,
  -- list, override, unknown
  priced_by text not null,
  rate_input bigint not null,
  rate_output bigint not null,
  rate_cache_read bigint not null,
  rate_cache_write_5m bigint not null,
  rate_cache_write_1h bigint not null,
  -- nano-dollars for each
  rate_web_search bigint not null,
  cost bigint not null,
  primary key (request_id, seq, started_at)
) partition by range (started_at);
create index usage_person on usage (issuer, sub, started_at);
create index usage_started on usage (started_at);
-- For a clock that jumps: a row is never refused for its month.
create table usage_other partition of usage default;

-- Spend by day. scope: user (scope_id: issuer, space, sub), rbac_group (a shared pool: the group's name), organization ('').
create table spend_day (
  scope text not null check (scope in ('user', 'rbac_group', 'organization')),
  scope_id text not null,
  day date not null,
  spent bigint not null default 0,
  -- of requests that began on this day and still run
  held bigint not null default 0,
  updated_at timestamptz not null default now(),
  primary key (scope, scope_id, day)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
create index spend_day_updated on spend_day (updated_at);
create index spend_day_day on spend_day (day, scope);

-- The ledger by hour, for reports.
create table usage_hour (
  hour timestamptz not null,
  issuer text not null,
  sub text not null,
  group_set uuid not null,
  model text not null,
  upstream text not null,
  client text not null,
  speed text not null,
  inference_geo text not null,
  service_tier text not null,
  requests bigint not null,
  failed_requests bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_tokens bigint not null,
  cache_write_5m_tokens bigint not null,
  cache_write_1h_tokens bigint not null,
  web_searches bigint not null,
  cost bigint not null,
  -- the part of the cost whose counts are estimates
  estimated_cost bigint not null,
  primary key (hour, issuer, sub, group_set, model, upstream, client, speed, inference_geo, service_tier)
);
create index usage_hour_person on usage_hour (issuer, sub, hour);

-- The same by day, in UTC: a month of it is a few rows for each person.
create table usage_day (
  day timestamptz not null,
  issuer text not null,
  sub text not null,
  group_set uuid not null,
  model text not null,
  upstream text not null,
  client text not null,
  speed text not null,
  inference_geo text not null,
  service_tier text not null,
  requests bigint not null,
  failed_requests bigint not null,
  input_tokens bigint not null,
  output_tokens bigint not null,
  cache_read_tokens bigint not null,
  cache_write_5m_tokens bigint not null,
  cache_write_1h_tokens bigint not null,
  web_searches bigint not null,
  cost bigint not null,
  -- the part of the cost whose counts are estimates
  estimated_cost bigint not null,
  primary key (day, issuer, sub, group_set, model, upstream, client, speed, inference_geo, service_tier)
);
create index usage_day_person on usage_day (issuer, sub, day);

-- Makes the partitions of this month and the next two. Replicas that do so at once wait for each other.
-- What waits for a lock on a table makes everybody behind it wait: a later try does.
create function usage_make_partitions() returns void language plpgsql set lock_timeout = '2s' as $$
declare
  first_day date;
begin
  perform pg_advisory_xact_lock(73054662);
  for ahead in 0..2 loop
    first_day := (date_trunc('month', spend_clock() at time zone 'UTC') + make_interval(months => ahead))::date;
    continue when to_regclass(format('usage_%s', to_char(first_day, 'YYYY_MM'))) is not null;
    -- rows that came early
    continue when exists (select from usage_other where started_at >= first_day::timestamp at time zone 'UTC' and started_at < (first_day + interval '1 month') at time zone 'UTC');
    execute format('create table %I partition of usage for values from (%L) to (%L)', 'usage_' || to_char(first_day, 'YYYY_MM'),
      first_day::timestamp at time zone 'UTC', (first_day + interval '1 month') at time zone 'UTC');
  end loop;
end
$$;
select usage_make_partitions();

-- Drops the oldest month of single requests when all of it is older than so many days. Returns its name, or null when
-- there is none, or somebody else is at it. A call of its own for each: nothing else waits for what it locks.
create function usage_drop_month(usage_days integer) returns text language plpgsql set lock_timeout = '2s' as $$
declare
  part text;
begin
  if not pg_try_advisory_xact_lock(73054663) then return null; end if;
  select min(c.relname) into part from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'usage'::regclass and c.relname ~ '^usage_\d{4}_\d{2}$'
      and (to_date(substr(c.relname, 7), 'YYYY_MM') + interval '1 month') at time zone 'UTC' < spend_clock() - make_interval(days => usage_days);
  if part is not null then execute format('drop table %I', part); end if;
  return part;
end
$$;

-- Deletes up to `most` rows of each kind that are kept long enough: days of single requests, months of spend, days of names
-- after somebody was last seen. Returns how many rows there were.
create function spend_forget(usage_days integer, spend_months integer, identity_days integer, most integer) returns bigint language plpgsql as $$
declare
  oldest timestamptz := spend_clock() - make_interval(days => usage_days);
  oldest_spend timestamptz := (date_trunc('month', spend_clock() at time zone 'UTC') - make_interval(months => spend_months)) at time zone 'UTC';
  gone bigint := 0;
  affected bigint;
begin
  if not pg_try_advisory_xact_lock(73054663) then return 0; end if;
  delete from usage_other where ctid in (select ctid from usage_other where started_at < oldest limit most);
  get diagnostics affected = row_count; gone := gone + affected;
  delete from spend_day where ctid in (select ctid from spend_day where day < spend_day_of(oldest_spend) limit most);
  get diagnostics affected = row_count; gone := gone + affected;
  delete from usage_hour where ctid in (select ctid from usage_hour where hour < least(oldest, oldest_spend) limit most);
  get diagnostics affected = row_count; gone := gone + affected;
  delete from usage_day where ctid in (select ctid from usage_day where day < least(oldest, oldest_spend) limit most);
  get diagnostics affected = row_count; gone := gone + affected;
  update person set email = null, name = null, groups = '[]' where ctid in (
    select ctid from person where last_seen_at < spend_clock() - make_interval(days => identity_days) and (email is not null or name is not null or groups <> '[]') limit most for update skip locked);
  get diagnostics affected = row_count; gone := gone + affected;
  delete from gateway_process where seen_at < now() - interval '1 day' and not exists (select from usage_hold where process_id = gateway_process.id);
  return gone;
end
$$;

-- Decides about requests and writes down that they run, in the order of the batch:
-- [{"request_id", "counters": [{"scope", "scope_id", "daily", "weekly", "monthly"}], "held", "conservative"}].
-- A request is admitted while each counter, with what is held on it, is below each limit of it. `held` is then held on all.
-- Amounts are text in `sums`, one object for each counter: JSON numbers end at 2^53.
create function spend_admit(process uuid, batch jsonb) returns table (request_id uuid, admitted boolean, started_at timestamptz, sums jsonb) language plpgsql as $$
#variable_conflict use_column
declare
  moment timestamptz := spend_clock();
  today date := spend_day_of(moment);
  monday date := date_trunc('week', today::timestamp)::date;
  first_day date := date_trunc('month', today::timestamp)::date;
  entry jsonb;
  amount bigint;
  known usage_hold;
begin
  -- Whoever holds something on the same counters waits here, always in the same order.
  insert into spend_day (scope, scope_id, day)
    select distinct c->>'scope', c->>'scope_id', today from jsonb_array_elements(batch) e, jsonb_array_elements(e->'counters') c
    where (e->>'held')::bigint > 0 order by 1, 2
    on conflict do nothing;
  perform from spend_day where day = today and (scope, scope_id) in
    (select c->>'scope', c->>'scope_id' from jsonb_array_elements(batch) e, jsonb_array_elements(e->'counters') c where (e->>'held')::bigint > 0)
    order by scope, scope_id for update;

  for entry in select value from jsonb_array_elements(batch) loop
    request_id := (entry->>'request_id')::uuid;
    amount := case when jsonb_array_length(entry->'counters') > 0 then (entry->>'held')::bigint else 0 end;
    started_at := moment;
    admitted := true;
    sums := '[]';
    select h.* into known from usage_hold h where h.request_id = (entry->>'request_id')::uuid;
    if jsonb_array_length(entry->'counters') > 0 then
      select jsonb_agg(jsonb_build_object('daily', day_sum::text, 'weekly', week_sum::text, 'monthly', month_sum::text,
               'daily_held', day_held::text, 'weekly_held', week_held::text, 'monthly_held', month_held::text) order by place),
             bool_and(coalesce(day_sum + day_held < (c->>'daily')::bigint, true) and coalesce(week_sum + week_held < (c->>'weekly')::bigint, true)
               and coalesce(month_sum + month_held < (c->>'monthly')::bigint, true))
        into sums, admitted
        from jsonb_array_elements(entry->'counters') with ordinality as given (c, place), lateral (
          select coalesce(sum(spent) filter (where day = today), 0) as day_sum, coalesce(sum(spent) filter (where day >= monday), 0) as week_sum,
                 coalesce(sum(spent) filter (where day >= first_day), 0) as month_sum, coalesce(sum(s.held) filter (where day = today), 0) as day_held,
                 coalesce(sum(s.held) filter (where day >= monday), 0) as week_held, coalesce(sum(s.held) filter (where day >= first_day), 0) as month_held
          from spend_day s where s.scope = c->>'scope' and s.scope_id = c->>'scope_id' and s.day >= least(monday, first_day) and s.day <= today
        ) as window_sums;
    end if;
    if known.request_id is not null then
      -- The answer to an earlier attempt of the same statement was lost.
      admitted := true;
      started_at := known.started_at;
    elsif admitted then
      if amount > 0 then
        update spend_day s set held = s.held + amount from jsonb_array_elements(entry->'counters') c
          where s.scope = c->>'scope' and s.scope_id = c->>'scope_id' and s.day = today;
      end if;
      insert into usage_hold (request_id, process_id, started_at, held_on, held, conservative)
        values ((entry->>'request_id')::uuid, process, moment,
          case when amount > 0 then (select jsonb_agg(jsonb_build_array(c->>'scope', c->>'scope_id')) from jsonb_array_elements(entry->'counters') c) else '[]' end,
          amount, entry->'conservative');
    end if;
    return next;
  end loop;
end
$$;

-- Settles requests: their holds end, their rows are written, counters and the ledgers by hour and by day move, once however often it
-- is called. `requests`: [{"request_id", "started_at", "issuer", "sub", "email", "name", "group_set", "groups", "pools", "seen"}],
-- `started_at` being what the program believes; the hold knows better. `rows`: [{"request_id", "seq", … as in usage}].
-- A request without rows is let go: nothing was sent; what a sweep wrote for it is taken back. Returns how many rows are new.
create function spend_settle(requests jsonb, rows jsonb) returns bigint language plpgsql as $$
#variable_conflict use_column
declare
  released jsonb;
  fresh bigint;
begin
  -- A statement of its own: after waiting for another settlement of the same request the next one sees what that has written.
  with chosen as materialized (
    select h.request_id from usage_hold h where h.request_id in (select (r->>'request_id')::uuid from jsonb_array_elements(requests) r) order by 1 for update
  ), gone as (
    delete from usage_hold h using chosen where h.request_id = chosen.request_id returning h.request_id, h.started_at, h.held, h.held_on
  )
  select coalesce(jsonb_agg(to_jsonb(gone)), '[]') into released from gone;

  insert into group_set (id, groups)
    select distinct on (group_set) group_set, groups from jsonb_to_recordset(requests) as r (group_set uuid, groups jsonb)
    where group_set is not null order by group_set
    on conflict do nothing;
  insert into person as p (issuer, sub, email, name, groups)
    select distinct on (issuer, sub) issuer, sub, email, name, groups from jsonb_to_recordset(requests) as r (issuer text, sub text, email text, name text, groups jsonb, seen boolean)
    where seen order by issuer, sub
    on conflict (issuer, sub) do update set email = excluded.email, name = excluded.name, groups = excluded.groups, last_seen_at = now()
    where p.last_seen_at < now() - interval '1 minute' or (p.email, p.name, p.groups) is distinct from (excluded.email, excluded.name, excluded.groups);

  with given as materialized (
    select r.request_id, r.started_at, r.issuer, r.sub, r.group_set, coalesce(r.pools, '[]') as pools
    from jsonb_to_recordset(requests) as r (request_id uuid, started_at timestamptz, issuer text, sub text, group_set uuid, pools jsonb)
  ), hold as materialized (
    select * from jsonb_to_recordset(released) as h (request_id uuid, started_at timestamptz, held bigint, held_on jsonb)
  ), earlier as materialized (
    -- what is written already: by a settlement whose answer was lost, for a process that was taken for dead, or before the
    -- hold came that was too late for its request
    select u.* from given g join lateral (
      select * from usage where usage.request_id = g.request_id and usage.started_at > spend_clock() - interval '2 days' order by seq limit 1
    ) u on true
  ), request as materialized (
    select g.request_id, coalesce(e.started_at, h.started_at, g.started_at, spend_clock()) as started_at, g.issuer, g.sub, g.group_set, g.pools
    from given g left join hold h using (request_id) left join earlier e using (request_id)
  ), written as (
    insert into usage as u
    select r.request_id, x.seq, r.started_at, x.kind, r.issuer, r.sub, r.group_set, x.session, x.client, x.client_version, x.model_asked, x.model, x.upstream,
      x.provider, x.upstream_model, x.region, x.upstream_request_id, x.input_tokens, x.output_tokens, x.cache_read_tokens, x.cache_write_5m_tokens,
      x.cache_write_1h_tokens, x.thinking_tokens, x.web_searches, x.speed, x.inference_geo, x.service_tier, x.status, x.outcome, x.estimated, x.ttfb_ms,
      x.duration_ms, x.priced_by, x.rate_input, x.rate_output, x.rate_cache_read, x.rate_cache_write_5m, x.rate_cache_write_1h, x.rate_web_search, x.cost
    from jsonb_populate_recordset(null::usage, rows) x join request r on r.request_id = x.request_id
    on conflict (request_id, seq, started_at) do update set
      kind = excluded.kind, session = excluded.session, client = excluded.client, client_version = excluded.client_version, model_asked = excluded.model_asked,
      model = excluded.model, upstream = excluded.upstream, provider = excluded.provider, upstream_model = excluded.upstream_model, region = excluded.region,
      upstream_request_id = excluded.upstream_request_id, input_tokens = excluded.input_tokens, output_tokens = excluded.output_tokens,
      cache_read_tokens = excluded.cache_read_tokens, cache_write_5m_tokens = excluded.cache_write_5m_tokens, cache_write_1h_tokens = excluded.cache_write_1h_tokens,
      thinking_tokens = excluded.thinking_tokens, web_searches = excluded.web_searches, speed = excluded.speed, inference_geo = excluded.inference_geo,
      service_tier = excluded.service_tier, status = excluded.status, outcome = excluded.outcome, estimated = excluded.estimated, ttfb_ms = excluded.ttfb_ms,
      duration_ms = excluded.duration_ms, priced_by = excluded.priced_by, rate_input = excluded.rate_input, rate_output = excluded.rate_output,
      rate_cache_read = excluded.rate_cache_read, rate_cache_write_5m = excluded.rate_cache_write_5m, rate_cache_write_1h = excluded.rate_cache_write_1h,
      rate_web_search = excluded.rate_web_search, cost = excluded.cost
      where u.outcome = 'swept' and excluded.outcome <> 'swept'
    returning u.*
  ), undone as (
    -- nothing was sent after all
    update usage u set outcome = 'failed', estimated = false, cost = 0, input_tokens = 0, output_tokens = 0, cache_read_tokens = 0, cache_write_5m_tokens = 0, cache_write_1h_tokens = 0
    from earlier e
    where e.outcome = 'swept' and u.outcome = 'swept' and (u.request_id, u.seq, u.started_at) = (e.request_id, e.seq, e.started_at)
      and not exists (select from jsonb_to_recordset(rows) as x (request_id uuid) where x.request_id = e.request_id)
    returning u.*
  ), movement as materialized (
    select 1 as sign, w.* from written w
    union all
    select 1, n.* from undone n
    union all
    select -1, e.* from earlier e where e.outcome = 'swept' and (exists (select from written w where w.request_id = e.request_id and w.seq = e.seq) or exists (select from undone n where n.request_id = e.request_id))
  ), counter as (
    select scope, scope_id, day, sum(spent)::bigint as spent, sum(held)::bigint as held from (
      select c.scope, c.scope_id, spend_day_of(m.started_at) as day, m.sign * m.cost as spent, 0 as held
      from movement m join request r using (request_id), lateral (
        select 'user' as scope, m.issuer || ' ' || m.sub as scope_id
        union all select 'organization', ''
        union all select 'rbac_group', pool from jsonb_array_elements_text(r.pools) pool
      ) c
      union all
      select o->>0, o->>1, spend_day_of(h.started_at), 0, -h.held from hold h, jsonb_array_elements(h.held_on) o
    ) part group by 1, 2, 3
  ), counted as (
    insert into spend_day as s (scope, scope_id, day, spent, held)
    select scope, scope_id, day, spent, held from counter where spent <> 0 or held <> 0 order by 1, 2, 3
    on conflict (scope, scope_id, day) do update set spent = s.spent + excluded.spent, held = s.held + excluded.held, updated_at = now()
  ), summed as materialized (
    select date_trunc('hour', started_at, 'UTC') as hour, issuer, sub, group_set, model, upstream, client, speed, inference_geo, service_tier,
      coalesce(sum(sign) filter (where kind = 'message'), 0) as requests, coalesce(sum(sign) filter (where kind = 'message' and status >= 400), 0) as failed_requests,
      sum(sign * input_tokens) as input_tokens, sum(sign * output_tokens) as output_tokens, sum(sign * cache_read_tokens) as cache_read_tokens,
      sum(sign * cache_write_5m_tokens) as cache_write_5m_tokens, sum(sign * cache_write_1h_tokens) as cache_write_1h_tokens, sum(sign * web_searches) as web_searches,
      sum(sign * cost) as cost, coalesce(sum(sign * cost) filter (where estimated), 0) as estimated_cost
    from movement group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
  ), by_hour as (
    insert into usage_hour as h
    select * from summed order by hour, issuer, sub, group_set, model, upstream, client, speed, inference_geo, service_tier
    on conflict (hour, issuer, sub, group_set, model, upstream, client, speed, inference_geo, service_tier) do update set
      requests = h.requests + excluded.requests, failed_requests = h.failed_requests + excluded.failed_requests, input_tokens = h.input_tokens + excluded.input_tokens,
      output_tokens = h.output_tokens + excluded.output_tokens, cache_read_tokens = h.cache_read_tokens + excluded.cache_read_tokens,
      cache_write_5m_tokens = h.cache_write_5m_tokens + excluded.cache_write_5m_tokens, cache_write_1h_tokens = h.cache_write_1h_tokens + excluded.cache_write_1h_tokens,
      web_searches = h.web_searches + excluded.web_searches, cost = h.cost + excluded.cost, estimated_cost = h.estimated_cost + excluded.estimated_cost
  ), by_day as (
    insert into usage_day as d
    select date_trunc('day', hour, 'UTC'), issuer, sub, group_set, model, upstream, client, speed, inference_geo, service_tier, sum(requests), sum(failed_requests),
      sum(input_tokens), sum(output_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens), sum(web_searches), sum(cost), sum(estimated_cost)
    from summed group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 order by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
    on conflict (day, issuer, sub, group_set, model, upstream, client, speed, inference_geo, service_tier) do update set
      requests = d.requests + excluded.requests, failed_requests = d.failed_requests + excluded.failed_requests, input_tokens = d.input_tokens + excluded.input_tokens,
      output_tokens = d.output_tokens + excluded.output_tokens, cache_read_tokens = d.cache_read_tokens + excluded.cache_read_tokens,
      cache_write_5m_tokens = d.cache_write_5m_tokens + excluded.cache_write_5m_tokens, cache_write_1h_tokens = d.cache_write_1h_tokens + excluded.cache_write_1h_tokens,
      web_searches = d.web_searches + excluded.web_searches, cost = d.cost + excluded.cost, estimated_cost = d.estimated_cost + excluded.estimated_cost
  )
  select count(*) into fresh from written;
  return fresh;
end
$$;

-- Settles what dead processes held, at its conservative cost. Fewer than `most` means that is all. One that the ledger
-- refuses is marked, and keeps nobody from the others.
create function spend_sweep(dead_after interval, most integer, out swept bigint, out stuck bigint) language plpgsql as $$
declare
  dead jsonb;
  one jsonb;
begin
  swept := 0;
  stuck := 0;
  with found as (
    select h.request_id, h.conservative from usage_hold h left join gateway_process p on p.id = h.process_id
    where not h.is_stuck and (p.id is null or p.seen_at < now() - dead_after)
    order by h.request_id limit most for update of h skip locked
  )
  select jsonb_agg(jsonb_build_object('id', request_id, 'of', conservative) order by request_id) into dead from found;
  if dead is null then return; end if;
  begin
    perform spend_settle((select jsonb_agg(d->'of'->'request') from jsonb_array_elements(dead) d), (select jsonb_agg(x) from jsonb_array_elements(dead) d, jsonb_array_elements(d->'of'->'rows') x));
    swept := jsonb_array_length(dead);
  exception when data_exception or integrity_constraint_violation or cardinality_violation or program_limit_exceeded then
    for one in select value from jsonb_array_elements(dead) loop
      begin
        perform spend_settle(jsonb_build_array(one->'of'->'request'), one->'of'->'rows');
        swept := swept + 1;
      exception when data_exception or integrity_constraint_violation or cardinality_violation or program_limit_exceeded then
        update usage_hold set is_stuck = true where request_id = (one->>'id')::uuid;
        stuck := stuck + 1;
      end;
    end loop;
  end;
end
$$;
