// The pages around a person's spend: signing in, and what went wrong.
import { html, renderPage, type Markup } from '../http/page.ts'
import type { OAuthDeps } from '../oauth/deps.ts'
import { asPage } from '../oauth/trouble.ts'

export function signInPage(formAction: readonly string[], headers: Record<string, string> = {}): Response {
  return renderPage({
    title: 'Your spend',
    formAction,
    headers,
    body: html`<h1>Your spend</h1>
<p>What you spent with Claude Code, and what you may spend. Sign in with your organisation to see it.</p>
<form method="post" action="/me/sign-in"><div class="actions"><button type="submit">Sign in</button></div></form>
<p class="soft foot">You see your own spend and nobody else’s. After an hour you sign in again.</p>`,
  })
}

export function crossSitePage(): Response {
  return message(403, 'This did not come from this page', html`<p>Open <a href="/me">your spend</a> and press the button there.</p>`)
}

export function awayPage(): Response {
  return message(503, 'Your spend cannot be shown now', html`<p>Something that this gateway needs does not answer. Try <a href="/me">your spend</a> again in a minute.</p>`, { 'retry-after': '10' })
}

/** Runs a step of the page; what it throws becomes a page. */
export function asMyPage(deps: Pick<OAuthDeps, 'observe'>, request: Request, work: () => Promise<Response>): Promise<Response> {
  return asPage(deps, request, work, {
    away: awayPage,
    unreadable: () => message(400, 'This could not be read', html`<p>Go back to <a href="/me">your spend</a>.</p>`),
    broken: (requestId) =>
      message(500, 'Something went wrong here', html`<p>Go back to <a href="/me">your spend</a>. If it happens again, tell the people who run this gateway this number: <code>${requestId}</code></p>`),
  })
}

function message(status: number, title: string, body: Markup, headers: Record<string, string> = {}): Response {
  return renderPage({ title, status, headers, body: html`<h1>${title}</h1>${body}` })
}
