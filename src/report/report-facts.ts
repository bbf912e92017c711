/** What a report needs to know beside its parameters. */
export interface ReportFacts {
  /** The clock of the database, in milliseconds since the epoch. */
  readonly now: number
  /** `admin.billing_group_tag` */
  readonly groupTag: string | undefined
  /** The ledger's name for any spelling of a model. */
  readonly canonicalModel: (spelling: string) => string
  /** What people call a model. */
  readonly modelName: (id: string) => string
  /** A UUID that stands for this gateway where Anthropic's reports name an organisation. */
  readonly organizationId: string
}
