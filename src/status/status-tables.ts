// The tables of the page at /status.
import { html, type Markup } from '../http/page.ts'
import { isLiving, type CredentialReport, type UpstreamReport } from '../relay/upstream-report.ts'
import type { GatewayFacts } from './facts.ts'
import { spanShown } from './span.ts'
import { state } from './state.ts'

const KINDS: Readonly<Record<NonNullable<CredentialReport['kind']>, string>> = {
  static: 'from the configuration',
  federation: 'workload identity federation',
  aws_default_chain: 'AWS default chain',
  aws_role: 'assumed AWS role',
  aws_role_per_person: 'assumed AWS role, one session per person',
  google_default: 'Google default credentials',
  google_key_file: 'Google key file',
  azure_default: 'Azure default credential',
}

export function upstreamTable(upstreams: readonly UpstreamReport[]): Markup {
  return html`<table class="facts"><caption>Upstreams and credentials</caption>
<thead><tr><th scope="col">Upstream</th><th scope="col">State</th><th scope="col" class="roomy">Credential</th></tr></thead>
<tbody>${upstreams.map(upstreamRow)}</tbody></table>`
}

/** Where there is no room for its column the credential stands below the state. */
function upstreamRow(upstream: UpstreamReport): Markup {
  const { name, provider, region, priority, in_flight: running, max_concurrency: most, left_out: leftOut, last_failure: last } = upstream
  const place = [provider === name ? undefined : provider, region, `priority ${priority}`].filter((part) => part !== undefined).join(' · ')
  return html`<tr><th scope="row">${name}<div class="soft">${place}</div></th><td>${health(upstream)}
<div class="soft">${running}${most !== undefined && ` of ${most}`} under way</div>
${last && html`<div class="soft">last failure ${spanShown(last.seconds_ago)} ago: ${last.words}</div>`}
${leftOut.length > 0 && html`<div class="soft">goes without ${leftOut.length === 1 ? 'one refused item' : `${leftOut.length} refused items`}</div>`}
<div class="tight">Credential: ${credential(upstream.credential)}</div></td><td class="roomy">${credential(upstream.credential)}</td></tr>
`
}

function health({ breakers, requests, credential }: UpstreamReport): Markup {
  const left = breakers.filter(({ state: one }) => one !== 'closed')
  if (left.length > 0) return state('bad', `left alone for ${left.map(({ model }) => model).join(', ')}`)
  if (credential?.failure !== undefined && !isLiving(credential)) return state('bad', 'without a credential')
  if (requests.succeeded > 0) return state('good', 'answers')
  return requests.failed > 0 ? state('bad', 'has not answered yet') : state('idle', 'not asked yet')
}

function credential(report: CredentialReport | undefined): Markup {
  if (report === undefined) return html`none`
  const { kind, age_seconds: age, expires_in_seconds: left, failure } = report
  const source = kind === undefined ? '' : KINDS[kind]
  if (failure !== undefined) return html`${state('bad', isLiving(report) ? 'could not be renewed' : 'none can be had')}<div class="soft">${source}; ${spanShown(failure.seconds_ago)} ago: ${failure.words}</div>`
  return html`${source}<div class="soft">${kind !== 'static' && lifetime(age, left)}</div>`
}

function lifetime(age: number | undefined, left: number | null | undefined): string {
  if (age === undefined) return 'not needed yet'
  const got = `got ${spanShown(Math.max(0, age))} ago`
  if (left === undefined || left === null) return `${got}, does not end by itself`
  return left > 0 ? `${got}, ends in ${spanShown(left)}` : `${got}, ended ${spanShown(-left)} ago: renewed when it is needed`
}

interface Flow {
  readonly name: string
  readonly of: string
  readonly state: Markup
  readonly waiting: string
  readonly lost: number
}

/** What is written down and sent on, behind the requests. */
export function flowTable(facts: GatewayFacts): Markup {
  return html`<table class="facts"><caption>Queues</caption>
<thead><tr><th scope="col">Queue</th><th scope="col">State</th><th scope="col" class="num">Waiting</th><th scope="col" class="num roomy">Lost</th></tr></thead>
<tbody>${flowsOf(facts).map(
    ({ name, of, state: how, waiting, lost }) => html`<tr><th scope="row">${name}<div class="soft">${of}</div></th><td>${how}${lost > 0 && html`<div class="tight">${lost} lost</div>`}</td><td class="num">${waiting}</td><td class="num roomy">${lost}</td></tr>
`,
  )}</tbody></table>
<p class="soft">Counted since the start of this replica.</p>`
}

function flowsOf({ ledger, audit, collectors, alerts = [] }: GatewayFacts): Flow[] {
  return [
    { name: 'Usage ledger', of: `${ledger.requests_held} requests held`, state: lag(ledger.lag_seconds), waiting: String(ledger.settlements_waiting), lost: ledger.set_aside },
    ...(audit === undefined ? [] : [{ name: 'Audit trail', of: 'events for the store', state: audit.blocking ? state('bad', 'full: requests are refused') : lag(audit.lag_seconds), waiting: String(audit.events_waiting), lost: audit.lost }]),
    ...collectors.map(({ name, trouble, trouble_seconds: since = 0, held, spooled_bytes: spooled, lost, delivered }) => ({
      name,
      of: `telemetry, ${delivered} delivered`,
      state: taking(delivered, trouble, `has taken none for ${spanShown(since)}`),
      waiting: spooled === undefined ? String(held) : `${held} · ${Math.ceil(spooled / 1024)} KiB on disk`,
      lost,
    })),
    ...alerts.map(({ name, trouble, delivered, lost }) => ({ name, of: `alerts, ${delivered} delivered`, state: taking(delivered, trouble, 'did not take the last one'), waiting: '', lost })),
  ]
}

function taking(delivered: number, trouble: string | undefined, troubled: string): Markup {
  if (trouble !== undefined) return html`${state('bad', troubled)}<div class="soft">${trouble}</div>`
  return delivered > 0 ? state('good', 'takes what comes') : state('idle', 'nothing was sent yet')
}

const SLOW_SECONDS = 10

function lag(seconds: number): Markup {
  return seconds > SLOW_SECONDS ? state('bad', `the oldest waits for ${spanShown(seconds)}`) : state('good', 'is written')
}
