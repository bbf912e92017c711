// The page at /me: one's own spend. The same figures as `GET /me/usage`, for eyes and screen readers: whatever a bar
// shows is also said in words beside it.
import { html, renderPage, type Markup } from '../http/page.ts'
import type { Identity } from '../principal.ts'
import { isSpent } from '../spend/standing.ts'
import { grouped } from '../std/decimal.ts'
import { activeLimit, percentShown, remainingOf, severityOf, type OwnLimit } from './own-limits.ts'
import type { OwnMonth } from './month.ts'
import type { OwnSpend } from './read-spend.ts'
import { dayShown, dollarsShown, isoSeconds, MONTHS, tokensShown, untilShown } from './shown.ts'

export interface SpendPage {
  person: Identity
  spend: OwnSpend
  month: OwnMonth
  /** What administrators say to somebody who is blocked. */
  blockedMessage: string | undefined
}

export function spendPage({ person, spend, month, blockedMessage }: SpendPage): Response {
  const { now, spent, limits } = spend
  const monthName = MONTHS[now.getUTCMonth()] as string
  return renderPage({
    title: 'Your spend',
    isWide: true,
    body: html`<header class="head">
<div><h1>Your spend</h1><p class="soft">${person.name ?? person.email ?? person.sub}${person.name !== undefined && person.email !== undefined && html` · ${person.email}`}</p></div>
<form method="post" action="/me/sign-out"><button type="submit" class="quiet small">Sign out</button></form>
</header>
${notice(spend, blockedMessage)}
<dl class="tiles">
<div><dt>Today</dt><dd>${dollarsShown(spent.daily)}</dd></div>
<div><dt>This week</dt><dd>${dollarsShown(spent.weekly)}</dd></div>
<div><dt>${monthName}</dt><dd>${dollarsShown(spent.monthly)}</dd></div>
</dl>
<section aria-labelledby="limits"><h2 id="limits">Limits</h2>
${limits.length === 0 ? html`<p>No limit holds for you.</p>` : html`<ul class="limits">${limits.map((limit) => limitItem(limit, now))}</ul>`}
</section>
${modelTable(month, monthName)}
${dayTable(month, monthName)}
<p class="soft foot">As of <time datetime="${isoSeconds(now)}">${dayShown(now)}, ${isoSeconds(now).slice(11, 16)} UTC</time>. Days, weeks and months are UTC, weeks begin on Monday. Amounts and percents are rounded down. For a status line or a script there is <code>/me/usage</code>.</p>`,
  })
}

/** Said first, and to screen readers at once: whoever is blocked came for this. */
function notice({ limits, now }: OwnSpend, blockedMessage: string | undefined): Markup | false {
  const active = activeLimit(limits)
  if (active === undefined || !isSpent(active)) return false
  const goesOn = active.limit > 0n && html` Claude Code goes on when it resets: ${resets(active, now)}.`
  return html`<p class="warn" role="status"><strong>Your ${nameOf(active)} is used up.</strong>${goesOn}${blockedMessage !== undefined && html` ${blockedMessage}`}</p>`
}

function limitItem(limit: OwnLimit, now: Date): Markup {
  const name = nameOf(limit)
  return html`<li>
<div class="row"><strong>${name.charAt(0).toUpperCase()}${name.slice(1)}</strong><span class="num">${dollarsShown(limit.spent)} <span class="soft">of ${dollarsShown(limit.limit)}</span></span></div>
${bar(percentShown(limit), severityOf(limit))}
<div class="row soft"><span>${used(limit)}</span><span>resets ${resets(limit, now)}</span></div>
<div class="soft">${sourceOf(limit)}</div>
</li>`
}

function used(limit: OwnLimit): string {
  return isSpent(limit) ? 'Used up' : `${percentShown(limit)} % used, ${dollarsShown(remainingOf(limit))} left`
}

function nameOf({ period, isPool }: OwnLimit): string {
  return isPool ? `shared ${period} limit` : `${period} limit`
}

function sourceOf({ source, group, isPool }: OwnLimit): string {
  if (isPool) return group === undefined ? 'Shared by everybody in the organisation' : `Shared by the members of ${group}`
  if (source === 'user') return 'Set for you'
  return group === undefined ? 'For each person in the organisation' : `For each member of ${group}`
}

function resets({ resetsAt }: OwnLimit, now: Date): Markup {
  return html`in ${untilShown(resetsAt, now)}, <time datetime="${isoSeconds(resetsAt)}">${dayShown(resetsAt)} 00:00 UTC</time>`
}

function modelTable({ byModel }: OwnMonth, monthName: string): Markup | false {
  if (byModel.length === 0) return false
  const most = byModel[0]?.cost ?? 0n
  return html`<table><caption>${monthName} by model</caption>
<thead><tr><th scope="col">Model</th><th scope="col" class="num">Requests</th><th scope="col" class="num roomy">Tokens in</th><th scope="col" class="num roomy">Cached</th><th scope="col" class="num roomy">Tokens out</th><th scope="col" class="num">Spent</th></tr></thead>
<tbody>${byModel.map(
    ({ model, requests, inputTokens, cacheReadTokens, cacheWriteTokens, outputTokens, cost }) => html`<tr><th scope="row">${model}${share(cost, most)}</th><td class="num">${grouped(requests)}</td><td class="num roomy">${tokensShown(inputTokens)}</td><td class="num roomy">${tokensShown(cacheReadTokens + cacheWriteTokens)}</td><td class="num roomy">${tokensShown(outputTokens)}</td><td class="num">${dollarsShown(cost)}</td></tr>
`,
  )}</tbody></table>`
}

/** The newest day first: it is what people come back for. */
function dayTable({ byDay }: OwnMonth, monthName: string): Markup {
  if (byDay.length === 0) return html`<p>Nothing was used in ${monthName} yet.</p>`
  const most = byDay.reduce((top, { cost }) => (cost > top ? cost : top), 0n)
  return html`<table><caption>${monthName} by day</caption>
<thead><tr><th scope="col">Day</th><th scope="col" class="num">Requests</th><th scope="col" class="num">Spent</th></tr></thead>
<tbody>${byDay.toReversed().map(
    ({ day, requests, cost }) => html`<tr><th scope="row"><time datetime="${day}">${dayShown(new Date(day))}</time>${share(cost, most)}</th><td class="num">${grouped(requests)}</td><td class="num">${dollarsShown(cost)}</td></tr>
`,
  )}</tbody></table>`
}

function share(cost: bigint, most: bigint): Markup {
  return bar(most === 0n ? 0 : Number((cost * 100n) / most), 'share')
}

/** Decoration: the figure stands beside it. */
function bar(percent: number, kind: string): Markup {
  return html`<svg class="bar ${kind}" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true"><rect width="${percent}" height="1"/></svg>`
}
