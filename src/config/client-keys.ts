// Keys that the clients are documented to read. A client may know more than this program: an unknown key is delivered, and
// only warned about, because it may as well be a typing error.

/** Top-level keys of Claude Code's settings: https://code.claude.com/docs/en/settings-reference (October 2026). */
const CLAUDE_CODE = new Set(
  `$schema advisorModel agent agentPushNotifEnabled allowAllClaudeAiMcps allowClaudeInChromeWithManagedMcp allowedChannelPlugins
  allowedHttpHookUrls allowedMcpServers allowedProviders allowManagedHooksOnly allowManagedMcpServersOnly
  allowManagedPermissionRulesOnly alwaysThinkingEnabled apiKeyHelper appendPlugins askUserQuestionTimeout attribution
  autoCompactEnabled autoCompactWindow autoConnectIde autoContinueAtUsageLimit autoInstallIdeExtension autoMemoryDirectory
  autoMemoryEnabled autoMode autoScrollEnabled autoUpdatesChannel availableModels availableModelsMatch awaySummaryEnabled
  awsAuthRefresh awsCredentialExport axScreenReader bashEditDiffEnabled bashOutputMaxChars blockedMarketplaces
  browserExternalPageTools channelsEnabled claudeInChromeDefaultEnabled claudeMd claudeMdExcludes cleanupPeriodDays
  companyAnnouncements copyFullResponse copyOnSelect crossSessionInbound defaultShell defaultToAgentsView deniedMcpServers
  deniedModels desktopSessionCleanupPeriodDays dialogExpiry diffTool disableAgentView disableAllHooks disableArtifact
  disableAutoMode disableBrowserExternalNavigation disableBundledSkills disableClaudeAiConnectors disableCommandPluginSources
  disableDeepLinkRegistration disableDesktopLocalSessions disabledMcpjsonServers disableMobileSimulatorTools
  disableRemoteControl disableSideloadFlags disableSkillShellExecution disableWorkflows editorMode effortLevel
  emojiCompletionEnabled enableAllProjectMcpServers enableArtifact enabledMcpjsonServers enabledPlugins enableWorkflows
  enforceAvailableModels env externalEditorContext extraKnownMarketplaces fallbackModel fastMode fastModePerSessionOptIn
  feedbackDrafts feedbackSurveyRate fileCheckpointingEnabled fileSuggestion footerLinksRegexes forceLoginGatewayUrl
  forceLoginMethod forceLoginOrgUUID forceRemoteSettingsRefresh gcpAuthRefresh hooks httpHookAllowedEnvVars
  includeCoAuthoredBy includeGitInstructions inputNeededNotifEnabled isolatePeerMachines keybindingFlavor language
  managedMcpServers managedSourcesBehavior minimumVersion model modelOverrides modelPicker modelPricing otelHeadersHelper outputStyle
  parentSettingsBehavior permissionExplainerEnabled permissions plansDirectory pluginConfigs pluginSuggestionMarketplaces
  pluginTrustMessage policyHelper preferredNotifChannel prefersReducedMotion processWrapper promptCacheTtl
  promptSuggestionEnabled prUrlTemplate remote remoteControlAtStartup requiredMaximumVersion requiredMinimumVersion
  respectGitignore respondToBashCommands sandbox showClearContextOnPlanAccept showThinkingSummaries showTurnDuration
  skillListingBudgetFraction skillListingMaxDescChars skillOverrides skipAutoPermissionPrompt
  skipDangerousModePermissionPrompt skipWebFetchPreflight spellcheck spinnerTipsEnabled spinnerTipsOverride spinnerVerbs
  sshConfigs sshHostAllowlist statusLine strictKnownMarketplaces strictPluginOnlyCustomization subagentPromptCacheTtl
  subagentStatusLine switchModelsOnFlag syncClaudeAiSkills syntaxHighlightingDisabled teammateDefaultModel teammateMode
  terminalProgressBarEnabled terminalTitleFromRename theme tui ultracode useAutoModeDuringPlan verbose viewMode
  vimInsertModeRemaps voice voiceEnabled wheelScrollAccelerationEnabled workflowKeywordTriggerEnabled workflowSizeGuideline
  worktree wslInheritsWindowsSettings`.split(/\s+/),
)

/** Keys of Claude Desktop that a gateway may deliver: https://claude.com/docs/third-party/claude-desktop/configuration. */
const CLAUDE_DESKTOP = new Set(
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

/** Keys of a policy's document that its client is not known to read, and the keys it is known to read. */
export function unknownClientKeys(client: 'cli' | 'code' | 'desktop', document: Readonly<Record<string, unknown>>): { unknown: string[]; known: string[] } {
  const known = client === 'desktop' ? CLAUDE_DESKTOP : CLAUDE_CODE
  return { unknown: Object.keys(document).filter((key) => !known.has(key)), known: [...known] }
}
