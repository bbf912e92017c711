// The administrators' page in a real browser, with trouble to show: readable in the light and the dark, on a telephone, and
// told to a screen reader.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { ADMIN, READ_KEY, until } from '../support/admin.ts'
import { createBrowser, signInAtProvider } from '../support/browser.ts'
import { CHROMIUM, startChromium, type Chromium, type Tab } from '../support/chromium.ts'
import { startWorld, type World } from '../support/gateway.ts'
import { LOWEST_CONTRAST } from '../support/lowest-contrast.ts'

const RUNS = CHROMIUM !== undefined
if (!RUNS) process.stderr.write('the status page is not looked at: there is no Chromium on this machine (scripts/install-chromium)\n')

let world: World
let chromium: Chromium
let cookie: string
beforeAll(async () => {
  if (!RUNS) return
  world = await startWorld({
    config: {
      admin: { ...ADMIN, admin_groups: ['engineering'] },
      telemetry: { forward_to: [{ url: 'http://127.0.0.1:9/a/path/of/a/collector/that/is/long' }] },
      upstreams: [
        { name: 'one', provider: 'anthropic', base_url: 'http://127.0.0.1:9', auth: { api_key: 'sk-upstream-canary' } },
        { name: 'the-upstream-with-the-long-name', provider: 'vertex', region: 'europe-west1', project_id: 'acme', auth: { service_account_json: '/nowhere/at/all/in/a/deep/directory/key.json' }, max_concurrency: 40 },
      ],
    },
  })
  const token = (await world.signIn()).access_token
  for (let n = 0; n < 5; n++) await world.gateway.post('/v1/messages', { model: 'claude-sonnet-5', max_tokens: 1, messages: [] }, token)
  await world.gateway.post('/v1/metrics', { resourceMetrics: [{}] }, token)
  await until(async () => ((await (await world.gateway.get('/readyz?verbose=1', undefined, { 'x-api-key': READ_KEY })).json()) as { troubles: string[] }).troubles.length >= 3)
  const browser = createBrowser()
  await signInAtProvider(browser, await browser.submit(`${world.gateway.url}/status/sign-in`, {}), 'alice')
  cookie = browser.cookies(new URL(world.gateway.url).host).get('gatehouse-me') as string
  chromium = await startChromium(CHROMIUM as string)
}, 40_000)
afterAll(async () => {
  await chromium?.stop()
  await world?.stop()
}, 20_000)

async function open(prepare: (tab: Tab) => Promise<unknown> = async () => {}): Promise<Tab> {
  const tab = await chromium.newTab()
  await prepare(tab)
  await tab.send('Network.setCookie', { name: 'gatehouse-me', value: cookie, url: world.gateway.url })
  await tab.goto(`${world.gateway.url}/status`)
  return tab
}

describe.skipIf(!RUNS)('the page of the status', () => {
  test('follows the light and the dark, readable in both, without a complaint of the browser', async () => {
    for (const [scheme, paper] of [['light', 'rgb(246, 245, 241)'], ['dark', 'rgb(22, 22, 20)']] as const) {
      const tab = await open((one) => one.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] }))
      const seen = await tab.evaluate<{ paper: string; contrast: number }>(`({ paper: getComputedStyle(document.body).backgroundColor, contrast: ${LOWEST_CONTRAST} })`)
      // WCAG 2.2 §1.4.3
      expect([seen.paper, seen.contrast >= 4.5, tab.complaints, tab.requests.length]).toEqual([paper, true, [], 1])
    }
  })

  test.each([320, 390, 600, 1100])('fits a window of %i pixels without scrolling sideways, the credentials told once', async (pixels) => {
    const tab = await open((one) => one.send('Emulation.setDeviceMetricsOverride', { width: pixels, height: 800, deviceScaleFactor: 1, mobile: false }))
    expect(await tab.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')).toBe(0)
    expect((await tab.evaluate<string>('document.body.innerText')).match(/from the configuration/g)).toHaveLength(1)
  })

  test('is told to a screen reader as headings and named tables, states in words', async () => {
    const { nodes } = await (await open()).send('Accessibility.getFullAXTree')
    const named = (role: string) => (nodes as { ignored: boolean; role?: { value: string }; name?: { value: string } }[]).filter((node) => !node.ignored && node.role?.value === role).map(({ name }) => name?.value)
    expect(named('heading')).toEqual(['Gateway status', 'Store', 'Identity provider', 'Configuration'])
    expect(named('table')).toEqual(['Upstreams and credentials', 'Queues'])
    expect(named('StaticText').filter((words) => /^(answers|left alone for .*|none can be had|is written)$/.test(words ?? '')).toSorted()).toEqual(['answers', 'is written', 'left alone for claude-sonnet-5', 'left alone for claude-sonnet-5', 'none can be had'])
    expect([...named('button'), ...named('link')]).toEqual(['Sign out', 'Look again'])
  })

  test('is looked at again, and left, with the keyboard alone', async () => {
    const tab = await open()
    await tab.press('Tab')
    await tab.press('Tab')
    expect(await tab.evaluate<string>('document.activeElement.textContent')).toBe('Look again')
    await tab.press('Enter', { leads: true })
    expect(await tab.heading()).toBe('Gateway status')
    await tab.press('Tab')
    await tab.press('Enter', { leads: true })
    expect(await tab.evaluate<string>('document.body.innerText')).toContain('Sign in with your organisation')
  })
})
