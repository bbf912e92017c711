// Complete sign-ins, as Claude Code and a browser make them: five requests to the gateway, one to the provider.
import { createBrowser } from '../../test/support/browser.ts'

const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code'

/** A bearer token of `person`, who is known to the provider of the demonstration. */
export async function signIn(gateway: string, person: string): Promise<string> {
  const form = (path: string, fields: Record<string, string>) => fetch(gateway + path, { method: 'POST', body: new URLSearchParams(fields) })
  const grant = (await (await form('/oauth/device_authorization', { surface: 'claude_code' })).json()) as { device_code: string; user_code: string }
  const browser = createBrowser()
  await browser.once(`${gateway}/device?user_code=${grant.user_code}`).then((page) => page.text())
  const away = await browser.once(`${gateway}/device`, { method: 'POST', body: new URLSearchParams({ user_code: grant.user_code }), headers: { origin: gateway, 'sec-fetch-site': 'same-origin' } })
  const back = await browser.once(`${away.headers.get('location')}&person=${person}`)
  const page = await browser.once(back.headers.get('location') ?? '')
  if (page.status !== 200) throw new Error(`the sign-in ended with ${page.status}: ${await page.text()}`)
  await page.text()
  const answer = await form('/oauth/token', { grant_type: DEVICE_CODE, device_code: grant.device_code })
  if (answer.status !== 200) throw new Error(`the sign-in ended with ${answer.status}: ${await answer.text()}`)
  return ((await answer.json()) as { access_token: string }).access_token
}
