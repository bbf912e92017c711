/**
 * Environment variables that would change outbound requests behind the configuration's back: the program starts itself
 * again without them. The guarded fetch already overrides the proxies and the certificate switch; what is left of the
 * process (the PostgreSQL driver, anything to come) must not see them either.
 */
export const AMBIENT_VARIABLES: readonly string[] = [
  // Credentials would pass through somebody's proxy; Bun reads both spellings, even for loopback.
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'ALL_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'all_proxy',
  'no_proxy',
  'NODE_USE_ENV_PROXY',
  // Prints every request with its Authorization header.
  'BUN_CONFIG_VERBOSE_FETCH',
  // Print the requests that fetch cloud credentials, or what a chain of credentials found.
  'DEBUG',
  'AZURE_LOG_LEVEL',
  'TYPESPEC_RUNTIME_LOG_LEVEL',
  'GOOGLE_SDK_NODE_LOGGING',
  // Switches certificate verification off.
  'NODE_TLS_REJECT_UNAUTHORIZED',
  // Writes the session keys of TLS to a file.
  'SSLKEYLOGFILE',
  // Gives names other meanings than the resolver's.
  'HOSTALIASES',
  'LOCALDOMAIN',
  // Other transports and timers than the ones that were measured.
  'BUN_FEATURE_FLAG_EXPERIMENTAL_HTTP2_CLIENT',
  'BUN_FEATURE_FLAG_EXPERIMENTAL_HTTP3_CLIENT',
  'BUN_CONFIG_HTTP_IDLE_TIMEOUT',
]
