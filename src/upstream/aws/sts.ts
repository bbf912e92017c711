// The two calls to AWS STS that a gateway makes. By hand, because the SDK's client for them costs some 20 ms and 8 MB.
import { AwsV4Signer } from 'aws4fetch'
import { checkOperatorUrl } from '../../egress/operator-url.ts'
import { askSource, quote, SourceUnreachable, toKeys, type AwsContext, type AwsKeys, type SmallAnswer } from './keys.ts'
import type { Expiring } from '../credential.ts'
import { CredentialError } from '../upstream.ts'

export interface Role {
  readonly arn: string
  readonly sessionName: string
  readonly externalId?: string | undefined
  /** STS decides when absent: one hour. */
  readonly durationSeconds?: number | undefined
}

/** STS said no; `code` is its own word for why. */
export class StsRefusal extends CredentialError {
  readonly status: number
  readonly code: string

  constructor(source: string, status: number, code: string, message: string) {
    super(`${source}: ${code}: ${message} (status ${status})`)
    this.status = status
    this.code = code
  }
}

const TIMEOUT_MS = 10_000
const API_VERSION = '2011-06-15'
/** Regions outside the main partition: how their names begin, and the domain of their services. */
const DOMAINS: readonly (readonly [string, string])[] = [
  ['cn-', 'amazonaws.com.cn'],
  ['eusc-', 'amazonaws.eu'],
  ['eu-isoe-', 'cloud.adc-e.uk'],
  ['us-iso-', 'c2s.ic.gov'],
  ['us-isob-', 'sc2s.sgov.gov'],
  ['us-isof-', 'csp.hci.ic.gov'],
]

/** A session of `role`, asked for with `keys`. Throws StsRefusal, and CredentialError for what is no answer of STS. */
export async function assumeRole(role: Role, keys: AwsKeys, context: AwsContext): Promise<Expiring<AwsKeys>> {
  const source = `AssumeRole of ${role.arn}`
  const url = endpointOf(context)
  const body = formOf('AssumeRole', role, { ExternalId: role.externalId })
  const send = async () => {
    // Signed for every attempt anew: STS refuses a signature of a few minutes ago.
    const datetime = context.now().toISOString().replace(/[:-]|\.\d{3}/g, '')
    const { headers } = await new AwsV4Signer({ method: 'POST', url, headers: FORM, body, ...keys, service: 'sts', region: context.region, datetime }).sign()
    return askSource(context, source, url, { method: 'POST', headers, body, timeoutMs: TIMEOUT_MS })
  }
  return readSession(source, await ask(source, send, [keys.secretAccessKey, keys.sessionToken]), context.now().getTime())
}

/** A session of `role` for the bearer of `token`, an identity token of a provider that the role trusts; unsigned. Throws like `assumeRole`. */
export async function assumeRoleWithWebIdentity(role: Role, token: string, context: AwsContext): Promise<Expiring<AwsKeys>> {
  const source = `AssumeRoleWithWebIdentity of ${role.arn}`
  const url = endpointOf(context)
  const body = formOf('AssumeRoleWithWebIdentity', role, { WebIdentityToken: token })
  const send = () => askSource(context, source, url, { method: 'POST', headers: FORM, body, timeoutMs: TIMEOUT_MS })
  return readSession(source, await ask(source, send, [token]), context.now().getTime())
}

const FORM = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' }

function formOf(action: string, { arn, sessionName, durationSeconds }: Role, more: Record<string, string | undefined>): string {
  const fields = { Action: action, Version: API_VERSION, RoleArn: arn, RoleSessionName: sessionName, DurationSeconds: durationSeconds?.toString(), ...more }
  return new URLSearchParams(Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined)).toString()
}

/** The answer carries keys in the clear, so that `http:` is for private addresses alone. */
function endpointOf({ region, environment }: AwsContext): string {
  const named = environment.AWS_ENDPOINT_URL_STS
  if (named) {
    const problem = checkOperatorUrl(named, { allowLoopback: true, allowHttpPrivate: true })
    if (problem !== undefined) throw new CredentialError(`AWS_ENDPOINT_URL_STS ${problem}`)
    return named
  }
  const domain = DOMAINS.find(([beginning]) => region.startsWith(beginning))?.[1] ?? 'amazonaws.com'
  return `https://sts.${region}.${domain}/`
}

/** Asks once more when the connection failed or STS says that it was its own fault. */
async function ask(source: string, send: () => Promise<SmallAnswer>, secrets: readonly (string | undefined)[]): Promise<string> {
  const attempt = async () => {
    const { status, text } = await send()
    if (status === 200) return text
    throw new StsRefusal(source, status, quote(tagIn(text, 'Code') ?? 'no answer of STS'), quote(tagIn(text, 'Message') ?? '', secrets))
  }
  return attempt().catch((error) => {
    if (mayPass(error)) return attempt()
    throw error
  })
}

function mayPass(error: unknown): boolean {
  if (error instanceof StsRefusal) return error.status >= 500 || error.code === 'IDPCommunicationError'
  return error instanceof SourceUnreachable && error.code === 'connect'
}

function readSession(source: string, xml: string, nowMs: number): Expiring<AwsKeys> {
  const credentials = tagIn(xml, 'Credentials') ?? ''
  const tag = (name: string) => tagIn(credentials, name)
  return toKeys(source, { accessKeyId: tag('AccessKeyId'), secretAccessKey: tag('SecretAccessKey'), sessionToken: tag('SessionToken'), expiration: tag('Expiration') ?? '' }, nowMs)
}

/** The content of the first element of that name. No more of XML is needed: no attributes, no entities but the five. */
function tagIn(xml: string, name: string): string | undefined {
  const start = xml.indexOf(`<${name}>`)
  const end = xml.indexOf(`</${name}>`, start)
  if (start === -1 || end === -1) return undefined
  return xml.slice(start + name.length + 2, end).trim().replace(/&(lt|gt|quot|apos|amp);/g, (_, entity: keyof typeof ENTITIES) => ENTITIES[entity])
}

const ENTITIES = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' }
