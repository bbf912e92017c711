// The AWS keys that requests are signed with: the configuration's own or the default chain's, then perhaps a role's.
import type { Principal } from '../../principal.ts'
import { loadFromDefaultChain } from './default-chain.ts'
import type { AwsKeys } from './keys.ts'
import { createSessions } from './sessions.ts'
import { assumeRole, StsRefusal, type Role } from './sts.ts'
import type { AssumeRoleConfig } from '../config.ts'
import { keepFresh, type Credential, type CredentialDeps } from '../credential.ts'

export type { AwsKeys } from './keys.ts'

export interface AwsCredentials {
  /** Living keys, for the person where a session per person is asked for. Throws CredentialError. */
  keysFor(principal: Principal): Promise<AwsKeys>
  /** The upstream refused these although they should live: the next keysFor waits for new ones. False when there are no others. */
  refused(principal: Principal, keys: AwsKeys): boolean
  state(): ReturnType<Credential<unknown>['state']>
}

/** What STS calls keys that are not, or no longer, valid. */
const STALE_KEYS: ReadonlySet<string> = new Set(['ExpiredToken', 'ExpiredTokenException', 'InvalidClientTokenId', 'UnrecognizedClientException', 'SignatureDoesNotMatch'])

/** `keys` undefined: the default chain. `assumeRole` sits on top of either. The environment is read when keys are needed, not before; the
 * AWS SDK reads the process's own, so that `deps` should hold that one. */
export function createAwsCredentials(config: { region: string; keys: AwsKeys | undefined; assumeRole: AssumeRoleConfig | undefined }, deps: CredentialDeps): AwsCredentials {
  const { keys, assumeRole: role } = config
  const context = { environment: deps.environment, region: config.region, fetch: deps.fetch, now: deps.now }
  // The operator hears how the last step ends: of a role that is taken for everybody, and of the keys below one for each person.
  const [ofBase, ofRole] = role === undefined || role.session_per_person ? [deps, { ...deps, attempted: undefined }] : [{ ...deps, attempted: undefined }, deps]
  const base = keepFresh(keys === undefined ? () => loadFromDefaultChain(context) : async () => ({ value: keys, expiresAtMs: Number.POSITIVE_INFINITY }), ofBase)
  if (role === undefined) return forEverybody(base, keys === undefined)
  const open = (sessionName: string) => keepFresh(() => openSession({ arn: role.role_arn, sessionName, externalId: role.external_id, durationSeconds: role.duration_seconds }), ofRole)

  /** When STS refuses the keys themselves, newer ones are tried once: files and tokens are rotated at any time. */
  async function openSession(asked: Role) {
    const first = await base.get()
    try {
      return await assumeRole(asked, first, context)
    } catch (error) {
      if (!(error instanceof StsRefusal) || !STALE_KEYS.has(error.code)) throw error
      // Another session may have had them renewed meanwhile.
      const atHand = await base.get()
      if (areSame(atHand, first)) base.refused(atHand)
      const newer = await base.get()
      if (areSame(newer, first)) throw error
      return assumeRole(asked, newer, context)
    }
  }

  return role.session_per_person ? { ...createSessions(open), state: base.state } : forEverybody(open('gatehouse'), true)
}

/** Keys of the configuration are the same again, however often they are asked for. */
function forEverybody(credential: Credential<AwsKeys>, isRenewed: boolean): AwsCredentials {
  return {
    keysFor: credential.get,
    refused(_, keys) {
      credential.refused(keys)
      return isRenewed
    },
    state: credential.state,
  }
}

function areSame(a: AwsKeys, b: AwsKeys): boolean {
  return a.accessKeyId === b.accessKeyId && a.secretAccessKey === b.secretAccessKey && a.sessionToken === b.sessionToken
}
