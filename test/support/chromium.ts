// A real browser, headless, driven over the DevTools protocol: one tab at a time, everything it does recorded.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
const FLAGS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-dev-shm-usage', '--no-first-run', '--no-default-browser-check', '--no-proxy-server',
  '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-extensions', '--remote-debugging-port=0', '--window-size=1000,900',
]

/** A page that has not come by then does not come. */
const PATIENCE_MS = 20_000

/** The path of a Chromium on this machine, if there is one. */
export const CHROMIUM = NAMES.map((name) => Bun.which(name)).find((path) => path !== null)

type Json = Record<string, any>

export interface Chromium {
  newTab(): Promise<Tab>
  stop(): Promise<void>
}

export interface Tab {
  /** What the page asked the network for. */
  readonly requests: string[]
  /** What the browser complained of: console errors, blocked loads, policy violations, exceptions. */
  readonly complaints: string[]
  send(method: string, params?: Json): Promise<Json>
  goto(url: string): Promise<void>
  /** The value of an expression in the page. */
  evaluate<value>(expression: string): Promise<value>
  /** Presses the mouse on the one element of this kind whose text begins so, and waits for the page it leads to. */
  click(kind: 'button' | 'a', text: string): Promise<void>
  /** Presses a key; `leads` waits for the page it leads to. */
  press(key: 'Tab' | 'Enter', options?: { leads: boolean }): Promise<void>
  type(text: string): Promise<void>
  heading(): Promise<string>
  close(): Promise<void>
}

export async function startChromium(path: string): Promise<Chromium> {
  const profile = await mkdtemp(join(tmpdir(), 'gatehouse-chromium-'))
  const child = Bun.spawn([path, ...FLAGS, `--user-data-dir=${profile}`, 'about:blank'], { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe', env: { PATH: process.env.PATH ?? '', HOME: profile, TMPDIR: profile } })
  const connection = await connect(await devtoolsUrl(child.stderr))
  return {
    newTab: () => openTab(connection),
    async stop() {
      // Asked to end it takes its own processes along; killed it would leave them writing into the profile.
      const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS)
      await connection.send('Browser.close')
      await child.exited
      clearTimeout(late)
      connection.close()
      await rm(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}

async function devtoolsUrl(stderr: ReadableStream<Uint8Array>): Promise<string> {
  let text = ''
  const reader = stderr.getReader()
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) {
    text += new TextDecoder().decode(chunk.value)
    const url = /DevTools listening on (ws:\S+)/.exec(text)?.[1]
    if (url === undefined) continue
    // Left unread, its chatter would fill the pipe and stop it.
    void (async () => { while (!(await reader.read()).done); })()
    return url
  }
  throw new Error(`Chromium ended without listening:\n${text}`)
}

interface Connection {
  send(method: string, params?: Json, sessionId?: string): Promise<Json>
  listen(sessionId: string, listener: (method: string, params: Json) => void): void
  close(): void
}

async function connect(url: string): Promise<Connection> {
  const socket = new WebSocket(url)
  await new Promise((opened, failed) => {
    socket.onopen = opened
    socket.onerror = failed
  })
  const waiting = new Map<number, { resolve: (value: Json) => void; reject: (error: Error) => void }>()
  const listeners = new Map<string, (method: string, params: Json) => void>()
  let last = 0
  socket.onmessage = ({ data }) => {
    const { id, result, error, method, params, sessionId } = JSON.parse(String(data)) as Json
    if (id === undefined) return listeners.get(sessionId)?.(method, params)
    const answer = waiting.get(id)
    waiting.delete(id)
    if (error) answer?.reject(new Error(error.message))
    else answer?.resolve(result)
  }
  return {
    send: (method, params = {}, sessionId) =>
      new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject })
        socket.send(JSON.stringify({ id: last, method, params, sessionId }))
      }),
    listen: (sessionId, listener) => void listeners.set(sessionId, listener),
    close: () => socket.close(),
  }
}

async function openTab(connection: Connection): Promise<Tab> {
  const { browserContextId } = await connection.send('Target.createBrowserContext')
  const { targetId } = await connection.send('Target.createTarget', { url: 'about:blank', browserContextId })
  const { sessionId } = await connection.send('Target.attachToTarget', { targetId, flatten: true })
  const requests: string[] = []
  const complaints: string[] = []
  let document = { loaderId: '', reached: new Set<string>() }
  let look = () => {}
  connection.listen(sessionId, (method, params) => {
    if (method === 'Page.lifecycleEvent') {
      if (params.loaderId !== document.loaderId) document = { loaderId: params.loaderId, reached: new Set() }
      document.reached.add(params.name)
      look()
    }
    if (method === 'Network.requestWillBeSent') requests.push(params.request.url)
    const complaint = complaintOf(method, params)
    if (complaint !== undefined) complaints.push(complaint)
  })
  const send = (method: string, params: Json = {}) => connection.send(method, params, sessionId)
  for (const domain of ['Page', 'Runtime', 'Network', 'Log', 'Audits']) await send(`${domain}.enable`)
  await send('Page.setLifecycleEventsEnabled', { enabled: true })

  async function evaluate<value>(expression: string): Promise<value> {
    const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, returnByValue: true })
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`)
    return result.value
  }
  /** Acts, and waits for another document to be there and painted: before that the browser drops what the mouse does. */
  async function leading(act: () => Promise<unknown>): Promise<void> {
    const { loaderId: before } = document
    const there = () => document.loaderId !== before && document.reached.has('load') && document.reached.has('firstContentfulPaint')
    const arrived = new Promise<void>((resolve) => {
      look = () => there() && resolve()
    })
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Error(`no page came within ${PATIENCE_MS} ms`)), PATIENCE_MS)
    try {
      await act()
      await Promise.race([arrived, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }
  const key = async (name: 'Tab' | 'Enter') => {
    const code = name === 'Tab' ? 9 : 13
    const event = { key: name, code: name, windowsVirtualKeyCode: code, ...(name === 'Enter' ? { text: '\r' } : {}) }
    await send('Input.dispatchKeyEvent', { type: 'keyDown', ...event })
    await send('Input.dispatchKeyEvent', { type: 'keyUp', ...event })
  }

  return {
    requests,
    complaints,
    send,
    evaluate,
    goto: (url) => leading(() => send('Page.navigate', { url })),
    async click(kind, text) {
      const box = await evaluate<{ x: number; y: number } | null>(`(() => {
        const found = [...document.querySelectorAll(${JSON.stringify(kind)})].filter((one) => one.textContent.trim().startsWith(${JSON.stringify(text)}))
        if (found.length !== 1) return null
        found[0].scrollIntoView({ block: 'center' })
        const { x, y, width, height } = found[0].getBoundingClientRect()
        return { x: x + width / 2, y: y + height / 2 }
      })()`)
      if (box === null) throw new Error(`there is not one ${kind} "${text}" in ${await evaluate('document.body.innerText')}`)
      await leading(async () => {
        for (const type of ['mousePressed', 'mouseReleased']) await send('Input.dispatchMouseEvent', { type, ...box, button: 'left', clickCount: 1 })
      })
    },
    press: (name, { leads } = { leads: false }) => (leads ? leading(() => key(name)) : key(name)),
    async type(text) {
      // `autofocus` takes effect some time after the page has loaded; text typed before goes nowhere.
      while (!(await evaluate<boolean>('document.activeElement.matches("input")'))) await Bun.sleep(10)
      await send('Input.insertText', { text })
    },
    heading: () => evaluate('[...document.querySelectorAll("h1")].map((one) => one.textContent).join(" + ")'),
    async close() {
      await connection.send('Target.disposeBrowserContext', { browserContextId })
    },
  }
}

function complaintOf(method: string, params: Json): string | undefined {
  if (method === 'Log.entryAdded') return `${params.entry.source} ${params.entry.level}: ${params.entry.text} ${params.entry.url ?? ''}`
  if (method === 'Runtime.consoleAPICalled') return `console.${params.type}`
  if (method === 'Runtime.exceptionThrown') return `exception: ${params.exceptionDetails.text}`
  if (method === 'Audits.issueAdded') return `issue: ${JSON.stringify(params.issue)}`
  return undefined
}
