// The page at /status: the facts of verbose readiness, for eyes and screen readers. Every state is said in words; the mark
// beside it is decoration. It does not reload itself: who reads is not interrupted, and sees from when it is.
import { html, renderPage, type Markup } from '../http/page.ts'
import { dayShown } from '../me/shown.ts'
import type { GatewayFacts, IdpFacts, StoreFacts } from './facts.ts'
import { spanShown } from './span.ts'
import { state } from './state.ts'
import { flowTable, upstreamTable } from './status-tables.ts'
import { troublesOf, verdictOf } from './verdict.ts'

export interface StatusPage {
  facts: GatewayFacts
  /** By the page's own sign-in, which can be left. */
  isSignedIn: boolean
}

export function statusPage({ facts, isSignedIn }: StatusPage): Response {
  const { version, uptime_seconds: uptime, requests_in_flight: running } = facts
  return renderPage({
    title: 'Gateway status',
    isWide: true,
    body: html`<header class="head">
<div><h1>Gateway status</h1><p class="soft">gatehouse ${version} · up for ${spanShown(uptime)} · ${running === 1 ? '1 request' : `${running} requests`} under way</p>
${replica(facts.replica)}</div>
${isSignedIn && html`<form method="post" action="/status/sign-out"><button type="submit" class="quiet small">Sign out</button></form>`}
</header>
${verdict(facts)}
${store(facts.store)}
${identityProvider(facts.idp)}
${upstreamTable(facts.upstreams)}
${flowTable(facts)}
${process(facts)}
<p class="soft foot">As of ${moment(facts.taken_at)}, of the replica that answered. <a href="/status">Look again</a>. For scripts there is <code>/readyz?verbose=1</code>, with the same facts.</p>`,
  })
}

/** For somebody who is signed in and no administrator: nothing of the gateway. */
export function notForYouPage(): Response {
  return renderPage({
    title: 'Not for you',
    status: 403,
    body: html`<h1>This page is for administrators</h1>
<p>You are signed in, and you are not in a group whose members may see it. Your own spend is on <a href="/me">your page</a>.</p>
<p class="soft">Were you put into such a group a moment ago? Sign out and in again.</p>
<form method="post" action="/status/sign-out"><div class="actions"><button type="submit" class="quiet">Sign out</button></div></form>`,
  })
}

function verdict(facts: GatewayFacts): Markup {
  const troubles = troublesOf(facts)
  const kind = !facts.ready ? 'bad' : troubles.length > 0 ? 'warning' : 'good'
  return html`<div class="verdict ${kind}"><p><strong>${verdictOf(facts, troubles)}</strong></p>${troubles.length > 0 && html`<ul>${troubles.map((words) => html`<li>${words.replace(/(\d) (s|min|h|days)\b/g, '$1\u00a0$2')}.</li>`)}</ul>`}</div>`
}

/** Several share one address: who looks again may meet another. */
function replica({ id, host, pid }: GatewayFacts['replica']): Markup {
  return html`<p class="soft">Replica <code class="fine">${id}</code>${host !== undefined && html` on ${host}, process ${pid}`}</p>`
}

function store({ reachable, away_seconds: away = 0, latency_ms: latency, grace_seconds: grace, schema, pools }: StoreFacts): Markup {
  return section('store', 'Store', [
    ['State', reachable ? state('good', 'answers') : state('bad', `has not answered for ${spanShown(away)}`)],
    ['Last answer', latency === undefined ? 'not looked yet' : `took ${latency} ms`],
    ['Schema', schema],
    ['Connections', pools.map(({ name, statements_in_flight: busy, max_connections: most }) => `${name} ${busy} of ${most}`).join(' · ')],
    ['Without it', grace === 0 ? 'not ready at once' : `not ready after ${spanShown(grace)}`],
  ])
}

function identityProvider({ issuer, answers, answered_seconds_ago: answered, trouble, discovery_read_seconds_ago: discovered, keys_read_seconds_ago: keys, keys_trouble }: IdpFacts): Markup {
  const isWell = answers && keys_trouble === undefined
  return section('idp', 'Identity provider', [
    ['State', isWell ? state('good', `answered when it was asked last, ${spanShown(answered)} ago`) : state('bad', answers ? 'its keys could not be read' : 'did not answer when it was asked last')],
    ['Issuer', html`<code>${issuer}</code>`],
    ['Discovery', `read ${spanShown(discovered)} ago, at the start`],
    ['Signing keys', keys === undefined ? 'not needed yet: nobody has signed in since the start' : `read ${spanShown(keys)} ago`],
    ['Last trouble', keys_trouble ?? (trouble === undefined ? 'none since the start' : `${trouble.words}, ${spanShown(trouble.seconds_ago)} ago`)],
  ])
}

function process({ log_level: log, config, revocations }: GatewayFacts): Markup {
  const passing = log.until === undefined ? '' : html`, until ${moment(log.until)}, then <strong>${log.level_after}</strong>`
  return section('configuration', 'Configuration', [
    ['File', config.file === undefined ? 'none' : html`<code>${config.file}</code>`],
    ['SHA-256', config.sha256 === undefined ? 'unknown' : html`<code class="fine">${config.sha256}</code>`],
    ['Loaded', moment(config.loaded_at)],
    ['Log level', html`<strong>${log.level}</strong>${log.level === log.level_at_start ? '' : ` (${log.level_at_start} at the start)`}${passing}`],
    ['Revoked sessions', `known as of ${spanShown(revocations.age_seconds)} ago`],
  ])
}

function section(id: string, title: string, rows: readonly (readonly [string, Markup | string])[]): Markup {
  return html`<section aria-labelledby="${id}"><h2 id="${id}">${title}</h2>
<dl>${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
</section>`
}

function moment(iso: string): Markup {
  return html`<time datetime="${iso}">${dayShown(new Date(iso))}, ${iso.slice(11, 19)} UTC</time>`
}
