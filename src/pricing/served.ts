/** What answered. */
export interface Served {
  readonly upstream: { readonly name: string; readonly provider: string; readonly region?: string | undefined }
  /** The catalogue's id, or one of the operator's own. */
  readonly model: string
  readonly upstreamModel: string
  /** When the request began. */
  readonly at: Date
}
