// What a person sees while signing in. General sentences only: the reasons are in the audit log.
import { html, renderPage, type Markup } from '../http/page.ts'
import { showUserCode } from './codes.ts'

/** Asks for the code, for those who came without it. */
export function codeEntryPage(formAction: readonly string[]): Response {
  return renderPage({
    title: 'Connect a device',
    formAction,
    body: html`<h1>Connect Claude Code</h1>
<p>Type the code that Claude Code shows you.</p>
<form method="get" action="/device">
<label for="user_code">Code</label>
<input id="user_code" name="user_code" required maxlength="16" autocomplete="off" autocapitalize="characters" spellcheck="false" placeholder="XXXX-XXXX" autofocus>
<div class="actions"><button type="submit">Continue</button></div>
</form>`,
  })
}

export interface Confirmation {
  userCode: string
  requesterIp: string
  ageSeconds: number
  /** The person's browser has the address of the device that asked. */
  isSameAddress: boolean
}

/** Shows the code to be compared. Nothing happens until the person presses a button (RFC 8628 §3.3.1, §5.4). */
export function confirmPage({ userCode, requesterIp, ageSeconds, isSameAddress }: Confirmation, formAction: readonly string[]): Response {
  const hidden = html`<input type="hidden" name="user_code" value="${userCode}">`
  return renderPage({
    title: 'Compare the code',
    formAction,
    body: html`<h1>Is this the code on your screen?</h1>
<p>Claude Code on your machine shows a code. Go on only if it is exactly this one.</p>
<p class="code">${showUserCode(userCode)}</p>
<dl>
<div><dt>Asked from</dt><dd>${requesterIp} (${isSameAddress ? 'this' : 'not this'} browser’s address)</dd></div>
<div><dt>Asked</dt><dd>${showAge(ageSeconds)}</dd></div>
</dl>
<p class="warn">If somebody sent you this link or code, by mail, chat or telephone, choose Deny. Whoever sent it would be signed in as you.</p>
<p>Approve takes you to your organisation’s sign-in.</p>
<div class="actions">
<form method="post" action="/device">${hidden}<button type="submit">Approve</button></form>
<form method="post" action="/device/deny">${hidden}<button type="submit" class="quiet">Deny</button></form>
</div>`,
  })
}

function showAge(ageSeconds: number): string {
  const minutes = Math.floor(ageSeconds / 60)
  if (minutes < 1) return 'less than a minute ago'
  return minutes === 1 ? 'a minute ago' : `${minutes} minutes ago`
}

export function approvedPage(who: string | undefined): Response {
  return message(200, 'You are signed in', html`${who !== undefined && html`<p>Signed in as <strong>${who}</strong>.</p>`}<p>Go back to Claude Code to finish. You can close this page.</p>`)
}

export function deniedPage(): Response {
  return message(200, 'Sign-in denied', html`<p>The device that asked gets nothing. You can close this page.</p>`)
}

/** One page for every code that does not work, so that it tells nobody which codes exist (RFC 8628 §5.1). */
export function unknownCodePage(): Response {
  return message(400, 'This code does not work', html`<p>It may have expired or been used. Start again in Claude Code with <code>/login</code>, or <a href="/device">type the code once more</a>.</p>`)
}

export function refusedPage(): Response {
  return message(403, 'You could not be signed in', html`<p>Your organisation did not admit this sign-in. If you think it should, ask the people who run this gateway.</p>`)
}

/** The browser came back without what it was given when it left, or too late. */
export function lostAttemptPage(): Response {
  return message(400, 'This sign-in is not going on here', html`<p>It was begun in another browser, or has ended. Start again in Claude Code with <code>/login</code>, or at <a href="/me">your spend</a>.</p>`)
}

export function crossSitePage(): Response {
  return message(403, 'This did not come from this page', html`<p>Open the link that Claude Code shows you and press the button there.</p>`)
}

export function tooManyPage(retryAfterSeconds: number): Response {
  return message(429, 'Too many attempts', html`<p>Wait a few minutes and try again.</p>`, { 'retry-after': String(retryAfterSeconds) })
}

export function awayPage(): Response {
  return message(503, 'Sign-in is not available now', html`<p>Something that this gateway needs does not answer. Try again in a minute; Claude Code keeps waiting for you.</p>`, { 'retry-after': '10' })
}

export function unreadablePage(): Response {
  return message(400, 'This could not be read', html`<p>Start again in Claude Code with <code>/login</code>.</p>`)
}

export function brokenPage(requestId: string): Response {
  return message(500, 'Something went wrong here', html`<p>Start again in Claude Code with <code>/login</code>. If it happens again, tell the people who run this gateway this number: <code>${requestId}</code></p>`)
}

function message(status: number, title: string, body: Markup, headers: Record<string, string> = {}): Response {
  return renderPage({ title, status, headers, body: html`<h1>${title}</h1>${body}` })
}
