// Credentials in text that others wrote: an upstream quotes the key it refuses, a person pastes a token where a model goes.

/**
 * How credentials look. None of these fails after a long way, so that no text is read more than a few times: where a dot
 * had to follow, `-eyJ` over and over took seconds.
 */
const FORMS = [
  // API keys and OAuth tokens of the Messages API.
  String.raw`sk-[\w-]{8,}`,
  // JSON Web Tokens, of Entra too, signed or encrypted: base64 that begins with `{"`.
  String.raw`eyJ[\w-]{8,}(?:\.{1,2}[\w-]+)*`,
  // AWS: session tokens and keys of Bedrock; in a URL `%2F` is a slash. Access keys.
  String.raw`(?:IQoJ|FwoG|FQoG|ABSK|bedrock-api-key-)[\w+/=%-]{16,}`,
  String.raw`(?:AKIA|ASIA)[A-Z0-9]{16}\b`,
  // OAuth tokens of Google.
  String.raw`ya29\.[\w.-]{16,}`,
]
/** Of a word, or behind a line end or another character that is escaped by now. */
const BEGIN = String.raw`(?:\b|(?<=\\[nrt]|\\u[\da-f]{4}))`
/** Whatever follows these words. */
const SCHEMES = String.raw`(?<=\b(?:[Bb]earer|BEARER|[Bb]asic|BASIC) )[\w.~+/=-]{16,}`
const CREDENTIALS = new RegExp(`${BEGIN}(?:${FORMS.join('|')})|${SCHEMES}`, 'g')
/** Of an answer's own words, before anything is looked for in them. */
const MAX_READ = 4000

/** The text with everything that looks like a credential cut out. Keeps JSON valid: no quote, brace or backslash matches. */
export function redact(text: string): string {
  return text.replace(CREDENTIALS, '[redacted]')
}

/** The beginning of somebody's words for a message, of `length` characters at most, without credentials. */
export function excerpt(text: string, length: number): string {
  return redact(text.slice(0, MAX_READ)).slice(0, length)
}
