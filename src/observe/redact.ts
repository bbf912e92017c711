// Credentials in text that others wrote: an upstream quotes the key it refuses, a person pastes a token where a model goes.

/** API keys and OAuth tokens of the Messages API, JSON Web Tokens, and whatever follows `Bearer` or `Basic`. */
const CREDENTIALS = /\bsk-[\w-]{8,}|\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?|(?<=\b(?:bearer|basic) )[\w.~+/=-]{16,}/gi

/** The text with everything that looks like a credential cut out. Keeps JSON valid: no quote, brace or backslash matches. */
export function redact(text: string): string {
  return text.replace(CREDENTIALS, '[redacted]')
}
