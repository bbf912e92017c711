-- The audit trail: every audit event in the order in which it was stored, each row committing to the one before it.

create table audit_event (
  -- the day, in UTC, on which the database stored it; events are numbered anew each day
  day date not null,
  seq bigint not null,
  -- from here on what the line says, for queries
  ts timestamptz not null,
  evt text not null,
  request_id text,
  issuer text,
  sub text,
  -- as it was written to standard error
  line text not null,
  -- see audit_hash; of the first event of a day, what comes before it is the last one of an earlier day
  hash bytea not null,
  primary key (day, seq)
);
-- Of the two names that nearly all events have, the primary key finds enough.
create index audit_event_evt on audit_event (evt, day, seq) where evt not in ('inference', 'auth.denied');
create index audit_event_request on audit_event (request_id) where request_id is not null;
create index audit_event_sub on audit_event (sub, day, seq) where sub is not null;

-- The end of the trail, and the lock of whoever appends to it.
create table audit_head (
  single boolean primary key default true check (single),
  day date not null,
  seq bigint not null,
  hash bytea not null,
  -- audit.store of the gateway that started last
  stores boolean not null
);
insert into audit_head (day, seq, hash, stores) values (spend_day_of(spend_clock()), 0, '', false);

-- How each day ended. Kept when its events are forgotten, so that the days after it can still be proved.
create table audit_day (
  day date primary key,
  events bigint not null,
  hash bytea not null,
  forgotten boolean not null default false
);

-- The last event of each process, so that a batch whose answer was lost is not stored twice.
create table audit_writer (
  writer uuid primary key,
  last bigint not null,
  stored_at timestamptz not null
);

-- The number is part of it: events that were moved to another place would otherwise still fit each other.
create function audit_hash(previous bytea, day date, seq bigint, line text) returns bytea language sql stable as $$
  select sha256(previous || convert_to(to_char(day, 'YYYY-MM-DD') || ' ' || seq || ' ' || line, 'UTF8'))
$$;

-- A guard against accidents: the functions below say what they do, each for its own statement. Whoever may use this database
-- can say so, too; what they did is for `gatehouse audit verify` to find.
create function audit_refuse() returns trigger language plpgsql as $$
declare
  work text := current_setting('gatehouse.audit', true);
begin
  if tg_op = 'INSERT' and work = 'append' then return new; end if;
  if tg_op = 'UPDATE' and tg_table_name = 'audit_head' and work in ('append', 'store') then return new; end if;
  if tg_op = 'UPDATE' and tg_table_name = 'audit_day' and work = 'forget' then return new; end if;
  if tg_op = 'UPDATE' and tg_table_name = 'audit_writer' and work = 'append' then return new; end if;
  if tg_op = 'DELETE' and tg_table_name in ('audit_event', 'audit_writer') and work = 'forget' then return old; end if;
  raise exception 'the audit trail is append-only';
end
$$;
-- Once for each batch: a call for each row would be a good part of what storing it costs.
create trigger audit_event_insert before insert on audit_event for each statement execute function audit_refuse();
create trigger audit_event_rows before update or delete on audit_event for each row execute function audit_refuse();
create trigger audit_event_table before truncate on audit_event for each statement execute function audit_refuse();
create trigger audit_day_rows before insert or update or delete on audit_day for each row execute function audit_refuse();
create trigger audit_day_table before truncate on audit_day for each statement execute function audit_refuse();
create trigger audit_head_rows before insert or update or delete on audit_head for each row execute function audit_refuse();
create trigger audit_head_table before truncate on audit_head for each statement execute function audit_refuse();
create trigger audit_writer_rows before insert or update or delete on audit_writer for each row execute function audit_refuse();
create trigger audit_writer_table before truncate on audit_writer for each statement execute function audit_refuse();

-- Appends events: [{"ts", "evt", "request_id", "issuer", "sub", "line"}]. One at a time across replicas.
-- A trail that does not fit its head is for people to look at: no event is at fault. Whoever waits too long for the lock is
-- refused before the gateway has given up: a change that was answered as failed must not happen afterwards.
create function audit_append(events jsonb) returns void language plpgsql set lock_timeout = '3s' as $$
declare
  head audit_head;
  today date := spend_day_of(spend_clock());
  first bigint;
  line text;
  hashes bytea[] := '{}';
begin
  select * into head from audit_head for update;
  if head.hash is null then raise exception 'the audit trail has lost its head' using errcode = 'data_corrupted'; end if;
  perform set_config('gatehouse.audit', 'append', true);
  if today > head.day then
    if head.seq > 0 then insert into audit_day (day, events, hash) values (head.day, head.seq, head.hash); end if;
    head.day := today;
    head.seq := 0;
  end if;
  first := head.seq;
  for line in select value->>'line' from jsonb_array_elements(events) with ordinality order by ordinality loop
    head.seq := head.seq + 1;
    head.hash := audit_hash(head.hash, head.day, head.seq, line);
    hashes := hashes || head.hash;
  end loop;
  insert into audit_event (day, seq, ts, evt, request_id, issuer, sub, line, hash)
    select head.day, first + place, e.ts, e.evt, e.request_id, e.issuer, e.sub, e.line, hashes[place]
    from rows from (jsonb_to_recordset(events) as (ts timestamptz, evt text, request_id text, issuer text, sub text, line text)) with ordinality
      as e (ts, evt, request_id, issuer, sub, line, place);
  update audit_head set day = head.day, seq = head.seq, hash = head.hash;
  perform set_config('gatehouse.audit', '', true);
exception when unique_violation then
  raise exception 'the audit trail has events beyond its head' using errcode = 'data_corrupted';
end
$$;

-- Appends the events of one process, which numbers them from `first` on, and leaves out those that are there already.
create function audit_store(process uuid, first bigint, events jsonb) returns void language plpgsql as $$
declare
  stored bigint;
begin
  -- An earlier statement with the same events may still be under way.
  perform from audit_head for update;
  select last into stored from audit_writer where writer = process;
  if stored >= first then
    select coalesce(jsonb_agg(value order by ordinality), '[]') into events
      from jsonb_array_elements(events) with ordinality where first + ordinality - 1 > stored;
    first := stored + 1;
  end if;
  if jsonb_array_length(events) = 0 then return; end if;
  perform audit_append(events);
  perform set_config('gatehouse.audit', 'append', true);
  insert into audit_writer (writer, last, stored_at) values (process, first + jsonb_array_length(events) - 1, now())
    on conflict (writer) do update set last = excluded.last, stored_at = excluded.stored_at;
  perform set_config('gatehouse.audit', '', true);
end
$$;

-- For the statement of a privileged change: the event commits with it, or neither does. Whatever the statement waited for,
-- another lock for instance: after five seconds the gateway has answered that nothing was changed, and nothing is.
create function audit_note(event jsonb) returns void language plpgsql as $$
begin
  if (select stores from audit_head) then perform audit_append(jsonb_build_array(event)); end if;
  if clock_timestamp() > statement_timestamp() + interval '4 seconds' then
    raise exception 'too late: whoever asked for this is told that it failed' using errcode = 'lock_not_available';
  end if;
end
$$;

-- Says whether privileged changes are stored.
create function audit_stores(wanted boolean) returns void language plpgsql as $$
begin
  perform set_config('gatehouse.audit', 'store', true);
  update audit_head set stores = wanted where stores <> wanted;
  perform set_config('gatehouse.audit', '', true);
end
$$;

-- Removes days that ended so many days ago, at most so many events at a time. Returns how many.
create function audit_forget(days integer, most integer) returns bigint language plpgsql as $$
declare
  gone bigint;
begin
  if days < 1 then raise exception 'the audit trail keeps a day at least'; end if;
  perform set_config('gatehouse.audit', 'forget', true);
  delete from audit_writer where stored_at < now() - interval '7 days';
  update audit_day set forgotten = true where not forgotten and day < spend_day_of(spend_clock()) - days;
  delete from audit_event e using (
    select day, seq from audit_event join audit_day d using (day) where d.forgotten order by day, seq limit most
  ) old where e.day = old.day and e.seq = old.seq;
  get diagnostics gone = row_count;
  perform set_config('gatehouse.audit', '', true);
  return gone;
end
$$;

-- Of `facts` what is there, of `more` what is not null, in their order and without white space.
create function audit_line(facts json, more json) returns text language sql immutable as $$
  select '{' || string_agg(to_json(key)::text || ':' || value::text, ',' order by part, place) || '}' from (
    select 1 as part, ordinality as place, key, value from json_each(facts) with ordinality
    union all select 2, ordinality, key, value from json_each(more) with ordinality where json_typeof(value) <> 'null'
  ) members
$$;

create function audit_moment(moment timestamptz) returns text language sql stable as $$
  select to_char(moment at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- Whose sub a limit was bound to.
alter table spend_limit_audit add column subject text;

-- Whole cents as text; null for no limit.
create function spend_limit_amount(entry jsonb) returns text language sql immutable as $$
  select case when entry->>'temporary_until' is null then entry->>'amount' else entry->>'temporary_amount' end
$$;

-- Every change of a spend limit is an event, whoever makes it: it commits with the change, and is collected for the
-- statement to return (audit_told).
create function spend_limit_event() returns trigger language plpgsql as $$
declare
  moment text := audit_moment(clock_timestamp());
  event text := 'admin.limit.' || new.action;
  entry jsonb := coalesce(new.after, new.before);
  line text;
begin
  line := audit_line(
    case new.action
      when 'bind' then json_build_object('ts', moment, 'evt', event, 'actor', new.actor, 'limit_id', new.target_id, 'period', entry->>'period',
        'outcome', case when new.after is null then 'removed' else 'bound' end)
      when 'upsert' then json_build_object('ts', moment, 'evt', event, 'actor', new.actor, 'limit_id', new.target_id, 'scope', entry->>'scope',
        'scope_id', coalesce(entry->>'user_email', entry->>'scope_id'), 'period', entry->>'period', 'shared', entry->'shared', 'amount', spend_limit_amount(entry))
      else json_build_object('ts', moment, 'evt', event, 'actor', new.actor, 'limit_id', new.target_id, 'scope', entry->>'scope',
        'scope_id', coalesce(entry->>'user_email', entry->>'scope_id'), 'period', entry->>'period', 'shared', entry->'shared')
    end,
    json_build_object(
      'amount_before', case when new.action <> 'bind' then spend_limit_amount(new.before) end,
      'expires_at', case when new.action = 'upsert' then audit_moment((entry->>'temporary_until')::timestamptz) end,
      'sub', new.subject, 'email', case when new.action = 'bind' then new.before->>'user_email' end,
      'reason', case when new.action <> 'bind' then new.reason end, 'request_id', new.request_id, 'client_ip', new.client_ip));
  perform audit_note(jsonb_build_object('ts', moment, 'evt', event, 'request_id', new.request_id, 'sub', new.subject, 'line', line));
  perform set_config('gatehouse.audit_told', concat(current_setting('gatehouse.audit_told', true), line, E'\n'), true);
  return new;
end
$$;
create trigger spend_limit_event after insert on spend_limit_audit for each row execute function spend_limit_event();

-- What a change answered, and the events of it: {"result", "lines"}.
create function audit_told(result jsonb) returns jsonb language plpgsql as $$
begin
  return jsonb_build_object('result', result, 'lines', to_jsonb(string_to_array(rtrim(current_setting('gatehouse.audit_told', true), E'\n'), E'\n')));
end
$$;

-- As in 0003, and says whose it is now.
create or replace function spend_limit_bind(person_sub text, person_email text, request text, ip text) returns jsonb language plpgsql as $$
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
      insert into spend_limit_audit (actor, action, target_id, before, after, request_id, client_ip, subject)
        values ('gateway', 'bind', waiting.id, to_jsonb(waiting), to_jsonb(bound), request, ip, person_sub);
    else
      delete from spend_limit where id = waiting.id;
      insert into spend_limit_audit (actor, action, target_id, before, reason, request_id, client_ip, subject)
        values ('gateway', 'bind', waiting.id, to_jsonb(waiting), format('they have a %s limit already: %s', waiting.period, own), request, ip, person_sub);
    end if;
    outcomes := outcomes || jsonb_build_object('id', waiting.id, 'period', waiting.period, 'outcome', case when own is null then 'bound' else 'removed' end);
  end loop;
  return outcomes;
end
$$;
