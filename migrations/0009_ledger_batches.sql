-- What a request costs this database: requests for which nothing is held are decided together, and plans are kept.

-- Read only when its process has died: JSON as it came is written in half the time.
alter table usage_hold alter column conservative type json;
-- Rows live for seconds: what they leave is to be cleared before it is much.
alter table usage_hold set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, autovacuum_analyze_scale_factor = 0, autovacuum_analyze_threshold = 1000000000);

-- Decides about requests and writes down that they run; nothing is held for them, so that none is in another's way.
-- `counters`: [[scope, scope_id], …], each once. `batch`: [[request_id, [place in counters, daily, weekly, monthly], …], …], limits as
-- text or null. `conservative`: one for each request, as in usage_hold. A request is admitted as by spend_admit.
-- Returns {"stands": [[daily, weekly, monthly, and what is held of each], …], "requests": [[admitted, started_at], …]}.
create function spend_note(process uuid, counters jsonb, batch jsonb, conservative json) returns jsonb language plpgsql
  set plan_cache_mode = force_generic_plan set enable_seqscan = off as $$
declare
  moment timestamptz := spend_clock();
  today date := spend_day_of(moment);
  monday date := date_trunc('week', today::timestamp)::date;
  first_day date := date_trunc('month', today::timestamp)::date;
  answer jsonb;
begin
  -- A hold matters once its process has died: when the database dies as well, a moment later, both have lost the request.
  perform set_config('synchronous_commit', 'off', true);
  with stands as materialized (
    select (place - 1)::int as place, s.* from jsonb_array_elements(counters) with ordinality as given (c, place), lateral (
      select coalesce(sum(spent) filter (where day = today), 0) as daily, coalesce(sum(spent) filter (where day >= monday), 0) as weekly,
             coalesce(sum(spent) filter (where day >= first_day), 0) as monthly, coalesce(sum(held) filter (where day = today), 0) as daily_held,
             coalesce(sum(held) filter (where day >= monday), 0) as weekly_held, coalesce(sum(held) filter (where day >= first_day), 0) as monthly_held
      from spend_day where scope = c->>0 and scope_id = c->>1 and day >= least(monday, first_day) and day <= today
    ) s
  ), given as materialized (
    select (e->>0)::uuid as id, e - 0 as limits, place from jsonb_array_elements(batch) with ordinality as x (e, place)
  ), judged as materialized (
    select g.id, g.place, not exists (
      select from jsonb_array_elements(g.limits) l join stands s on s.place = (l->>0)::int
      where s.daily + s.daily_held >= (l->>1)::bigint or s.weekly + s.weekly_held >= (l->>2)::bigint or s.monthly + s.monthly_held >= (l->>3)::bigint
    ) as fits from given g
  ), written as (
    -- There already where the answer to an earlier attempt of the same statement was lost.
    insert into usage_hold as h (request_id, process_id, started_at, held_on, held, conservative)
    select j.id, process, moment, '[]', 0, c.value from judged j join json_array_elements(conservative) with ordinality c on c.ordinality = j.place where j.fits
    on conflict (request_id) do update set process_id = excluded.process_id
    returning h.request_id, h.started_at
  ), decided as (
    select j.place, coalesce(w.started_at, k.started_at) as started_at
    from judged j left join written w on w.request_id = j.id left join usage_hold k on not j.fits and k.request_id = j.id
  )
  select jsonb_build_object(
    'stands', (select coalesce(jsonb_agg(jsonb_build_array(daily::text, weekly::text, monthly::text, daily_held::text, weekly_held::text, monthly_held::text) order by place), '[]') from stands),
    'requests', (select jsonb_agg(jsonb_build_array(started_at is not null, coalesce(started_at, moment)) order by place) from decided)
  ) into answer;
  return answer;
end
$$;

-- A plan that was made while a table was empty would read all of it later.
alter function spend_admit set plan_cache_mode = force_generic_plan;
alter function spend_admit set enable_seqscan = off;
alter function spend_settle set plan_cache_mode = force_generic_plan;
alter function spend_settle set enable_seqscan = off;
