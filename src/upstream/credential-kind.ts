// What kind of credential an upstream is reached with, in a word for the operator. Pure.
import type { UpstreamConfig } from './config.ts'

export type CredentialKind =
  | 'static'
  | 'federation'
  | 'aws_default_chain'
  | 'aws_role'
  | 'aws_role_per_person'
  | 'google_default'
  | 'google_key_file'
  | 'azure_default'

/** `static`: it stands in the configuration. The others are obtained, and renewed, by the program. */
export function credentialKind(config: UpstreamConfig): CredentialKind {
  switch (config.provider) {
    case 'anthropic':
      return 'federation_rule_id' in config.auth ? 'federation' : 'static'
    case 'foundry':
      return 'api_key' in config.auth ? 'static' : 'azure_default'
    case 'vertex':
    case 'anthropicGoogleCloud':
      return 'service_account_json' in config.auth ? 'google_key_file' : 'google_default'
    default: {
      // A key of the service's own wins over keys of AWS, and no role is assumed with it.
      if ('api_key' in config.auth || 'aws_bearer_token' in config.auth) return 'static'
      if (config.assume_role !== undefined) return config.assume_role.session_per_person ? 'aws_role_per_person' : 'aws_role'
      return 'aws_access_key_id' in config.auth ? 'static' : 'aws_default_chain'
    }
  }
}
