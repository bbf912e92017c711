-- Spend limits as administrators set them, and who changed what.
-- Amounts are whole cents; an amount of null is no limit, said explicitly. Addresses are in lower case.

-- Of 32 hexadecimal digits, the first fourteen a moment in microseconds: ordered as they were made, also where one of them is gone.
create function spend_new_id(prefix text) returns text language sql volatile as $$
  select prefix || lpad(to_hex((extract(epoch from clock_timestamp()) * 1000000)::bigint), 14, '0') || substr(replace(gen_random_uuid()::text, '-', ''), 1, 18)
$$;

create table spend_limit (
  id text primary key,
  scope text not null check (scope in ('organization', 'rbac_group', 'user')),
  -- the name of a group, the sub of a person
  scope_id text not null,
  -- of somebody who has not signed in yet: the limit binds to their sub when they do
  user_email text,
  -- the members draw on one amount together
  shared boolean not null,
  period text not null check (period in ('daily', 'weekly', 'monthly')),
  -- without one the row is a temporary limit alone, and ends with it
  has_base boolean not null,
  amount bigint check (amount >= 0),
  temporary_amount bigint check (temporary_amount >= 0),
  temporary_until timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  check (has_base or temporary_until is not null),
  check (case when scope = 'organization' then scope_id = '' and user_email is null when user_email is null then scope_id <> '' else scope = 'user' and scope_id = '' end),
  check (not shared or scope <> 'user')
);
create unique index spend_limit_place on spend_limit (scope, scope_id, coalesce(user_email, ''), shared, period);
create index spend_limit_temporary on spend_limit (temporary_until) where temporary_until is not null;

-- Limits are matched to people by their sub and by their address alone.
create index session_sub on session (sub);
create index session_email on session (lower(email));

-- One number that every change moves, so that asking for changes is one row read.
create table spend_limit_mark (
  single boolean primary key default true check (single),
  version bigint not null
);
insert into spend_limit_mark (version) values (0);
create function spend_limit_changed() returns trigger language plpgsql as $$
begin
  update spend_limit_mark set version = version + 1;
  return null;
end
$$;
create trigger spend_limit_changed after insert or update or delete on spend_limit for each statement execute function spend_limit_changed();

-- The limits that hold now. What has run out is not there, whether or not somebody has cleared it away.
create view spend_limit_now as
  select id, scope, scope_id, user_email, shared, period, has_base, amount, created_at, updated_at,
    case when temporary_until > spend_clock() then temporary_amount end as temporary_amount,
    case when temporary_until > spend_clock() then temporary_until end as temporary_until
  from spend_limit where has_base or temporary_until > spend_clock();

-- Who changed which limit. `before` and `after` are rows of spend_limit.
create table spend_limit_audit (
  id text primary key default spend_new_id('aud_'),
  created_at timestamptz not null default now(),
  -- admin-key:<id>, oidc:<sub>; gateway: what the program does by itself
  actor text not null,
  -- upsert, delete; bind: somebody signed in whom a limit waited for; expire: a temporary limit ran out
  action text not null,
  target_id text not null,
  before jsonb,
  after jsonb,
  reason text,
  request_id text,
  client_ip text
);
create index spend_limit_audit_created on spend_limit_audit (created_at);

-- Nobody rewrites the trail: rows leave it by spend_limit_audit_forget, which says so for its own statement.
create function spend_limit_audit_refuse() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' and current_setting('gatehouse.audit_retention', true) = 'on' then return old; end if;
  raise exception 'the audit trail is append-only';
end
$$;
create trigger spend_limit_audit_rows before update or delete on spend_limit_audit for each row execute function spend_limit_audit_refuse();
create trigger spend_limit_audit_table before truncate on spend_limit_audit for each statement execute function spend_limit_audit_refuse();

-- Deletes what is older than so many days. Returns how many rows.
create function spend_limit_audit_forget(days integer) returns bigint language plpgsql as $$
declare
  gone bigint;
begin
  perform set_config('gatehouse.audit_retention', 'on', true);
  delete from spend_limit_audit where created_at < spend_clock() - make_interval(days => days);
  get diagnostics gone = row_count;
  perform set_config('gatehouse.audit_retention', '', true);
  return gone;
end
$$;

-- Each change below waits for the ones before it: two of them at once would otherwise lock rows and the mark crosswise.
create function spend_limit_lock() returns void language sql as 'select pg_advisory_xact_lock(73054663)';

-- Takes back what has run out. Returns how many limits.
create function spend_limit_expire() returns bigint language plpgsql as $$
declare
  moment timestamptz := spend_clock();
  ended bigint;
begin
  -- The trigger counts every statement, also one that finds nothing.
  if not exists (select from spend_limit where temporary_until <= moment) then return 0; end if;
  perform spend_limit_lock();
  with run_out as materialized (
    select * from spend_limit where temporary_until <= moment
  ), gone as (
    delete from spend_limit l using run_out r where l.id = r.id and not r.has_base
  ), kept as (
    update spend_limit l set temporary_amount = null, temporary_until = null, updated_at = now() from run_out r where l.id = r.id and r.has_base returning l.*
  )
  insert into spend_limit_audit (actor, action, target_id, before, after)
    select 'gateway', 'expire', r.id, to_jsonb(r), to_jsonb(k) from run_out r left join kept k using (id) order by r.id;
  get diagnostics ended = row_count;
  return ended;
end
$$;

-- Gives somebody the limits that wait for their address. One they already have for a period stands, and the waiting one goes.
-- Returns what happened: [{"id", "period", "outcome"}].
create function spend_limit_bind(person_sub text, person_email text, request text, ip text) returns jsonb language plpgsql as $$
declare
  waiting spend_limit;
  own text;
  bound spend_limit;
  outcomes jsonb := '[]';
begin
  if not exists (select from spend_limit where user_email = lower(person_email)) then return outcomes; end if;
  perform spend_limit_lock();
  for waiting in select * from spend_limit where user_email = lower(person_email) order by id loop
    select id into own from spend_limit where scope = 'user' and scope_id = person_sub and period = waiting.period;
    if own is null then
      update spend_limit set scope_id = person_sub, user_email = null, updated_at = now() where id = waiting.id returning * into bound;
      insert into spend_limit_audit (actor, action, target_id, before, after, request_id, client_ip)
        values ('gateway', 'bind', waiting.id, to_jsonb(waiting), to_jsonb(bound), request, ip);
    else
      delete from spend_limit where id = waiting.id;
      insert into spend_limit_audit (actor, action, target_id, before, reason, request_id, client_ip)
        values ('gateway', 'bind', waiting.id, to_jsonb(waiting), format('they have a %s limit already: %s', waiting.period, own), request, ip);
    end if;
    outcomes := outcomes || jsonb_build_object('id', waiting.id, 'period', waiting.period, 'outcome', case when own is null then 'bound' else 'removed' end);
  end loop;
  return outcomes;
end
$$;

-- The sub of an address, by who was seen with it last.
create function spend_sub_of(address text) returns text language sql stable as $$
  select sub from (
    select sub, last_seen_at as seen_at from person where lower(email) = lower(address)
    union all select sub, refreshed_at from session where lower(email) = lower(address)
  ) seen order by seen_at desc limit 1
$$;

create function spend_is_seen(person_sub text) returns boolean language sql stable as $$
  select exists (select from person where sub = person_sub) or exists (select from session where sub = person_sub)
$$;

-- Sets the limit of one scope and period. An address is turned into a sub where one is known. With `expires_at` the amount
-- is laid over what is there until then; without, it takes the place of both.
-- `entry`: {"scope", "scope_id", "user_email", "shared", "period", "amount", "expires_at"}.
-- Returns the row, and whether anybody it is meant for was seen; null when `expires_at` is past.
create function spend_limit_put(entry jsonb, actor text, reason text, request text, ip text) returns jsonb language plpgsql as $$
declare
  until timestamptz := (entry->>'expires_at')::timestamptz;
  cents bigint := (entry->>'amount')::bigint;
  named text := entry->>'scope_id';
  address text := entry->>'user_email';
  known text;
  earlier spend_limit;
  later spend_limit;
  seen boolean := true;
begin
  perform spend_limit_lock();
  if until <= spend_clock() then return null; end if;
  perform spend_limit_expire();
  if address is not null then
    known := spend_sub_of(address);
    if known is not null then
      perform spend_limit_bind(known, address, request, ip);
      named := known;
      address := null;
    end if;
  end if;

  select * into earlier from spend_limit l where l.scope = entry->>'scope' and l.scope_id = named and l.user_email is not distinct from address
    and l.shared = (entry->>'shared')::boolean and l.period = entry->>'period';
  if earlier.id is null then
    insert into spend_limit (id, scope, scope_id, user_email, shared, period, has_base, amount, temporary_amount, temporary_until)
      values (spend_new_id('spl_'), entry->>'scope', named, address, (entry->>'shared')::boolean, entry->>'period', until is null,
        case when until is null then cents end, case when until is not null then cents end, until)
      returning * into later;
  else
    update spend_limit l set has_base = l.has_base or until is null, amount = case when until is null then cents else l.amount end,
        temporary_amount = case when until is not null then cents end, temporary_until = until, updated_at = now()
      where l.id = earlier.id returning l.* into later;
  end if;
  insert into spend_limit_audit (actor, action, target_id, before, after, reason, request_id, client_ip)
    values (actor, 'upsert', later.id, case when earlier.id is not null then to_jsonb(earlier) end, to_jsonb(later), reason, request, ip);

  if later.scope = 'user' then
    seen := address is null and spend_is_seen(named);
  elsif later.scope = 'rbac_group' then
    seen := exists (select from person where groups ? named) or exists (select from session where groups ? named);
  end if;
  return jsonb_build_object('limit', to_jsonb(later), 'seen', seen);
end
$$;

-- Returns the row that was deleted, or null.
create function spend_limit_delete(target text, actor text, reason text, request text, ip text) returns jsonb language plpgsql as $$
declare
  gone spend_limit;
begin
  perform spend_limit_lock();
  perform spend_limit_expire();
  delete from spend_limit where id = target returning * into gone;
  if gone.id is null then return null; end if;
  insert into spend_limit_audit (actor, action, target_id, before, reason, request_id, client_ip)
    values (actor, 'delete', target, to_jsonb(gone), reason, request, ip);
  return to_jsonb(gone);
end
$$;
