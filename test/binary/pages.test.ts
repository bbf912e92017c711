// The pages of a sign-in, and the one of a person's own spend, in a real browser, on the compiled file: by mouse, by keyboard, without scripts, in the light
// and in the dark. The demonstration stands in for the provider.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CHROMIUM, startChromium, type Chromium, type Tab } from '../support/chromium.ts'
import { LOWEST_CONTRAST } from '../support/lowest-contrast.ts'
import { start, type Program } from './program.ts'

if (CHROMIUM === undefined) process.stderr.write('the page tests are skipped: there is no Chromium on this machine (scripts/install-chromium)\n')

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

let scratch: string
let program: Program
let chromium: Chromium
let gateway: string
const tabs: Tab[] = []

const post = (path: string, fields: Record<string, string>) => fetch(gateway + path, { method: 'POST', body: new URLSearchParams(fields) })
const askForCode = async () => (await (await post('/oauth/device_authorization', { surface: 'claude_code' })).json()) as Record<'device_code' | 'user_code' | 'verification_uri_complete', string>
const poll = async (deviceCode: string) => (await (await post('/oauth/token', { grant_type: DEVICE_CODE, device_code: deviceCode })).json()) as Record<string, string>

async function openTab(prepare: (tab: Tab) => Promise<unknown> = async () => {}): Promise<Tab> {
  const tab = await chromium.newTab()
  tabs.push(tab)
  await prepare(tab)
  return tab
}

const scheme = (value: 'light' | 'dark') => (tab: Tab) => tab.send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] })
const width = (pixels: number) => (tab: Tab) => tab.send('Emulation.setDeviceMetricsOverride', { width: pixels, height: 800, deviceScaleFactor: 1, mobile: false })

/** Shows the four kinds of page of a sign-in one after another, and what `look` says of each. */
async function walk<value>(tab: Tab, look: (tab: Tab) => Promise<value>): Promise<value[]> {
  const { verification_uri_complete } = await askForCode()
  await tab.goto(`${gateway}/device`)
  const seen = [await look(tab)]
  await tab.goto(verification_uri_complete)
  seen.push(await look(tab))
  await tab.click('button', 'Approve')
  seen.push(await look(tab))
  await tab.click('button', 'Alice')
  return [...seen, await look(tab)]
}

const RUNS = CHROMIUM !== undefined
beforeAll(async () => {
  if (!RUNS) return
  scratch = await mkdtemp(join(tmpdir(), 'gatehouse-test-'))
  program = start(['demo', '--port', '0'], { env: { TMPDIR: scratch } })
  await program.printed(/one line of JSON for each event/)
  gateway = (await program.printed(/gateway +(http:\S+)/))[1] as string
  chromium = await startChromium(CHROMIUM as string)
})
afterAll(async () => {
  if (!RUNS) return
  await chromium?.stop()
  await program?.end()
  await rm(scratch, { recursive: true, force: true })
})

describe.skipIf(!RUNS)('the pages of a sign-in', () => {
  test('lead from a typed code to a signed-in device', async () => {
    const { device_code, user_code } = await askForCode()
    const tab = await openTab()
    await tab.goto(`${gateway}/device`)
    await tab.type(user_code.toLowerCase().replace('-', ''))
    await tab.click('button', 'Continue')
    expect(await tab.evaluate<string>('document.querySelector(".code").textContent')).toBe(user_code)
    await tab.click('button', 'Approve')
    expect([await tab.heading(), new URL(await tab.evaluate<string>('location.href')).origin === gateway]).toEqual(['Who would you like to be?', false])
    await tab.click('button', 'Alice')
    expect([await tab.heading(), await tab.evaluate<string>('document.body.innerText')]).toEqual(['You are signed in', expect.stringContaining('alice@example.com')])
    expect(await poll(device_code)).toMatchObject({ token_type: 'Bearer', email: 'alice@example.com' })
  })

  test('deny the device when the person does', async () => {
    const { device_code, verification_uri_complete } = await askForCode()
    const tab = await openTab()
    await tab.goto(verification_uri_complete)
    await tab.click('button', 'Deny')
    expect([await tab.heading(), await poll(device_code)]).toEqual(['Sign-in denied', { error: 'access_denied' }])
    await tab.goto(verification_uri_complete)
    expect(await tab.heading()).toBe('This code does not work')
  })

  test('approve nothing by being opened', async () => {
    const { device_code, verification_uri_complete } = await askForCode()
    const tab = await openTab()
    await tab.goto(verification_uri_complete)
    expect([await tab.heading(), await poll(device_code)]).toEqual(['Is this the code on your screen?', { error: 'authorization_pending' }])
  })

  test('deny the device when the person is not admitted or turns back at the provider', async () => {
    for (const choice of ['Dan', 'Cancel']) {
      const { device_code, verification_uri_complete } = await askForCode()
      const tab = await openTab()
      await tab.goto(verification_uri_complete)
      await tab.click('button', 'Approve')
      await tab.click('button', choice)
      expect([await tab.heading(), await poll(device_code)]).toEqual(['You could not be signed in', { error: 'access_denied' }])
    }
  })

  test('can be walked with the keyboard alone, and show where it stands', async () => {
    const { device_code, user_code } = await askForCode()
    const tab = await openTab()
    const focused = () => tab.evaluate<string>('(({ textContent, name }, { outlineStyle, outlineWidth }) => [(textContent || name).trim().slice(0, 7), outlineStyle, outlineWidth].join(" "))(document.activeElement, getComputedStyle(document.activeElement))')
    await tab.goto(`${gateway}/device`)
    // The browser gives `autofocus` its focus some time after the page has loaded.
    while ((await tab.evaluate('document.activeElement.name')) !== 'user_code') await Bun.sleep(10)
    expect(await focused()).toBe('user_co solid 3px')
    await tab.type(user_code)
    await tab.press('Enter', { leads: true })
    await tab.press('Tab')
    expect(await focused()).toBe('Approve solid 3px')
    await tab.press('Enter', { leads: true })
    await tab.press('Tab')
    await tab.press('Tab')
    expect(await focused()).toBe('Bob Ade solid 3px')
    await tab.press('Enter', { leads: true })
    expect([await tab.heading(), (await poll(device_code)).email]).toEqual(['You are signed in', 'bob@example.com'])
  })

  test('work where scripts are off', async () => {
    const tab = await openTab((one) => one.send('Emulation.setScriptExecutionDisabled', { value: true }))
    expect(await walk(tab, (one) => one.heading())).toEqual(['Connect Claude Code', 'Is this the code on your screen?', 'Who would you like to be?', 'You are signed in'])
  })

  test('follow the light and the dark, readable in both', async () => {
    const look = (tab: Tab) => tab.evaluate<{ paper: string; contrast: number }>(`({ paper: getComputedStyle(document.body).backgroundColor, contrast: ${LOWEST_CONTRAST} })`)
    const light = await walk(await openTab(scheme('light')), look)
    const dark = await walk(await openTab(scheme('dark')), look)
    expect([new Set(light.map(({ paper }) => paper)), new Set(dark.map(({ paper }) => paper))]).toEqual([new Set(['rgb(246, 245, 241)']), new Set(['rgb(22, 22, 20)'])])
    // WCAG 2.2 §1.4.3
    expect([...light, ...dark].filter(({ contrast }) => contrast < 4.5)).toEqual([])
  })

  test('fit a narrow telephone without scrolling sideways', async () => {
    const tab = await openTab(width(320))
    expect(await walk(tab, (one) => one.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth'))).toEqual([0, 0, 0, 0])
  })

  test('say their language, their title, one heading, and a name for every control', async () => {
    const tab = await openTab()
    const unnamed = async (one: Tab) => {
      const { nodes } = await one.send('Accessibility.getFullAXTree')
      return (nodes as { role?: { value: string }; name?: { value: string } }[]).filter(({ role, name }) => ['button', 'textbox', 'link'].includes(role?.value ?? '') && !name?.value).length
    }
    const facts = await walk(tab, async (one) => [
      await one.evaluate<unknown[]>('[document.documentElement.lang, document.title !== "", document.querySelectorAll("h1").length, document.querySelectorAll("main").length]'),
      await unnamed(one),
    ])
    expect(facts).toEqual(Array(4).fill([['en', true, 1, 1], 0]))
  })

})

/** Signs Alice in to the page of her spend, as she would: by the button, and the provider's. */
async function openSpend(prepare?: (tab: Tab) => Promise<unknown>): Promise<Tab> {
  const tab = await openTab(prepare)
  await tab.goto(`${gateway}/me`)
  await tab.click('button', 'Sign in')
  await tab.click('button', 'Alice')
  return tab
}

describe.skipIf(!RUNS)('the page of one’s own spend', () => {
  beforeAll(async () => {
    // Something to see: Alice asks once.
    const { device_code, verification_uri_complete } = await askForCode()
    const tab = await openTab()
    await tab.goto(verification_uri_complete)
    await tab.click('button', 'Approve')
    await tab.click('button', 'Alice')
    const { access_token } = await poll(device_code)
    const answer = await fetch(`${gateway}/v1/messages`, { method: 'POST', headers: { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' }, body: '{"model":"claude-sonnet-5","max_tokens":100,"messages":[{"role":"user","content":"hello"}]}' })
    if (answer.status !== 200) throw new Error(`/v1/messages answered ${answer.status}`)
    await answer.text()
    while (((await (await fetch(`${gateway}/me/usage`, { headers: { authorization: `Bearer ${access_token}` } })).json()) as { month: { by_model: unknown[] } }).month.by_model.length === 0) await Bun.sleep(20)
  })

  test('is signed in to with the provider, kept when it is opened again, and signed out of', async () => {
    const tab = await openSpend()
    expect([await tab.evaluate<string>('location.href'), await tab.evaluate<string>('document.body.innerText')]).toEqual([`${gateway}/me`, expect.stringContaining('claude-sonnet-5')])
    await tab.goto(`${gateway}/me`)
    expect(await tab.evaluate<string>('document.body.innerText')).toContain('Alice')
    await tab.click('button', 'Sign out')
    expect(await tab.evaluate<string>('document.body.innerText')).toContain('Sign in with your organisation')
  })

  test('follows the light and the dark, readable in both', async () => {
    const look = async (tab: Tab) => tab.evaluate<{ paper: string; contrast: number }>(`({ paper: getComputedStyle(document.body).backgroundColor, contrast: ${LOWEST_CONTRAST} })`)
    const [light, dark] = [await look(await openSpend(scheme('light'))), await look(await openSpend(scheme('dark')))]
    expect([light.paper, dark.paper, light.contrast >= 4.5, dark.contrast >= 4.5]).toEqual(['rgb(246, 245, 241)', 'rgb(22, 22, 20)', true, true])
  })

  test('fits a narrow telephone without scrolling sideways', async () => {
    const tab = await openSpend(width(320))
    expect(await tab.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth')).toBe(0)
  })

  test('works where scripts are off, and with the keyboard alone', async () => {
    const tab = await openTab((one) => one.send('Emulation.setScriptExecutionDisabled', { value: true }))
    await tab.goto(`${gateway}/me`)
    await tab.press('Tab')
    await tab.press('Enter', { leads: true })
    await tab.press('Tab')
    await tab.press('Enter', { leads: true })
    expect(await tab.evaluate<string>('location.pathname')).toBe('/me')
    await tab.press('Tab')
    expect(await tab.evaluate<string>('(({ textContent }, { outlineStyle, outlineWidth }) => [textContent, outlineStyle, outlineWidth].join(" "))(document.activeElement, getComputedStyle(document.activeElement))')).toBe('Sign out solid 3px')
    await tab.press('Enter', { leads: true })
    expect(await tab.evaluate<string>('document.body.innerText')).toContain('Sign in with your organisation')
  })

  test('is told to a screen reader as headings, tables with names, and nothing of the bars', async () => {
    const tab = await openSpend()
    const { nodes } = await tab.send('Accessibility.getFullAXTree')
    const named = (role: string) => (nodes as { ignored: boolean; role?: { value: string }; name?: { value: string } }[]).filter((node) => !node.ignored && node.role?.value === role).map(({ name }) => name?.value)
    const month = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'][new Date().getUTCMonth()]
    expect({ headings: named('heading'), tables: named('table'), buttons: named('button'), images: [...named('image'), ...named('SvgRoot')] }).toEqual({
      headings: ['Your spend', 'Limits'],
      tables: [`${month} by model`, `${month} by day`],
      buttons: ['Sign out'],
      images: [],
    })
    expect(named('columnheader')).toContain('Requests')
    expect(named('rowheader')).toContain('claude-sonnet-5')
  })
})

describe.skipIf(!RUNS)('all of these pages', () => {
  // Last: what all the tests above made the browser do.
  test('asked nothing of any other host, and gave the browser nothing to complain of', () => {
    const hosts = new Set(tabs.flatMap(({ requests }) => requests.filter((url) => !url.startsWith('data:')).map((url) => new URL(url).hostname)))
    // A page that says no has a status that says no; the browser notes that as a failed load.
    const complaints = tabs.flatMap((tab) => tab.complaints).filter((text) => !/^network error: Failed to load resource: .* (400|403) /.test(text))
    expect([hosts, complaints]).toEqual([new Set(['127.0.0.1']), []])
    expect(tabs.length).toBeGreaterThan(8)
  })
})
