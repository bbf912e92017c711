// Where a cloud keeps the credentials of its machines. The guard blocks these for everything but fetching credentials.

/** Well-known: EC2, ECS, EKS Pod Identity; Google Compute Engine and GKE; Azure. */
const METADATA_HOSTS = [
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  'fd00:ec2::254',
  'fd00:ec2::23',
  'metadata.google.internal',
  'metadata.google.internal.',
]
/** Set by the platform that started the process, never by a client: URLs, or a host with perhaps a port. */
const NAMED_BY_PLATFORM = [
  'AWS_CONTAINER_CREDENTIALS_FULL_URI',
  'AWS_EC2_METADATA_SERVICE_ENDPOINT',
  'GCE_METADATA_HOST',
  'GCE_METADATA_IP',
  'IDENTITY_ENDPOINT',
  'IMDS_ENDPOINT',
  'MSI_ENDPOINT',
  'AZURE_POD_IDENTITY_AUTHORITY_HOST',
]

/** The hosts that fetching credentials may reach besides those that every request may. */
export function platformHosts(environment: Readonly<Record<string, string | undefined>>): ReadonlySet<string> {
  const named = NAMED_BY_PLATFORM.flatMap((name) => hostOf(environment[name]) ?? [])
  return new Set([...METADATA_HOSTS, ...named])
}

function hostOf(text: string | undefined): string | undefined {
  if (text === undefined || text === '') return undefined
  const url = URL.parse(text.includes('://') ? text : `http://${text}`)
  return url?.hostname.replace(/^\[|\]$/g, '')
}
