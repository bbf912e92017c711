// What the client is told of spend: headers while it goes on, the refusal when it does not. Contract §5 and §9.
import { GatewayError } from '../errors.ts'
import { passedThreshold, percentUsed, type Use } from './standing.ts'

const PREFIX = 'anthropic-ratelimit-unified'

/** Of the fullest limit; each 200 of `/v1/messages` carries them. */
export function allowedHeaders(use: Use): Record<string, string> {
  const percent = Math.min(percentUsed(use), 99)
  const passed = passedThreshold(percent)
  const status = passed === undefined ? 'allowed' : 'allowed_warning'
  const reset = unixSeconds(use.resetsAt)
  return {
    [`${PREFIX}-status`]: status,
    [`${PREFIX}-representative-claim`]: 'overage',
    [`${PREFIX}-reset`]: reset,
    [`${PREFIX}-overage-status`]: status,
    [`${PREFIX}-overage-reset`]: reset,
    [`${PREFIX}-overage-utilization`]: hundredths(percent),
    ...(passed === undefined ? {} : { [`${PREFIX}-overage-surpassed-threshold`]: hundredths(passed) }),
  }
}

/** 429 before any upstream call. With `representative-claim` or `overage-status` the client would hide the sentence. */
export function spendRefusal(use: Use, now: Date, blockedMessage: string | undefined): GatewayError {
  const reset = unixSeconds(use.resetsAt)
  return new GatewayError('spend_limited', spendSentence(use, blockedMessage), {
    headers: {
      'retry-after': String(Math.max(1, Math.ceil((use.resetsAt.getTime() - now.getTime()) / 1000))),
      'x-should-retry': 'false',
      [`${PREFIX}-status`]: 'rejected',
      [`${PREFIX}-reset`]: reset,
      [`${PREFIX}-overage-reset`]: reset,
      [`${PREFIX}-overage-utilization`]: hundredths(percentUsed(use)),
      [`${PREFIX}-overage-surpassed-threshold`]: '1',
      [`${PREFIX}-overage-period`]: use.period,
      [`${PREFIX}-overage-disabled-reason`]: 'org_spend_cap_reached',
      ...(use.isPool ? { [`${PREFIX}-overage-scope`]: 'group_pool' } : {}),
    },
  })
}

/** Waiting for the reset helps nobody whose limit is zero. */
function spendSentence({ limit, period, resetsAt }: Use, blockedMessage: string | undefined): string {
  if (limit === 0n) return ['spend limit reached', blockedMessage].filter(Boolean).join(' · ')
  const [day, time] = resetsAt.toISOString().split('T') as [string, string]
  return [`spend limit reached (${period}; resets ${day} ${time.slice(0, 5)} UTC)`, blockedMessage].filter(Boolean).join(' ')
}

/** What is left is held for requests that still run: it may well do in a moment. */
export function heldRefusal(use: Use | undefined): GatewayError {
  const which = use === undefined ? 'spend limit' : `${use.period} spend limit`
  return new GatewayError('rate_limited', `the rest of the ${which} is held for requests that are still running; try again when they have ended`, { headers: { 'retry-after': '5' } })
}

/** Nobody can say what is spent, and the operator wants no request then. */
export function unreadableRefusal(): GatewayError {
  return new GatewayError('spend_limited', 'spend limit unavailable', { headers: { 'x-should-retry': 'false', [`${PREFIX}-overage-disabled-reason`]: 'fetch_error' } })
}

function unixSeconds(moment: Date): string {
  return String(Math.floor(moment.getTime() / 1000))
}

/** `0.5`, `0.76`, `1.5`: up to two places, none of them padding. */
function hundredths(percent: number): string {
  return String(percent / 100)
}
