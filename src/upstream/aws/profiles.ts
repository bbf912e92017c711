// The shared files of the AWS command line, ~/.aws/config and ~/.aws/credentials: what a profile in them leads to.
// Read anew every time, so that rotated keys need no restart. The AWS SDK parses them and signs in to SSO; the rest is
// here, because the SDK runs `credential_process` without a limit and asks the metadata services past the guard.
import { fromEnvironment } from './environment-keys.ts'
import { fromContainer, fromInstance, readTokenFile } from './metadata.ts'
import { quote, toKeys, type AwsContext, type AwsKeys } from './keys.ts'
import { createSdkHandler } from './sdk-handler.ts'
import { assumeRole, assumeRoleWithWebIdentity, type Role } from './sts.ts'
import type { Expiring } from '../credential.ts'
import { CredentialError } from '../upstream.ts'

export type Profile = Readonly<Record<string, string | undefined>>

export interface Profiles {
  /** The one in use, perhaps not in the files. */
  readonly name: string
  readonly all: Readonly<Record<string, Profile | undefined>>
}

/** Keys in a file can be replaced at any time. */
const REREAD_MS = 60_000
/** A process that does not say when its keys end is run again this often. */
const RERUN_MS = 900_000
const PROCESS_TIMEOUT_MS = 60_000
const MAX_PROCESS_BYTES = 64 * 1024

/** A file that is missing or unreadable counts as empty, as it does for the command line. */
export async function readProfiles({ environment }: Pick<AwsContext, 'environment'>): Promise<Profiles> {
  const { parseKnownFiles } = await import('@smithy/core/config')
  return { name: environment.AWS_PROFILE || 'default', all: await parseKnownFiles({ ignoreCache: true }) }
}

/** The keys of the profile in use; undefined when it is missing or only holds settings. Throws CredentialError. */
export async function fromProfile(profiles: Profiles, context: AwsContext): Promise<Expiring<AwsKeys> | undefined> {
  return resolve(profiles.name, [], profiles, context)
}

/** The order is the SDK's: a role before keys, except in a profile that is the source of another one. */
async function resolve(name: string, visited: readonly string[], profiles: Profiles, context: AwsContext): Promise<Expiring<AwsKeys> | undefined> {
  const profile = profiles.all[name] ?? {}
  const nowMs = context.now().getTime()
  if (visited.length > 0 && profile.aws_access_key_id) return fromFile(name, profile, nowMs)
  if ((profile.role_arn || visited.length > 0) && (profile.source_profile || profile.credential_source)) return fromRole(name, profile, visited, profiles, context)
  if (profile.aws_access_key_id) return fromFile(name, profile, nowMs)
  if (profile.web_identity_token_file && profile.role_arn) return fromWebIdentity(profile.web_identity_token_file, roleOf(profile, profile.role_arn), context)
  if (profile.credential_process) return fromProcess(name, profile.credential_process, context)
  if (Object.keys(profile).some((key) => key.startsWith('sso_'))) return fromSso(name, context)
  if (profile.login_session) return fromLogin(name, context)
  return undefined
}

function fromFile(name: string, profile: Profile, nowMs: number): Expiring<AwsKeys> {
  const { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey, aws_session_token: sessionToken } = profile
  return { ...toKeys(`profile ${name}`, { accessKeyId, secretAccessKey, sessionToken, expiration: undefined }, nowMs), renewAtMs: nowMs + REREAD_MS }
}

async function fromRole(name: string, profile: Profile, visited: readonly string[], profiles: Profiles, context: AwsContext): Promise<Expiring<AwsKeys>> {
  const { role_arn: arn, source_profile: source, credential_source: place } = profile
  if (source && place) throw new CredentialError(`profile ${name}: source_profile and credential_source exclude each other`)
  if (profile.mfa_serial) throw new CredentialError(`profile ${name}: mfa_serial asks for a code, which nobody can give to a server`)
  if (source && visited.includes(source)) throw new CredentialError(`profile ${name}: the source profiles lead in a circle (${[...visited, source].join(', ')})`)
  const keys = source ? await resolve(source, [...visited, source], profiles, context) : await fromPlace(name, place ?? '', profiles, context)
  if (keys === undefined) throw new CredentialError(`profile ${name}: its source ${source ?? place} has no credentials`)
  if (!arn) return keys
  return assumeRole(roleOf(profile, arn), keys.value, { ...context, region: profile.region || context.region })
}

function fromPlace(name: string, place: string, profiles: Profiles, context: AwsContext): Promise<Expiring<AwsKeys>> | Expiring<AwsKeys> | undefined {
  if (place === 'Environment') return fromEnvironment(context)
  if (place === 'EcsContainer') return fromContainer(context)
  if (place === 'Ec2InstanceMetadata') return fromInstance(context, profiles.all[profiles.name])
  throw new CredentialError(`profile ${name}: credential_source must be Environment, Ec2InstanceMetadata or EcsContainer`)
}

function roleOf(profile: Profile, arn: string): Role {
  const seconds = Number.parseInt(profile.duration_seconds ?? '', 10)
  return { arn, sessionName: profile.role_session_name || 'gatehouse', externalId: profile.external_id, ...(seconds > 0 ? { durationSeconds: seconds } : {}) }
}

/** The file is replaced while the gateway runs: it is read for every exchange. */
export async function fromWebIdentity(file: string, role: Role, context: AwsContext): Promise<Expiring<AwsKeys>> {
  return assumeRoleWithWebIdentity(role, await readTokenFile(file), context)
}

/** Runs through the shell, as the command line does. Nothing of what it says in failing is repeated: it handles secrets. */
async function fromProcess(name: string, command: string, { environment, now }: AwsContext): Promise<Expiring<AwsKeys>> {
  const source = `credential_process of profile ${name}`
  const stop = AbortSignal.timeout(PROCESS_TIMEOUT_MS)
  const child = Bun.spawn(['/bin/sh', '-c', command], { env: environment, stdin: 'ignore', stdout: 'pipe', stderr: 'ignore', signal: stop, maxBuffer: MAX_PROCESS_BYTES })
  const late = Promise.withResolvers<never>()
  // What the shell started may hold its output open after the shell was killed.
  const giveUp = () => late.reject(new CredentialError(`${source}: has not ended after ${PROCESS_TIMEOUT_MS / 1000} s`))
  stop.addEventListener('abort', giveUp)
  const [text, code] = await Promise.race([Promise.all([new Response(child.stdout).text(), child.exited]), late.promise]).finally(() => stop.removeEventListener('abort', giveUp))
  if (code !== 0) throw new CredentialError(`${source}: ended with code ${code}`)
  const nowMs = now().getTime()
  const keys = toKeys(source, readProcessAnswer(source, text), nowMs)
  return Number.isFinite(keys.expiresAtMs) ? keys : { ...keys, renewAtMs: nowMs + RERUN_MS }
}

function readProcessAnswer(source: string, text: string) {
  let answer: Record<string, unknown> | null
  try {
    answer = JSON.parse(text)
  } catch {
    throw new CredentialError(`${source}: did not print JSON`)
  }
  if (answer?.Version !== 1) throw new CredentialError(`${source}: did not print "Version": 1`)
  return { accessKeyId: answer.AccessKeyId, secretAccessKey: answer.SecretAccessKey, sessionToken: answer.SessionToken, expiration: answer.Expiration ?? undefined }
}

/** Of IAM Identity Center, from the token that `aws sso login` left behind; the SDK renews that one. */
async function fromSso(name: string, context: AwsContext): Promise<Expiring<AwsKeys>> {
  const { fromSSO } = await import('@aws-sdk/credential-provider-sso')
  // No region here: it would take the place of the profile's `sso_region`.
  return bySdk(`profile ${name} (SSO)`, fromSSO({ profile: name, ignoreCache: true, clientConfig: clientOf(context) }), context)
}

/** Of the console, from the token that `aws login` left behind; the SDK renews that one. */
async function fromLogin(name: string, context: AwsContext): Promise<Expiring<AwsKeys>> {
  const { fromLoginCredentials } = await import('@aws-sdk/credential-provider-login')
  return bySdk(`profile ${name} (aws login)`, fromLoginCredentials({ profile: name, ignoreCache: true, clientConfig: clientOf(context) }), context)
}

function clientOf(context: AwsContext) {
  return { requestHandler: createSdkHandler(context), maxAttempts: 2 }
}

type SdkProvider = (properties: { callerClientConfig: { region: () => Promise<string> } }) => Promise<{ accessKeyId: string; secretAccessKey: string; sessionToken?: string; expiration?: Date }>

async function bySdk(source: string, provider: SdkProvider, { region, now }: AwsContext): Promise<Expiring<AwsKeys>> {
  try {
    const { accessKeyId, secretAccessKey, sessionToken, expiration } = await provider({ callerClientConfig: { region: async () => region } })
    return toKeys(source, { accessKeyId, secretAccessKey, sessionToken, expiration }, now().getTime())
  } catch (error) {
    if (error instanceof CredentialError) throw error
    throw new CredentialError(`${source}: ${quote(error instanceof Error ? error.message : 'failed')}`)
  }
}
