// AWS STS on loopback, with signatures and identity tokens verified.
import type { AwsKeys } from '../../../src/upstream/aws/credentials.ts'
import { verifySigV4 } from './sigv4.ts'

export interface FakeSts {
  url: string
  /** The forms that came, in order; refused ones too. */
  requests: Record<string, string>[]
  /** Whose signatures are accepted. */
  accounts: AwsKeys[]
  /** Identity tokens that are accepted. */
  webIdentities: Set<string>
  /** Answers the next requests, in order, instead of judging them. */
  enqueue(...answers: (() => Response)[]): void
  /** Seconds that a session lasts unless the request says otherwise. */
  lifetime: number
  stop(): Promise<void>
}

/** Sessions are numbered: the access key of the first is `ASIA1`. */
export async function startSts({ region, now }: { region: string; now: () => Date }): Promise<FakeSts> {
  const queue: (() => Response)[] = []
  let issued = 0
  const sts: FakeSts = { url: '', requests: [], accounts: [], webIdentities: new Set(), enqueue: (...answers) => void queue.push(...answers), lifetime: 3600, stop: async () => {} }
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const body = await request.text()
      const form = Object.fromEntries(new URLSearchParams(body))
      sts.requests.push(form)
      const queued = queue.shift()
      if (queued !== undefined) return queued()
      if (!request.headers.get('content-type')?.startsWith('application/x-www-form-urlencoded')) return stsError(400, 'MalformedInput', 'not a form')
      const refusal = form.Action === 'AssumeRole' ? await judgeSignature(request, body, sts.accounts, { region, now }) : judgeIdentity(form, sts.webIdentities)
      if (refusal !== undefined) return refusal
      issued++
      const seconds = Number(form.DurationSeconds ?? sts.lifetime)
      return session(form.Action as string, { accessKeyId: `ASIA${issued}`, secretAccessKey: `secret&of${issued}`, sessionToken: `token-of-${issued}==` }, new Date(now().getTime() + seconds * 1000))
    },
  })
  return Object.assign(sts, { url: `http://127.0.0.1:${server.port}/`, stop: () => server.stop(true) })
}

export function stsError(status: number, code: string, message: string): Response {
  const xml = `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">\n  <Error>\n    <Type>Sender</Type>\n    <Code>${code}</Code>\n    <Message>${Bun.escapeHTML(message)}</Message>\n  </Error>\n  <RequestId>1</RequestId>\n</ErrorResponse>`
  return new Response(xml, { status, headers: { 'content-type': 'text/xml' } })
}

function session(action: string, { accessKeyId, secretAccessKey, sessionToken }: AwsKeys, end: Date): Response {
  const credentials = `<Credentials><AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${Bun.escapeHTML(secretAccessKey)}</SecretAccessKey><SessionToken>${sessionToken}</SessionToken><Expiration>${end.toISOString()}</Expiration></Credentials>`
  const user = '<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/x/y</Arn><AssumedRoleId>AROA:y</AssumedRoleId></AssumedRoleUser>'
  return new Response(`<${action}Response><${action}Result>${user}${credentials}</${action}Result></${action}Response>`, { headers: { 'content-type': 'text/xml' } })
}

function judgeIdentity({ WebIdentityToken: token = '' }: Record<string, string>, accepted: ReadonlySet<string>): Response | undefined {
  return accepted.has(token) ? undefined : stsError(400, 'InvalidIdentityToken', `the token ${token} is not valid`)
}

async function judgeSignature(request: Request, body: string, accounts: readonly AwsKeys[], { region, now }: { region: string; now: () => Date }): Promise<Response | undefined> {
  const recorded = { method: request.method, path: new URL(request.url).pathname, headers: Object.fromEntries(request.headers), body: Buffer.from(body) }
  const secrets = new Map(accounts.map(({ accessKeyId, secretAccessKey, sessionToken }) => [accessKeyId, { secret: secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) }]))
  const problem = await verifySigV4(recorded, { secrets, service: 'sts', region, now: now() })
  if (problem === undefined) return undefined
  if (problem.type !== 'InvalidSignatureException') return stsError(403, 'InvalidClientTokenId', problem.message)
  // As STS does: it shows the headers that it saw, the session token among them.
  return stsError(403, 'SignatureDoesNotMatch', `${problem.message}\n\nThe Canonical String was\nx-amz-security-token:${request.headers.get('x-amz-security-token')}`)
}
