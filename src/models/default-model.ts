/** What Claude Code 2.1.330 starts with when nobody has picked a model, signed in to a gateway. */
export const DEFAULT_MODEL = 'claude-opus-4-7'
