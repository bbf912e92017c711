// What Claude Code is known to read of managed settings, and what it would refuse: a client that cannot read its settings
// runs without them. A newer one may know more: an unknown key is delivered, and only warned about.
import { isJsonObject } from '../std/json-object.ts'
import { isListOf, type Fault, type Settings } from './document-faults.ts'

const isText = (value: unknown) => typeof value === 'string'

interface Shape {
  readonly words: string
  readonly keys: string
  isMet(value: unknown): boolean
}

/** By the value they take: https://code.claude.com/docs/en/settings-reference (October 2026) and the client's own refusals. */
const SHAPES: readonly Shape[] = [
  {
    words: 'true or false',
    keys: `agentPushNotifEnabled allowAllClaudeAiMcps allowClaudeInChromeWithManagedMcp allowManagedHooksOnly
    allowManagedMcpServersOnly allowManagedPermissionRulesOnly alwaysThinkingEnabled autoCompactEnabled
    autoContinueAtUsageLimit autoMemoryEnabled autoScrollEnabled awaySummaryEnabled axScreenReader bashEditDiffEnabled
    channelsEnabled disableAgentView disableAllHooks disableArtifact disableBundledSkills disableClaudeAiConnectors
    disableCommandPluginSources disableRemoteControl disableSideloadFlags disableSkillShellExecution disableWorkflows
    emojiCompletionEnabled enableAllProjectMcpServers enableArtifact enableWorkflows enforceAvailableModels fastMode
    fastModePerSessionOptIn fileCheckpointingEnabled forceRemoteSettingsRefresh includeCoAuthoredBy
    includeGitInstructions inputNeededNotifEnabled isolatePeerMachines prefersReducedMotion promptSuggestionEnabled
    remoteControlAtStartup respectGitignore respondToBashCommands showClearContextOnPlanAccept showThinkingSummaries
    showTurnDuration skipAutoPermissionPrompt skipDangerousModePermissionPrompt skipWebFetchPreflight
    spinnerTipsEnabled switchModelsOnFlag syncClaudeAiSkills syntaxHighlightingDisabled terminalProgressBarEnabled
    terminalTitleFromRename useAutoModeDuringPlan verbose voiceEnabled wheelScrollAccelerationEnabled
    workflowKeywordTriggerEnabled wslInheritsWindowsSettings`,
    isMet: (value) => typeof value === 'boolean',
  },
  {
    words: 'text',
    keys: `advisorModel agent apiKeyHelper autoMemoryDirectory awsAuthRefresh awsCredentialExport claudeMd gcpAuthRefresh
    language minimumVersion model otelHeadersHelper outputStyle plansDirectory pluginTrustMessage processWrapper
    prUrlTemplate requiredMaximumVersion requiredMinimumVersion`,
    isMet: isText,
  },
  {
    words: 'a number',
    keys: `cleanupPeriodDays desktopSessionCleanupPeriodDays feedbackSurveyRate skillListingBudgetFraction
    skillListingMaxDescChars`,
    isMet: (value) => typeof value === 'number',
  },
  {
    words: 'a mapping',
    keys: `autoMode enabledPlugins env extraKnownMarketplaces fileSuggestion hooks managedMcpServers modelOverrides
    modelPicker modelPricing permissions pluginConfigs policyHelper remote sandbox skillOverrides spinnerVerbs
    statusLine voice worktree`,
    isMet: isJsonObject,
  },
  {
    words: 'a list of text',
    keys: `allowedHttpHookUrls allowedProviders availableModels claudeMdExcludes companyAnnouncements deniedModels
    disabledMcpjsonServers enabledMcpjsonServers fallbackModel httpHookAllowedEnvVars pluginSuggestionMarketplaces`,
    isMet: (value) => isListOf(value, isText),
  },
  {
    words: 'a list of mappings',
    keys: `allowedChannelPlugins allowedMcpServers blockedMarketplaces deniedMcpServers sshConfigs strictKnownMarketplaces`,
    isMet: (value) => isListOf(value, isJsonObject),
  },
]

/** Those whose values are of several kinds, or not known. */
const OTHER_KEYS = `$schema appendPlugins askUserQuestionTimeout attribution autoCompactWindow autoConnectIde autoInstallIdeExtension
    autoUpdatesChannel availableModelsMatch bashOutputMaxChars browserExternalPageTools claudeInChromeDefaultEnabled
    copyFullResponse copyOnSelect crossSessionInbound defaultShell defaultToAgentsView dialogExpiry diffTool
    disableAutoMode disableBrowserExternalNavigation disableDeepLinkRegistration disableDesktopLocalSessions
    disableMobileSimulatorTools editorMode effortLevel externalEditorContext feedbackDrafts footerLinksRegexes
    forceLoginGatewayUrl forceLoginMethod forceLoginOrgUUID keybindingFlavor managedSourcesBehavior
    parentSettingsBehavior permissionExplainerEnabled preferredNotifChannel promptCacheTtl spellcheck
    spinnerTipsOverride sshHostAllowlist strictPluginOnlyCustomization subagentPromptCacheTtl subagentStatusLine
    teammateDefaultModel teammateMode theme tui ultracode viewMode vimInsertModeRemaps workflowSizeGuideline`

/** A word that the client does not know would leave things as they are, and that less safe than meant. */
const WORDS: ReadonlyMap<string, readonly string[]> = new Map(Object.entries({
  availableModelsMatch: ['prefix', 'exact'],
  disableAutoMode: ['disable'],
  disableDeepLinkRegistration: ['disable'],
  managedSourcesBehavior: ['first-wins', 'merge'],
  parentSettingsBehavior: ['first-wins', 'merge'],
}))
const PERMISSION_MODES = ['acceptEdits', 'auto', 'bypassPermissions', 'default', 'dontAsk', 'plan']
const PERMISSION_LISTS = ['allow', 'ask', 'deny'] as const

const keysOf = (text: string) => text.split(/\s+/)
const shapeOf = new Map(SHAPES.flatMap((shape) => keysOf(shape.keys).map((key) => [key, shape])))

export const CLAUDE_CODE_KEYS: ReadonlySet<string> = new Set([...shapeOf.keys(), ...keysOf(OTHER_KEYS)])

/** What is wrong with settings for Claude Code, each by its place. */
export function* faultsOfClaudeCode(settings: Settings): Generator<Fault> {
  for (const [key, value] of Object.entries(settings)) {
    const shape = shapeOf.get(key)
    if (key === 'mcpServers') yield { path: [key], message: 'cannot be delivered to Claude Code; managedMcpServers can, with servers of http and sse alone' }
    else if (shape !== undefined && !shape.isMet(value)) yield { path: [key], message: `must be ${shape.words}` }
    else yield* faultsOfWord([key], value, WORDS.get(key))
  }
  const { permissions, hooks, env, sandbox } = settings
  if (isJsonObject(permissions)) yield* faultsOfPermissions(permissions)
  if (isJsonObject(hooks)) for (const [event, value] of Object.entries(hooks)) if (!Array.isArray(value)) yield { path: ['hooks', event], message: 'must be a list' }
  // These hosts become those of Claude Desktop: a word in place of the list would leave it without any rule.
  const network = isJsonObject(sandbox) ? sandbox.network : undefined
  if (network !== undefined && !isJsonObject(network)) yield { path: ['sandbox', 'network'], message: 'must be a mapping' }
  else if (network?.allowedDomains !== undefined && !isListOf(network.allowedDomains, isText)) yield { path: ['sandbox', 'network', 'allowedDomains'], message: 'must be a list of text' }
  if (isJsonObject(env)) for (const [name, value] of Object.entries(env)) if (typeof value === 'object' && value !== null) yield { path: ['env', name], message: 'must be text' }
}

function* faultsOfPermissions(permissions: Settings): Generator<Fault> {
  yield* faultsOfWord(['permissions', 'defaultMode'], permissions.defaultMode, PERMISSION_MODES)
  for (const key of PERMISSION_LISTS) {
    const rules = permissions[key]
    if (rules === undefined) continue
    if (!isListOf(rules, isText)) yield { path: ['permissions', key], message: 'must be a list of text' }
    else for (const [at, rule] of (rules as string[]).entries()) yield* faultsOfRule(['permissions', key, at], rule)
  }
}

/** A rule that the client cannot read keeps nobody from anything. */
function* faultsOfRule(path: Fault['path'], rule: string): Generator<Fault> {
  const name = rule.split('(', 1)[0] as string
  if (rule.trim() === '') yield { path, message: 'must not be blank' }
  else if (/^[a-z]/.test(name) && !name.startsWith('mcp__')) yield { path, message: `must begin with the name of a tool, such as ${name.charAt(0).toUpperCase()}${name.slice(1)}` }
  else if (rule.includes('(') && !rule.endsWith(')')) yield { path, message: 'must be Tool or Tool(content), and end with the closing )' }
}

function* faultsOfWord(path: Fault['path'], value: unknown, words: readonly string[] | undefined): Generator<Fault> {
  if (words !== undefined && value !== undefined && !words.includes(value as string)) yield { path, message: `must be ${words.length === 1 ? '' : 'one of '}${words.join(', ')}` }
}
