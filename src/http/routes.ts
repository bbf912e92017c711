// What the gateway says of itself: alive, ready, the protocol it speaks and a small status page to anybody, metrics to administrators.
import { Elysia } from 'elysia'
import protocol from '../../docs/protocol.md' with { type: 'text' }
import type { MetricFamily } from '../observe/metrics.ts'
import { metricsAnswer } from './metrics-listener.ts'
import { html, renderPage } from './page.ts'
import { adminOf } from './request-context.ts'

const NO_STORE = { 'cache-control': 'no-store' }

export interface PublicRoutesDeps {
  isReady: () => boolean
  version: string
  /** Facts about what the gateway stands on, for an administrator. Throws `unauthenticated` for anybody else. */
  facts: (request: Request) => Promise<object>
  metrics: () => readonly MetricFamily[]
}

export function publicRoutes({ isReady, version, facts, metrics }: PublicRoutesDeps) {
  const text = (body: string, status = 200, type = 'text/plain; charset=utf-8') =>
    new Response(body, { status, headers: { 'content-type': type, ...NO_STORE } })
  return new Elysia({ name: 'public' })
    .get('/healthz', () => text('ok'))
    .get('/health', () => text('ok'))
    .get('/readyz', async ({ request }) => {
      if (new URL(request.url).searchParams.get('verbose') !== '1') return isReady() ? text('ready') : text('not ready', 503)
      return Response.json({ ready: isReady(), version, ...(await facts(request)) }, { status: isReady() ? 200 : 503, headers: NO_STORE })
    })
    .get('/metrics', ({ request }) => {
      adminOf(request)
      return metricsAnswer(metrics)
    })
    .get('/api/hello', () => Response.json({ message: 'hello' }, { headers: NO_STORE }))
    .get('/protocol', () => text(protocol.replaceAll('{{version}}', version), 200, 'text/markdown; charset=utf-8'))
    .get('/', () => statusPage(isReady(), version))
}

/** Says that something lives here, and nothing a stranger could use. */
function statusPage(ready: boolean, version: string): Response {
  return renderPage({
    title: 'gatehouse',
    body: html`<h1>gatehouse</h1>
      <p role="status">${ready ? 'This gateway is up.' : 'This gateway is up, but it is not ready to sign people in.'}</p>
      <p>Sign in from Claude Code with <code>/login</code>. How it speaks is written down in <a href="/protocol">the protocol</a>.</p>
      <p>What you spent, and what you may spend, is on <a href="/me">a page of yours</a>.</p>
      <p><small>version ${version}</small></p>`,
  })
}
