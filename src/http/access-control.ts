// listen.access_control: which addresses may speak to the gateway at all.
import { matchesCidr, parseIp, type Cidr } from '../std/cidr.ts'

/** Deny first; a non-empty allow list means that everybody else is denied. Returns the reason, or undefined. */
export function createAddressRule(allow: readonly Cidr[], deny: readonly Cidr[]) {
  return (address: string, exemptFromAllowList: boolean): string | undefined => {
    if (allow.length === 0 && deny.length === 0) return undefined
    const ip = parseIp(address)
    if (ip === undefined) return 'address_unknown'
    if (deny.some((cidr) => matchesCidr(cidr, ip))) return 'ip_denied'
    if (allow.length > 0 && !exemptFromAllowList && !allow.some((cidr) => matchesCidr(cidr, ip))) return 'ip_not_allowlisted'
    return undefined
  }
}
