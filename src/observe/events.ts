// Everything that happens, named once. Audit events are the record of who did what; operations are for the operator's eyes.
// There is no field that could hold a prompt, a completion, a token or a secret.

/** Fields every audit event may carry about the request it belongs to. */
export interface RequestFacts {
  /** When it happened, where somebody else than the log has to know it as well. */
  ts?: string
  request_id?: string
  client_ip?: string
  /** Instead of the address, of an event that stands for many. */
  client_network?: string
  /** It stands for so many. */
  repeated?: number
}

/** Who, as far as it is known. */
export interface PersonFacts {
  sub?: string
  email?: string | undefined
  issuer?: string
}

/** Which spend limit an administrator changed. */
export interface LimitChange {
  actor: string
  limit_id: string
  scope: string
  /** Name of a group, sub or address of a person; empty for the organisation. */
  scope_id: string
  period: string
  shared: boolean
  amount_before?: string
  reason?: string
}

export type AuditEvent = RequestFacts &
  (
    | { evt: 'config.load'; file: string; sha256: string }
    | ({ evt: 'device.authorize'; device_code_hash: string; surface?: string; user_agent?: string })
    | ({ evt: 'device.verify'; device_code_hash?: string; outcome: 'redirected' | 'denied' | 'unknown_code' | 'cross_site' | 'rate_limited' })
    | ({ evt: 'device.callback'; outcome: 'approved' | 'refused'; reason?: string; detail?: string; device_code_hash?: string; requester_ip?: string; other_address?: boolean } & PersonFacts)
    | ({ evt: 'page.sign_in'; outcome: 'redirected' | 'signed_in' | 'refused' | 'cross_site' | 'rate_limited'; reason?: string; detail?: string; sid?: string } & PersonFacts)
    | ({ evt: 'page.sign_out'; outcome: 'signed_out' | 'signed_out_here' | 'cross_site'; sid?: string } & PersonFacts)
    | ({ evt: 'session.mint'; sid: string; groups: readonly string[]; expires_in: number } & PersonFacts)
    | ({ evt: 'session.refresh'; outcome: 'refreshed' | 'replayed' | 'refused' | 'unavailable'; reason?: string; detail?: string; sid?: string } & PersonFacts)
    | ({ evt: 'session.revoke'; sid: string; by: 'token_holder' | 'reuse' } & PersonFacts)
    | ({ evt: 'auth.denied'; reason: string; method: string; path: string })
    | { evt: 'access.denied'; reason: string; path: string }
    | { evt: 'admin.denied'; method: string; path: string; actor?: string }
    | ({ evt: 'admin.limit.upsert'; amount: string | null; expires_at?: string } & LimitChange)
    | ({ evt: 'admin.limit.delete' } & LimitChange)
    | ({ evt: 'admin.limit.expire' } & LimitChange)
    | ({ evt: 'admin.limit.bind'; actor: string; limit_id: string; period: string; outcome: 'bound' | 'removed' } & PersonFacts)
    | { evt: 'admin.log_level'; actor: string; replica?: string; level: Level; level_before: Level; until?: string; reason?: string }
    | { evt: 'audit.anchor'; day: string; seq: number; hash: string }
    | { evt: 'audit.gap'; lost: number; since: string; until: string }
    | ({
        evt: 'inference'
        path: string
        model: string
        upstream?: string
        upstream_model?: string
        upstream_request_id?: string
        status: number
        outcome: 'completed' | 'client_gone' | 'upstream_broke' | 'failed' | 'drained'
        attempts: number
        ms: number
        ttfb_ms?: number
        input_tokens?: number
        output_tokens?: number
        /** Part of the output. */
        thinking_tokens?: number
        cache_read_tokens?: number
        cache_write_5m_tokens?: number
        cache_write_1h_tokens?: number
        web_searches?: number
        speed?: string
        estimated?: true
        /** Of all attempts together, exact. */
        cost_usd?: string
      } & PersonFacts)
    | ({ evt: 'inference.denied'; path: string; model: string; reason: string } & PersonFacts)
    | ({ evt: 'spend.blocked'; reason: 'limit' | 'held' | 'unreadable'; period?: string | undefined; pool?: boolean | undefined; resets_at?: string | undefined } & PersonFacts)
    | ({
        evt: 'spend.alert'
        scope: 'user' | 'rbac_group' | 'organization'
        group?: string
        spend_limit_id: string
        period: 'daily' | 'weekly' | 'monthly'
        /** Percent that was passed, and that are spent. */
        threshold: number
        percent: number
        /** In dollars: `$46.12`. */
        spent: string
        limit: string
        resets_at: string
        projected_exhaustion?: string
      } & PersonFacts)
    | ({ evt: 'desktop_bootstrap.serve'; policy: number | null } & PersonFacts)
    | ({ evt: 'desktop_bootstrap.denied'; policy: number | null; reason: 'no_policy_matched' | 'policy_not_opted_in' } & PersonFacts)
    | ({ evt: 'managed.serve'; policy: number | null; checksum?: string; status: number } & PersonFacts)
  )

export type Level = 'debug' | 'info' | 'warn' | 'error'

/** An operational line. `repeat` groups lines that may be rate limited together. */
export interface Operation {
  op: Level
  message: string
  request_id?: string
  repeat?: string
}

export type Observation = AuditEvent | Operation
export type Observe = (observation: Observation) => void

/** True for what belongs to the audit trail. */
export function isAudit(observation: Observation): observation is AuditEvent {
  return 'evt' in observation
}
