// What Claude Desktop is known to take from a gateway, and what a policy must not tell it.
import { isListOf, isMapping, type Fault, type Settings } from './document-faults.ts'

/** https://claude.com/docs/third-party/claude-desktop/configuration (October 2026). A newer one may know more. */
export const CLAUDE_DESKTOP_KEYS: ReadonlySet<string> = new Set(
  `allowedPluginMarketplaces allowedPluginMcpServers allowedWorkspaceFolders allowOptionalClientAuth
  alwaysStartWithDefaultModel autoModeEnabled autoUpdaterEnforcementHours banner blockReadsOutsideWorkingDirectories
  builtinBrowserAllowedDomains builtinBrowserBlockedDomains builtinBrowserDefaultDomainPolicy builtinBrowserEnabled
  builtinToolPolicy chatAdvancedFileAnalysisEnabled chatSessionRetentionDays chatTabEnabled claudeAiImport
  claudeCodeProcessWrapperEnabled claudeInChromeEnabled claudeInChromePasswordManagersEnabled codeAllowedRepositories
  codeSessionRetentionDays configRecheckIntervalMinutes coworkEgressAllowedHosts coworkSessionRetentionDays
  coworkTabEnabled coworkVmIpv6Enabled dangerousMaxVersion defaultModelEffort deniedPluginMcpServers
  deploymentDisplayName deploymentDisplaySubtitle deploymentOrganizationUuid desktopHome dictationEnabled
  disableAutoUpdates disableBundledSkills disableBypassPermissionsMode disableConfigDeprecationWarnings
  disabledBuiltinTools disableDeepLinkRegistration disableDeploymentModeChooser disableEssentialTelemetry
  disableFeatureDiscovery disableLocalConfigCache disableNonessentialServices disableNonessentialTelemetry
  disableWslSessions endUserAttribution inferenceMaxTokensPerWindow inferenceModelPricing inferenceModelPricingEnabled
  inferenceModelPricingMultiplier inferenceTokenWindowHours isClaudeCodeForDesktopEnabled isDesktopExtensionEnabled
  isDesktopExtensionSignatureRequired isLocalDevMcpEnabled keepAwakeEnabled managedMcpServers
  mcpPersistentAlwaysAllowEnabled mcpScheduledTaskApprovalLifetimeDays mcpToolTimeoutSec microsoftAuthBroker
  microsoftAuthDefaultAccount modelCatalogEnabled modelCatalogUrl modelDiscoveryEnabled modelPrefer1mContext
  organizationInstructions organizationPluginsUrl orgPluginSettings otlpContentCapture otlpDesktopLogLevel
  otlpTracesEnabled relaunchEnforcementHours requireCoworkFullVmSandbox scheduledTasksEnabled sharingEndpoint
  skillCreationEnabled skipWebFetchPreflight sshClientPath sshTransport toolSearchEnabled updateViaUpdatesHost
  usageMetricsEnabled userContentRendererUrl userPluginMarketplacesEnabled userPluginUploadsEnabled`.split(/\s+/),
)

/** Keys of Claude Desktop that follow from the gateway itself: how it reaches models and where its telemetry goes. */
const COMPUTED = /^(?:inference|otlp)[A-Z]|^expiresAt$/
const OF_THE_OPERATOR = new Set(
  ['inferenceMaxTokensPerWindow', 'inferenceTokenWindowHours', 'inferenceModelPricing', 'inferenceModelPricingEnabled', 'inferenceModelPricingMultiplier', 'otlpDesktopLogLevel', 'otlpContentCapture', 'otlpTracesEnabled'],
)
/** Keys that Claude Desktop takes from its device alone. */
const OF_THE_DEVICE = /^(?:bootstrap.*|trustBootstrapDelivery|egressProxy(?:Pac)?Url|secureVmFeaturesEnabled|quickWriteEnabled|disableMultiAccount|importThirdPartyHistoryIntoOrgUUID|isDesktopExtensionDirectoryEnabled|relocateUncUserData|coworkEDRIntegration(?:Vendor)?)$/
const DESKTOP_LISTS = ['disabledBuiltinTools', 'coworkEgressAllowedHosts'] as const

/** What is wrong with settings for Claude Desktop, each by its place. */
export function* faultsOfDesktop(settings: Settings): Generator<Fault> {
  for (const [key, value] of Object.entries(settings)) {
    if (COMPUTED.test(key) && !OF_THE_OPERATOR.has(key)) yield { path: [key], message: 'follows from the gateway itself and cannot be set' }
    else if (OF_THE_DEVICE.test(key)) yield { path: [key], message: 'is taken from the device alone; set it in its managed configuration (MDM)' }
    else if (/^selfHosted/i.test(key)) yield { path: [key], message: 'would take Claude Desktop away from this gateway and its rules' }
    else if (value === null || value === '') yield { path: [key], message: 'must not be empty; leave the key out for the default of Claude Desktop' }
  }
  for (const key of DESKTOP_LISTS) if (settings[key] !== undefined && !isListOf(settings[key], (item) => typeof item === 'string')) yield { path: [key], message: 'must be a list of text' }
  const { builtinToolPolicy } = settings
  if (builtinToolPolicy !== undefined && !isMapping(builtinToolPolicy)) yield { path: ['builtinToolPolicy'], message: 'must be a mapping' }
}
