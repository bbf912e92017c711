// What Claude Desktop is known to take from a gateway, and what a policy must not tell it.
import { isJsonObject } from '../std/json-object.ts'
import { isListOf, type Fault, type Settings } from './document-faults.ts'

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
const COMPUTED = /^(?:inference|otlp)|^expiresAt$/i
const OF_THE_OPERATOR = new Set(
  ['inferenceMaxTokensPerWindow', 'inferenceTokenWindowHours', 'inferenceModelPricing', 'inferenceModelPricingEnabled', 'inferenceModelPricingMultiplier', 'otlpDesktopLogLevel', 'otlpContentCapture', 'otlpTracesEnabled'],
)
/** Keys that Claude Desktop takes from its device alone. */
const OF_THE_DEVICE = /^(?:bootstrap.*|trustBootstrapDelivery|egressProxy(?:Pac)?Url|secureVmFeaturesEnabled|quickWriteEnabled|disableMultiAccount|importThirdPartyHistoryIntoOrgUUID|isDesktopExtensionDirectoryEnabled|relocateUncUserData|coworkEDRIntegration(?:Vendor)?)$/
const SWITCHES = new Set(
  `allowOptionalClientAuth alwaysStartWithDefaultModel autoModeEnabled blockReadsOutsideWorkingDirectories
  builtinBrowserEnabled chatTabEnabled claudeCodeProcessWrapperEnabled claudeInChromeEnabled
  claudeInChromePasswordManagersEnabled coworkTabEnabled dictationEnabled disableAutoUpdates disableBundledSkills
  disableBypassPermissionsMode disableConfigDeprecationWarnings disableDeepLinkRegistration
  disableDeploymentModeChooser disableEssentialTelemetry disableFeatureDiscovery disableLocalConfigCache
  disableNonessentialServices disableNonessentialTelemetry disableWslSessions endUserAttribution
  inferenceModelPricingEnabled isClaudeCodeForDesktopEnabled isDesktopExtensionEnabled
  isDesktopExtensionSignatureRequired isLocalDevMcpEnabled keepAwakeEnabled mcpPersistentAlwaysAllowEnabled
  modelCatalogEnabled modelDiscoveryEnabled otlpTracesEnabled requireCoworkFullVmSandbox scheduledTasksEnabled
  skipWebFetchPreflight toolSearchEnabled updateViaUpdatesHost usageMetricsEnabled userPluginMarketplacesEnabled
  userPluginUploadsEnabled`.split(/\s+/),
)
const DESKTOP_LISTS = ['disabledBuiltinTools', 'coworkEgressAllowedHosts'] as const

/** What is wrong with settings for Claude Desktop, each by its place. */
export function* faultsOfDesktop(settings: Settings): Generator<Fault> {
  for (const [key, value] of Object.entries(settings)) {
    const message = notDelivered(key, value) ?? (SWITCHES.has(key) && typeof value !== 'boolean' ? 'must be true or false' : undefined)
    if (message !== undefined) yield { path: [key], message }
  }
  for (const key of DESKTOP_LISTS) if (settings[key] !== undefined && !isListOf(settings[key], (item) => typeof item === 'string')) yield { path: [key], message: 'must be a list of text' }
  yield* faultsOfTools(settings)
}

function notDelivered(key: string, value: unknown): string | undefined {
  if (COMPUTED.test(key) && !OF_THE_OPERATOR.has(key)) return 'follows from the gateway itself and cannot be set'
  if (OF_THE_DEVICE.test(key)) return 'is taken from the device alone; set it in its managed configuration (MDM)'
  if (/^selfHosted/i.test(key)) return 'would take Claude Desktop away from this gateway and its rules'
  return value === null || value === '' ? 'must not be empty; leave the key out for the default of Claude Desktop' : undefined
}

/** A rule that Claude Desktop does not know, or for a tool that is none, would leave the tool as it is. */
function* faultsOfTools({ builtinToolPolicy, disabledBuiltinTools }: Settings): Generator<Fault> {
  if (builtinToolPolicy !== undefined && !isJsonObject(builtinToolPolicy)) yield { path: ['builtinToolPolicy'], message: 'must be a mapping' }
  else for (const [tool, rule] of Object.entries(builtinToolPolicy ?? {})) if (rule !== 'allow' && rule !== 'ask') yield { path: ['builtinToolPolicy', tool], message: 'must be allow or ask; disabledBuiltinTools takes a tool away' }
  if (!Array.isArray(disabledBuiltinTools)) return
  for (const [at, tool] of disabledBuiltinTools.entries()) if (typeof tool === 'string' && !/^[A-Z]\w*$/.test(tool)) yield { path: ['disabledBuiltinTools', at], message: 'must be the name of a tool, such as WebFetch' }
}
