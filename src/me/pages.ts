// The pages around those that people sign in to: signing in, and what went wrong.
import { html, renderPage, type Markup } from '../http/page.ts'
import type { OAuthDeps } from '../oauth/deps.ts'
import { asPage } from '../oauth/trouble.ts'

/** A page that people sign in to. They sign in once for all of them. */
export interface SignedInPage {
  readonly path: '/me' | '/status'
  readonly title: string
  /** As others speak of it: `Open …`. */
  readonly name: string
  /** What it is for, before somebody has signed in, and what else to know. */
  readonly lead: string
  readonly foot: string
  /** Whether there is nothing to show while the store is away. */
  readonly needsStore: boolean
}

export const MY_PAGE: SignedInPage = {
  path: '/me',
  title: 'Your spend',
  name: 'your spend',
  lead: 'What you spent with Claude Code, and what you may spend. Sign in with your organisation to see it.',
  foot: 'You see your own spend and nobody else’s. After an hour you sign in again.',
  needsStore: true,
}

export const STATUS_PAGE: SignedInPage = {
  path: '/status',
  title: 'Gateway status',
  name: 'the status of this gateway',
  lead: 'How this gateway and everything it stands on does, for its administrators. Sign in with your organisation to see it.',
  foot: 'After an hour you sign in again. While the store is away nobody new can sign in; an admin key opens /readyz?verbose=1.',
  needsStore: false,
}

/** The page of a path that was noted at the beginning of a sign-in; one's own where there was none. */
export function pageAt(path: string | undefined): SignedInPage {
  return path === STATUS_PAGE.path ? STATUS_PAGE : MY_PAGE
}

export function signInPage({ path, title, lead, foot }: SignedInPage, formAction: readonly string[], headers: Record<string, string> = {}): Response {
  return renderPage({
    title,
    formAction,
    headers,
    body: html`<h1>${title}</h1>
<p>${lead}</p>
<form method="post" action="${path}/sign-in"><div class="actions"><button type="submit">Sign in</button></div></form>
<p class="soft foot">${foot}</p>`,
  })
}

export function crossSitePage(page: SignedInPage): Response {
  return message(403, 'This did not come from this page', html`<p>Open ${link(page)} and press the button there.</p>`)
}

export function awayPage(page: SignedInPage): Response {
  return message(503, `${page.title} cannot be shown now`, html`<p>Something that this gateway needs does not answer. Try ${link(page)} again in a minute.</p>`, { 'retry-after': '10' })
}

/** Runs a step of a page; what it throws becomes a page. */
export function asSignedInPage(page: SignedInPage, deps: Pick<OAuthDeps, 'observe'>, request: Request, work: () => Promise<Response>): Promise<Response> {
  return asPage(deps, request, work, {
    away: () => awayPage(page),
    unreadable: () => message(400, 'This could not be read', html`<p>Go back to ${link(page)}.</p>`),
    broken: (requestId) =>
      message(500, 'Something went wrong here', html`<p>Go back to ${link(page)}. If it happens again, tell the people who run this gateway this number: <code>${requestId}</code></p>`),
  })
}

/** The store did not hear of it. */
export function signedOutHerePage(headers: Record<string, string>): Response {
  return message(503, 'Signed out in this browser', html`<p role="status">The gateway cannot reach its store now. This browser is signed out, and what it held opens nothing here any more; at other replicas it ends within the hour.</p>`, headers)
}

function link({ path, name }: SignedInPage): Markup {
  return html`<a href="${path}">${name}</a>`
}

function message(status: number, title: string, body: Markup, headers: Record<string, string> = {}): Response {
  return renderPage({ title, status, headers, body: html`<h1>${title}</h1>${body}` })
}
