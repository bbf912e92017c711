// What the gateway says of itself: alive, the protocol it speaks and a small status page to anybody, metrics to administrators.
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
  metrics: () => readonly MetricFamily[]
}

export function publicRoutes({ isReady, version, metrics }: PublicRoutesDeps) {
  const text = (body: string, type = 'text/plain; charset=utf-8') => new Response(body, { headers: { 'content-type': type, ...NO_STORE } })
  return new Elysia({ name: 'public' })
    .get('/healthz', () => text('ok'))
    .get('/health', () => text('ok'))
    .get('/metrics', ({ request }) => {
      adminOf(request)
      return metricsAnswer(metrics)
    })
    .get('/api/hello', () => Response.json({ message: 'hello' }, { headers: NO_STORE }))
    .get('/protocol', () => text(protocol.replaceAll('{{version}}', version), 'text/markdown; charset=utf-8'))
    .get('/', () => frontPage(isReady()))
}

/** Says that something lives here, and nothing a stranger could use. */
function frontPage(isReady: boolean): Response {
  return renderPage({
    title: 'gatehouse',
    body: html`<h1>${isReady ? 'This gateway is up' : 'This gateway is up, but not ready'}</h1>
<p>${isReady ? html`Claude Code signs in here, with <code>/login</code>.` : 'Signing in does not work now. Whoever is signed in can go on; try again in a minute.'}</p>
<p>What you spent, and what you may spend, is on <a href="/me">your page</a>.</p>
<p class="soft foot"><a href="/protocol">How clients speak to it</a> · <a href="/status">For administrators</a></p>`,
  })
}
