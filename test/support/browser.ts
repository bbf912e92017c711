// A browser as far as a sign-in needs one: cookies per host, redirects by hand, forms.

export interface Page {
  status: number
  url: string
  text: string
  headers: Headers
}

export interface Browser {
  get(url: string, headers?: Record<string, string>): Promise<Page>
  /** Posts a form as a page of the same origin would. */
  submit(url: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<Page>
  /** One request, no redirect followed. */
  once(url: string, init?: RequestInit): Promise<Response>
  cookies(host: string): Map<string, string>
}

const MAX_REDIRECTS = 20

export function createBrowser(): Browser {
  const jar = new Map<string, Map<string, string>>()
  const cookies = (host: string) => jar.get(host) ?? (jar.set(host, new Map()), jar.get(host) as Map<string, string>)

  async function once(url: string, init: RequestInit = {}): Promise<Response> {
    const { host } = new URL(url)
    const headers = new Headers(init.headers)
    const held = [...cookies(host)].map(([name, value]) => `${name}=${value}`).join('; ')
    if (held !== '') headers.set('cookie', held)
    const response = await fetch(url, { ...init, headers, redirect: 'manual' })
    for (const line of response.headers.getSetCookie()) {
      const [pair = ''] = line.split(';')
      const [name = '', value = ''] = pair.split(/=(.*)/s)
      if (/max-age=0/i.test(line)) cookies(host).delete(name)
      else cookies(host).set(name, value)
    }
    return response
  }

  async function follow(url: string, init: RequestInit): Promise<Page> {
    let [at, now] = [url, init]
    for (let n = 0; n < MAX_REDIRECTS; n++) {
      const response = await once(at, now)
      const location = response.headers.get('location')
      if (response.status < 300 || response.status > 399 || location === null) {
        return { status: response.status, url: at, text: await response.text(), headers: response.headers }
      }
      at = new URL(location, at).href
      now = {}
    }
    throw new Error('too many redirects')
  }

  return {
    once,
    cookies,
    get: (url, headers = {}) => follow(url, { headers }),
    submit: (url, fields, headers = {}) =>
      follow(url, {
        method: 'POST',
        body: new URLSearchParams(fields),
        headers: { origin: new URL(url).origin, 'sec-fetch-site': 'same-origin', ...headers },
      }),
  }
}

/** Enters the code at the gateway and signs in at the test provider as `login`; the page it ends on. */
export async function approve(browser: Browser, verificationUri: string, userCode: string, login = 'alice'): Promise<Page> {
  await browser.get(`${verificationUri}?user_code=${userCode}`)
  return signInAtProvider(browser, await browser.submit(verificationUri, { user_code: userCode }), login)
}

/** From the test provider's first page to the one it leads back to. */
export async function signInAtProvider(browser: Browser, first: Page, login: string): Promise<Page> {
  let page = first
  for (let step = 0; step < 4 && page.url.includes('/interaction/'); step++) {
    const action = /action="([^"]+)"/.exec(page.text)?.[1] ?? page.url
    const prompt = /name="prompt" value="([^"]+)"/.exec(page.text)?.[1] ?? ''
    page = await browser.submit(new URL(action, page.url).href, { prompt, ...(prompt === 'login' ? { login, password: 'x' } : {}) })
  }
  return page
}
