-- What it costs to admit and to settle a request, where many run and many people have spent: nothing but its own rows is looked at.
-- Plans are made while these tables are empty, and kept until they are analysed.

-- It served for a counter as well, and read those of everybody on its days. Its day is asked for where it is a pool's or the organisation's.
drop index spend_day_day;
create index spend_day_shared on spend_day (day) where scope <> 'user';

-- Decides about requests and writes down that they run; nothing is held for them, so that none is in another's way.
-- `scopes` and `scope_ids` are the counters, each once; `requests` are admitted as by spend_admit. Limits are of the request and the
-- counter at the places `limited` and `counter`, from 1 on: one of each of `daily`, `weekly` and `monthly`, or null. `conservative`:
-- one for each request, as in usage_hold.
-- Returns {"moment", "stands": [[daily, weekly, monthly, and what is held of each], …], "refused": [place, …], "running": {request_id:
-- when it began}}: those of the batch that an earlier attempt of the same statement has written, whose answer was lost. They count
-- as admitted. The function of the same name with four parameters reads all of usage_hold; replicas of the version before call it until
-- they are gone.
create function spend_note(process uuid, scopes text[], scope_ids text[], requests uuid[], limited integer[], counter integer[],
  daily bigint[], weekly bigint[], monthly bigint[], conservative json) returns jsonb language plpgsql
  set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  moment timestamptz := spend_clock();
  today date := spend_day_of(moment);
  monday date := date_trunc('week', today::timestamp)::date;
  first_day date := date_trunc('month', today::timestamp)::date;
  stands numeric[];
  refused integer[];
  running jsonb;
begin
  -- A hold matters once its process has died: when the database dies as well, a moment later, both have lost the request.
  perform set_config('synchronous_commit', 'off', true);
  select array_agg(array[s.daily, s.weekly, s.monthly, s.daily_held, s.weekly_held, s.monthly_held] order by place) into stands
    from unnest(scopes, scope_ids) with ordinality as given (scope, id, place), lateral (
      select coalesce(sum(spent) filter (where day = today), 0) as daily, coalesce(sum(spent) filter (where day >= monday), 0) as weekly,
             coalesce(sum(spent) filter (where day >= first_day), 0) as monthly, coalesce(sum(held) filter (where day = today), 0) as daily_held,
             coalesce(sum(held) filter (where day >= monday), 0) as weekly_held, coalesce(sum(held) filter (where day >= first_day), 0) as monthly_held
      from spend_day where (scope, scope_id, day) >= (given.scope, given.id, least(monday, first_day)) and (scope, scope_id, day) <= (given.scope, given.id, today)
    ) s;
  select array_agg(distinct l.request) into refused
    from unnest(limited, counter, daily, weekly, monthly) as l (request, at, daily, weekly, monthly)
    where stands[at][1] + stands[at][4] >= l.daily or stands[at][2] + stands[at][5] >= l.weekly or stands[at][3] + stands[at][6] >= l.monthly;
  with written as (
    insert into usage_hold as h (request_id, process_id, started_at, held_on, held, conservative)
    select requests[place], process, moment, '[]', 0, value from json_array_elements(conservative) with ordinality as c (value, place)
    where refused is null or place <> all (refused)
    on conflict (request_id) do update set process_id = excluded.process_id
    returning h.request_id, h.started_at
  )
  select jsonb_object_agg(request_id, started_at) into running from (
    select request_id, started_at from written where started_at <> moment
    union all
    select k.request_id, k.started_at from unnest(refused) place, lateral (select * from usage_hold where request_id = requests[place] limit 1) k
  ) earlier;
  return jsonb_build_object('moment', moment, 'stands', coalesce(to_jsonb(stands::text[]), '[]'), 'refused', coalesce(to_jsonb(refused), '[]'), 'running', coalesce(running, '{}'));
end
$$;

-- As before; the holds are found by their keys, one by one.
create or replace function spend_settle(requests jsonb, rows jsonb) returns bigint language plpgsql
  set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
declare
  ids uuid[] := array(select (r->>'request_id')::uuid from jsonb_array_elements(requests) r);
  released jsonb;
  fresh bigint;
begin
  -- Statements of their own: after waiting for another settlement of the same request the next one sees what that has written.
  perform from usage_hold where request_id = any (ids) order by request_id for update;
  with gone as (
    delete from usage_hold h where h.request_id = any (ids) returning h.request_id, h.started_at, h.held, h.held_on
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

-- As before; the counters that something is held on are found by their keys, one by one.
create or replace function spend_admit(process uuid, batch jsonb) returns table (request_id uuid, admitted boolean, started_at timestamptz, sums jsonb) language plpgsql
  set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
#variable_conflict use_column
declare
  moment timestamptz := spend_clock();
  today date := spend_day_of(moment);
  monday date := date_trunc('week', today::timestamp)::date;
  first_day date := date_trunc('month', today::timestamp)::date;
  entry jsonb;
  counter record;
  amount bigint;
  known usage_hold;
begin
  -- Whoever holds something on the same counters waits here, always in the same order.
  insert into spend_day (scope, scope_id, day)
    select distinct c->>'scope', c->>'scope_id', today from jsonb_array_elements(batch) e, jsonb_array_elements(e->'counters') c
    where (e->>'held')::bigint > 0 order by 1, 2
    on conflict do nothing;
  for counter in
    select distinct c->>'scope' as scope, c->>'scope_id' as id from jsonb_array_elements(batch) e, jsonb_array_elements(e->'counters') c
    where (e->>'held')::bigint > 0 order by 1, 2
  loop
    perform from spend_day where scope = counter.scope and scope_id = counter.id and day = today for update;
  end loop;

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
        for counter in select c->>'scope' as scope, c->>'scope_id' as id from jsonb_array_elements(entry->'counters') c loop
          update spend_day s set held = s.held + amount where s.scope = counter.scope and s.scope_id = counter.id and s.day = today;
        end loop;
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
