// What every audit event means, for docs/events.md. It does not compile while an event, one of its fields or an example is
// missing, or one is described that is gone.
import type { AuditEvent, PersonFacts, RequestFacts } from './events.ts'

export type EventName = AuditEvent['evt']
type EventOf<name extends EventName> = Extract<AuditEvent, { evt: name }>
type Shared = 'evt' | keyof RequestFacts | keyof PersonFacts

export interface EventDoc<name extends EventName = EventName> {
  readonly what: string
  readonly when: string
  /** Whether it says of whom it is. */
  readonly person: 'sub' extends keyof EventOf<name> ? true : false
  readonly fields: { readonly [field in Exclude<keyof EventOf<name>, Shared>]-?: string }
  readonly example: EventOf<name>
}

/** Fields that many events have. */
export const REQUEST_FIELDS: { readonly [field in keyof RequestFacts]-?: string } = {
  ts: 'When it happened: RFC 3339, UTC, to the millisecond.',
  request_id: 'The request that it belongs to, as the response header `x-request-id` has it. Absent where there was none.',
  client_ip: 'The address of the caller, as `listen.trusted_proxies` tells it.',
  client_network: 'Instead of `client_ip`, where `repeated` stands for many addresses: the /24 or /16 of IPv4, the /48 or /32 of IPv6 that they are in.',
  repeated: 'The event stands for so many of its kind that came within ten seconds from one address (a /64 where it is IPv6); with `client_network` instead of `client_ip` from many addresses of one network, and with neither from many networks. Callers who have not signed in are told one by one a hundred times; once an event was told a thousand times of all of them, ten times; and from then on so. What else it says is of the last of them; `ts` is the end of the ten seconds.',
}

export const PERSON_FIELDS: { readonly [field in keyof PersonFacts]-?: string } = {
  issuer: 'The identity provider that knows the person.',
  sub: 'Who it is, as the provider names them. `issuer` and `sub` together are the person.',
  email: 'Their address at that time, for people who read the event. It may change hands.',
}

const OF_A_LIMIT = {
  actor: '`admin-key:<id>`, `oidc:<sub>`, or `gateway` for what the program does by itself.',
  limit_id: 'The spend limit.',
  scope: '`organization`, `rbac_group` or `user`.',
  scope_id: 'Name of the group, `sub` or address of the person; empty for the organisation.',
  period: '`daily`, `weekly` or `monthly`.',
  shared: 'Whether the members draw on one amount together.',
  amount_before: 'Cents that it allowed before. Absent where there was no amount.',
  reason: 'What the administrator gave as the reason, credentials cut out.',
}

const WHO = { issuer: 'https://idp.example.com', sub: 'alice', email: 'alice@example.com' }
const FROM = { request_id: '0c9e5f5e-2f55-4a35-9f4e-6c8c37b3b3a1', client_ip: '198.51.100.7' }
const CODE = 'piYh-gAXESj_'
const SID = '6a0c1f5e-8f0e-4d0e-9a53-5d8f6f0b7c11'
const LIMIT = { actor: 'admin-key:finance', limit_id: 'spl_06613fe688e5af81fd15e6c1f94913a8', scope: 'user', scope_id: 'alice', period: 'monthly', shared: false }

export const EVENT_DOCS: { readonly [name in EventName]: EventDoc<name> } = {
  'config.load': {
    what: 'The program has read its configuration.',
    when: 'At every start, before anything else happens.',
    person: false,
    fields: { file: 'Path of the file.', sha256: 'Of the file as it lies on disk: the same text has the same one.' },
    example: { evt: 'config.load', file: '/etc/gatehouse/gateway.yaml', sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08' },
  },
  'device.authorize': {
    what: 'A client has begun a sign-in.',
    when: 'At `POST /oauth/device_authorization`, once the code is given out.',
    person: false,
    fields: { device_code_hash: 'Beginning of the hash of the device code: it ties the events of one sign-in together.', surface: 'What the client calls itself.', user_agent: 'Of the client.' },
    example: { evt: 'device.authorize', ...FROM, device_code_hash: CODE, surface: 'claude_code', user_agent: 'claude-cli/2.1.330' },
  },
  'device.verify': {
    what: 'Somebody has entered a code, or declined one.',
    when: 'At `POST /device` and `POST /device/deny`.',
    person: false,
    fields: { device_code_hash: 'As in `device.authorize`; absent when the code is nobody\'s.', outcome: '`redirected` to the identity provider, `denied` by the person, `unknown_code`, `cross_site`: sent by another site, `rate_limited`.' },
    example: { evt: 'device.verify', ...FROM, device_code_hash: CODE, outcome: 'redirected' },
  },
  'device.callback': {
    what: 'The identity provider has said who it is.',
    when: 'At `GET /oauth/callback`, when the sign-in is approved or refused.',
    person: true,
    fields: {
      outcome: '`approved` or `refused`.',
      reason: 'Why it was refused, in one word. The person sees a general sentence.',
      detail: 'What the provider said, shortened.',
      device_code_hash: 'As in `device.authorize`; absent when the attempt is unknown.',
      requester_ip: 'The address that began the sign-in.',
      other_address: 'Whether that is another address than the one that approved it: whoever talks people into approving a code asks for it from elsewhere.',
    },
    example: { evt: 'device.callback', ...FROM, device_code_hash: CODE, requester_ip: '198.51.100.7', other_address: false, outcome: 'approved', ...WHO },
  },
  'page.sign_in': {
    what: 'Somebody signs in to the page `/me`, or `/status`: to both at once.',
    when: 'When they are sent to the identity provider, and when they come back.',
    person: true,
    fields: { outcome: '`redirected`, `signed_in`, `refused`, `cross_site` or `rate_limited`.', reason: 'Why it was refused, in one word.', detail: 'What the provider said, shortened.', sid: 'The session of the page.' },
    example: { evt: 'page.sign_in', ...FROM, outcome: 'signed_in', sid: SID, ...WHO },
  },
  'page.sign_out': {
    what: 'Somebody has left the pages `/me` and `/status`.',
    when: 'At `POST /me/sign-out` and `POST /status/sign-out`.',
    person: true,
    fields: { outcome: '`signed_out`; `signed_out_here` while the store is away: at this replica at once, at others when the session of the page ends, within the hour; or `cross_site`: sent by another site, and nothing happened.', sid: 'The session of the page.' },
    example: { evt: 'page.sign_out', ...FROM, outcome: 'signed_out', sid: SID, ...WHO },
  },
  'session.mint': {
    what: 'A bearer token was given out.',
    when: 'At the end of a sign-in and at every refresh.',
    person: true,
    fields: { sid: 'The sign-in that it belongs to.', groups: 'The groups that the identity provider told.', expires_in: 'Seconds.' },
    example: { evt: 'session.mint', ...FROM, ...WHO, sid: SID, groups: ['engineering'], expires_in: 3600 },
  },
  'session.refresh': {
    what: 'A client has asked for a new bearer token.',
    when: 'At every `refresh_token` grant, whatever came of it.',
    person: true,
    fields: {
      outcome: '`refreshed`; `replayed`: the same token was presented a moment ago and gets the same answer; `refused`; `unavailable`: the identity provider could not be asked.',
      reason: 'Why not, in one word.',
      detail: 'What the provider said, shortened.',
      sid: 'The sign-in; absent when the token is nobody\'s.',
    },
    example: { evt: 'session.refresh', ...FROM, outcome: 'refreshed', sid: SID, ...WHO },
  },
  'session.revoke': {
    what: 'A sign-in has ended for good. Stored in the statement that ends it.',
    when: 'When a token is revoked, and when a refresh token that was used up comes again.',
    person: true,
    fields: { sid: 'The sign-in.', by: '`token_holder`, or `reuse`: two parties hold the token.' },
    example: { evt: 'session.revoke', ...FROM, by: 'token_holder', sid: SID, ...WHO },
  },
  'auth.denied': {
    what: 'A request came without a bearer token that holds.',
    when: 'On every path that needs one.',
    person: false,
    fields: { reason: '`missing`, `malformed`, `unknown_key`, `bad_signature_or_claims`, `bad_claims`, `expired` or `revoked`, among others.', method: 'Of the request.', path: 'Of the request, without its query.' },
    example: { evt: 'auth.denied', ...FROM, reason: 'expired', method: 'POST', path: '/v1/messages' },
  },
  'access.denied': {
    what: 'A request came from an address that may not connect.',
    when: 'Before anything of the request is looked at, by `access_control`.',
    person: false,
    fields: { reason: 'Which rule it was.', path: 'Of the request, without its query.' },
    example: { evt: 'access.denied', ...FROM, reason: 'ip_denied', path: '/v1/messages' },
  },
  'admin.denied': {
    what: 'Somebody who may not has asked for something of administrators.',
    when: 'Without a key or a token of an administrator, or with one that may only read.',
    person: false,
    fields: { method: 'Of the request.', path: 'Of the request, without its query.', actor: 'Who it is: a key that may read and not write, or a person who is signed in to a page and in no admin group.' },
    example: { evt: 'admin.denied', ...FROM, method: 'POST', path: '/v1/organizations/spend_limits', actor: 'admin-key:watch' },
  },
  'admin.limit.upsert': {
    what: 'A spend limit was set. Stored in the statement that sets it.',
    when: 'At `POST /v1/organizations/spend_limits`.',
    person: false,
    fields: { ...OF_A_LIMIT, amount: 'Cents that it allows now; null: no limit, said explicitly.', expires_at: 'When a temporary amount ends.' },
    example: { evt: 'admin.limit.upsert', ...LIMIT, amount: '50000', amount_before: '30000', reason: 'a large migration', ...FROM },
  },
  'admin.limit.delete': {
    what: 'A spend limit was deleted. Stored in the statement that deletes it.',
    when: 'At `DELETE /v1/organizations/spend_limits/:id`.',
    person: false,
    fields: OF_A_LIMIT,
    example: { evt: 'admin.limit.delete', ...LIMIT, amount_before: '50000', ...FROM },
  },
  'admin.limit.expire': {
    what: 'A temporary amount of a spend limit has ended. Stored in the statement that takes it back.',
    when: 'Within a minute after its end; it holds no longer from the end on.',
    person: false,
    fields: OF_A_LIMIT,
    example: { evt: 'admin.limit.expire', ...LIMIT, actor: 'gateway', amount_before: '90000' },
  },
  'admin.limit.bind': {
    what: 'A spend limit that was set for an address belongs to a person now. Stored in the statement that binds it.',
    when: 'When somebody with that address signs in.',
    person: true,
    fields: { actor: OF_A_LIMIT.actor, limit_id: OF_A_LIMIT.limit_id, period: OF_A_LIMIT.period, outcome: '`bound`, or `removed`: they had one of their own for this period.' },
    example: { evt: 'admin.limit.bind', actor: 'gateway', limit_id: LIMIT.limit_id, period: 'monthly', outcome: 'bound', sub: 'alice', email: 'alice@example.com', ...FROM },
  },
  'admin.log_level': {
    what: 'The level of the log was changed while the program runs.',
    when: 'At `PUT /v1/organizations/log_level`, where it is stored before the level changes; by a signal; when the time of a change is over; and where the event before does not say what holds.',
    person: false,
    fields: {
      actor: '`admin-key:<id>` or `oidc:<sub>`; `signal:SIGUSR1` or `signal:SIGUSR2`; `gateway` when the time is over, and when it corrects an event before: `reason` says why.',
      replica: 'Whose level it is, `<host>/<pid>`: each has its own.',
      level: '`error`, `warn`, `info` or `debug`, from here on.',
      level_before: 'Until here.',
      until: 'When the change ends by itself, where it does.',
      reason: 'Why, in the words of who changed it.',
    },
    example: { evt: 'admin.log_level', actor: 'admin-key:ops', replica: 'gw-1/4711', level: 'debug', level_before: 'info', until: '2026-08-01T09:27:44.120Z', reason: 'sign-ins from one office fail', ...FROM },
  },
  'audit.anchor': {
    what: 'Where the stored trail ends. A copy of it elsewhere proves everything up to there: see docs/audit.md. On standard error alone.',
    when: 'Every hour on the hour, at the start and at the end of the program, where `audit.store` is true.',
    person: false,
    fields: { day: 'The day of the last event, in UTC.', seq: 'Its number on that day.', hash: 'Its hash, in hexadecimal digits.' },
    example: { evt: 'audit.anchor', day: '2026-08-01', seq: 4711, hash: '3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b' },
  },
  'audit.gap': {
    what: 'Events are missing from the stored trail: the database did not take them, and they are on standard error alone.',
    when: 'When the database takes events again.',
    person: false,
    fields: { lost: 'How many.', since: 'When the first of them happened.', until: 'When this was written.' },
    example: { evt: 'audit.gap', lost: 120, since: '2026-08-01T09:12:44.120Z', until: '2026-08-01T09:40:02.004Z' },
  },
  inference: {
    what: 'A request to a model has ended.',
    when: 'Once for each, however it ended: after the last byte of a stream.',
    person: true,
    fields: {
      path: '`/v1/messages` or `/v1/messages/count_tokens`.',
      model: 'As the client named it.',
      upstream: 'The upstream that answered, or the last that failed.',
      upstream_model: 'What that upstream calls the model.',
      upstream_request_id: 'The request\'s id there.',
      status: 'What the client was told. 499: it left before.',
      outcome: '`completed`; `client_gone`; `upstream_broke` off after its first byte; `failed`: no upstream answered; `drained`: the gateway was stopped.',
      attempts: 'Upstreams that were tried.',
      ms: 'From the request to its end.',
      ttfb_ms: 'From the request to the first byte of the answer.',
      input_tokens: 'Read, and in no cache.',
      output_tokens: 'Written, thinking among them.',
      thinking_tokens: 'Of the output, where the upstream tells them apart.',
      cache_read_tokens: 'Read from the cache.',
      cache_write_5m_tokens: 'Written to the cache for five minutes.',
      cache_write_1h_tokens: 'Written to the cache for an hour.',
      web_searches: 'Searches that the upstream made.',
      speed: '`fast` where the answer was made so.',
      estimated: 'True where something of it is an estimate: the answer broke off before it said what it used.',
      cost_usd: 'Of all attempts together, exact.',
    },
    example: {
      evt: 'inference', ...FROM, ...WHO, path: '/v1/messages', model: 'claude-sonnet-5', status: 200, attempts: 1, upstream: 'bedrock', upstream_model: 'us.anthropic.claude-sonnet-5', ttfb_ms: 812,
      upstream_request_id: 'f2b6e8a4', outcome: 'completed', ms: 9120, input_tokens: 1200, output_tokens: 850, cache_read_tokens: 41_000, cache_write_5m_tokens: 900, cost_usd: '0.032025',
    },
  },
  'inference.denied': {
    what: 'A request to a model was refused before it was sent anywhere.',
    when: 'By the person\'s policy or quotas, or because nobody serves the model.',
    person: true,
    fields: { path: 'As in `inference`.', model: 'As the client named it.', reason: '`not_served`, `not_in_policy`, `denied_by_policy`, or `quota_` and the kind of the quota.' },
    example: { evt: 'inference.denied', ...FROM, ...WHO, path: '/v1/messages', model: 'claude-opus-5-5', reason: 'not_in_policy' },
  },
  'spend.blocked': {
    what: 'A request was refused by a spend limit.',
    when: 'Before it is sent anywhere.',
    person: true,
    fields: { reason: '`limit`: it is reached; `held`: what runs now may reach it; `unreadable`: what was spent cannot be read, and `enforcement.fail_closed_on_error` is set.', period: 'Of the limit.', pool: 'Whether it is shared.', resets_at: 'When the period ends.' },
    example: { evt: 'spend.blocked', ...FROM, ...WHO, reason: 'limit', period: 'monthly', pool: false, resets_at: '2026-09-01T00:00:00.000Z' },
  },
  'spend.alert': {
    what: 'A spend limit fills: a threshold of `admin.alerts` was passed.',
    when: 'Once for each threshold, limit and period, whichever replica sees it first.',
    person: true,
    fields: {
      scope: 'Of the counter: `user`, `rbac_group` or `organization`.', group: 'Name of the group, where it is one\'s.', spend_limit_id: 'The limit.', period: '`daily`, `weekly` or `monthly`.',
      threshold: 'Percent that was passed.', percent: 'Percent that are spent.', spent: 'In dollars.', limit: 'In dollars.', resets_at: 'When the period ends.', projected_exhaustion: 'When the limit is used up at the pace so far.',
    },
    example: { evt: 'spend.alert', scope: 'user', ...WHO, spend_limit_id: LIMIT.limit_id, period: 'monthly', threshold: 90, percent: 92.2, spent: '$46.12', limit: '$50.00', resets_at: '2026-09-01T00:00:00.000Z' },
  },
  'desktop_bootstrap.serve': {
    what: 'Claude Desktop was given its configuration.',
    when: 'At `GET /user/bootstrap`.',
    person: true,
    fields: { policy: 'Position in `managed.policies`.' },
    example: { evt: 'desktop_bootstrap.serve', ...FROM, ...WHO, policy: 0 },
  },
  'desktop_bootstrap.denied': {
    what: 'Claude Desktop was given none.',
    when: 'At `GET /user/bootstrap`.',
    person: true,
    fields: { policy: 'Position in `managed.policies`; null when none matches.', reason: '`no_policy_matched` or `policy_not_opted_in`.' },
    example: { evt: 'desktop_bootstrap.denied', ...FROM, ...WHO, policy: null, reason: 'no_policy_matched' },
  },
  'managed.serve': {
    what: 'Claude Code has asked for its settings.',
    when: 'At every `GET /managed/settings`.',
    person: true,
    fields: { policy: 'Position in `managed.policies`; null when none matches.', checksum: 'Of the settings, as the client is told it.', status: '200, 304: it has them, 404: there are none.' },
    example: { evt: 'managed.serve', ...FROM, ...WHO, policy: 0, checksum: 'sha256:5feceb66ffc86f38', status: 200 },
  },
}

export const EVENT_NAMES = Object.keys(EVENT_DOCS) as EventName[]
