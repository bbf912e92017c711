/** RFC 5321 §4.5.3.1.3: a path of 256 octets, brackets included. */
const MAX_BYTES = 254

/** What a plain mailbox may hold before the `@`: no quoting, no list separators, no white space, no control characters. */
const LOCAL_PART = /^[^\s@"(),:;<>[\]\\\p{C}\p{Z}]+$/u
/** ASCII only: lower-casing would turn look-alikes such as the Kelvin sign into letters. Others write xn--. */
const DOMAIN = /^(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$/

/**
 * The domain of exactly one plain e-mail address, in lower case; undefined for everything else. `a@evil@corp.example`
 * is not an address of corp.example, and neither is a list or a quoted form.
 */
export function emailDomain(text: string): string | undefined {
  const [local = '', domain, ...more] = text.split('@')
  if (domain === undefined || more.length > 0 || Buffer.byteLength(text) > MAX_BYTES) return undefined
  return LOCAL_PART.test(local) && DOMAIN.test(domain) ? domain.toLowerCase() : undefined
}
