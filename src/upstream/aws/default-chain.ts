// Where AWS credentials come from when the configuration names none: the places every AWS program looks at, in their order.
import { fromEnvironment } from './environment-keys.ts'
import { fromContainer, fromInstance, namesContainer } from './metadata.ts'
import type { AwsContext, AwsKeys } from './keys.ts'
import { fromProfile, fromWebIdentity, readProfiles } from './profiles.ts'
import type { Expiring } from '../credential.ts'
import { CredentialError } from '../upstream.ts'

/**
 * The keys of the first place that is set up. One that is set up and fails ends the search, where the SDK sometimes goes
 * on: nobody wants to act as somebody else because a file could not be read. Throws CredentialError.
 */
export async function loadFromDefaultChain(context: AwsContext): Promise<Expiring<AwsKeys>> {
  const { environment } = context
  const early = environment.AWS_PROFILE ? undefined : fromEnvironment(context)
  if (early !== undefined) return early
  const profiles = await readProfiles(context)
  const keys = await fromProfile(profiles, context)
  if (keys !== undefined) return keys
  const { AWS_WEB_IDENTITY_TOKEN_FILE: file, AWS_ROLE_ARN: arn, AWS_ROLE_SESSION_NAME: sessionName } = environment
  if (file && arn) return fromWebIdentity(file, { arn, sessionName: sessionName || 'gatehouse' }, context)
  if (namesContainer(environment)) return fromContainer(context)
  try {
    return await fromInstance(context, profiles.all[profiles.name])
  } catch (error) {
    const last = error instanceof Error ? error.message : 'failed'
    throw new CredentialError(`no AWS credentials in the environment, in profile ${profiles.name}, by web identity or from a container; ${last}`)
  }
}
