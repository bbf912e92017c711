/** What a judging function returns: the value, or the closed reason why not, with facts for the log. */
export type Result<value, reason extends string> =
  | { readonly ok: true; readonly value: value }
  | { readonly ok: false; readonly reason: reason; readonly detail?: string }
