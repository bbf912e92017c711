import { toKeys, type AwsContext, type AwsKeys } from './keys.ts'
import type { Expiring } from '../credential.ts'

/** The keys in AWS_ACCESS_KEY_ID and its kin, if they are there. Throws CredentialError when they have ended. */
export function fromEnvironment({ environment, now }: Pick<AwsContext, 'environment' | 'now'>): Expiring<AwsKeys> | undefined {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey, AWS_SESSION_TOKEN: sessionToken, AWS_CREDENTIAL_EXPIRATION: expiration } = environment
  if (!accessKeyId || !secretAccessKey) return undefined
  return toKeys('the environment (AWS_ACCESS_KEY_ID)', { accessKeyId, secretAccessKey, sessionToken, expiration: expiration || undefined }, now().getTime())
}
