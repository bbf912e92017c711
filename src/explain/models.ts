// `gatehouse models`: every model that is served, whether somebody may use it, and where a request for it goes.
import type { Outcome } from '../config/commands.ts'
import type { Environment } from '../config/expand.ts'
import { loadConfig } from '../config/load.ts'
import type { GatewayConfig } from '../config/schema.ts'
import { CATALOG_AS_OF } from '../models/catalog.ts'
import { mappingWarnings } from '../models/mapping-warnings.ts'
import { createModelTable, servingUpstreams, type ServedModel } from '../models/resolve.ts'
import type { Person } from '../policy/match.ts'
import { policyFrom } from '../policy/policy-from.ts'
import { paintFor } from '../std/paint.ts'

export interface ModelsQuery {
  readonly config: string
  /** An e-mail address. Without it and without groups nobody in particular is asked about. */
  readonly as: string | undefined
  readonly groups: readonly string[] | undefined
  readonly json: boolean
  readonly environment: Environment
  readonly color: boolean
}

/** What `--json` prints. */
export interface ModelsReport {
  readonly catalog_as_of: string
  /** `policy` is the position in `managed.policies`; null when none matches. */
  readonly person?: { readonly email: string | null; readonly groups: readonly string[]; readonly policy: number | null }
  readonly models: readonly ModelEntry[]
  readonly warnings: readonly string[]
}

export interface ModelEntry {
  readonly id: string
  readonly display_name: string
  /** Tokens. */
  readonly context_window: number | null
  /** Absent when nobody in particular is asked about. */
  readonly allowed?: boolean
  /** In the order tried; empty for a model that nobody serves. */
  readonly routes: readonly Route[]
}

export interface Route {
  /** Lower is tried first; upstreams of one priority share the load. */
  readonly priority: number
  readonly upstream: string
  readonly provider: string
  /** What the upstream calls the model. */
  readonly model: string
  /** Of the load of its priority, 0 to 1. */
  readonly share: number
}

/** Reads the configuration and answers the query. Throws BootError with every problem of the file. */
export async function listModels({ config: file, as, groups, json, environment, color }: ModelsQuery): Promise<Outcome> {
  const { config } = await loadConfig(file, environment)
  const person = as === undefined && groups === undefined ? undefined : { email: as, groups: groups ?? [] }
  const report = modelsReport(config, person)
  return {
    text: json ? `${JSON.stringify(report, null, 2)}\n` : modelsTable(report, color),
    exitCode: 0,
    asides: report.warnings.map((warning) => `warning: ${warning}\n`).join(''),
  }
}

export function modelsReport(config: GatewayConfig, person: Person | undefined): ModelsReport {
  const naming = { autoInclude: config.auto_include_builtin_models, models: config.models, upstreams: config.upstreams }
  const policy = person && policyFrom(config).forPerson(person)
  return {
    catalog_as_of: CATALOG_AS_OF,
    ...(person && { person: { email: person.email ?? null, groups: person.groups, policy: policy?.index ?? null } }),
    models: createModelTable(naming)
      .list()
      .map((model) => ({ ...modelEntry(model, config.upstreams), ...(policy && { allowed: policy.judgeModel(model.id) === undefined }) })),
    warnings: mappingWarnings({ ...naming, overrides: config.pricing.overrides }),
  }
}

/** What is said of a model, whoever asks. */
export function modelEntry(model: ServedModel, upstreams: GatewayConfig['upstreams']): ModelEntry {
  return { id: model.id, display_name: model.displayName, context_window: model.contextWindow ?? null, routes: routesOf(model, upstreams) }
}

function routesOf(model: ServedModel, upstreams: GatewayConfig['upstreams']): Route[] {
  const serving = servingUpstreams(model, upstreams)
  const total = (of: number) => serving.reduce((sum, { priority, upstream }) => sum + (priority === of ? upstream.weight : 0), 0)
  return serving.map(({ upstream: { name, provider, weight }, priority, upstreamId }) => ({ priority, upstream: name, provider, model: upstreamId, share: weight / (total(priority) || 1) }))
}

const WIDTH = 100
const GAP = '  '

/** A line for each model and one for each of its routes, within 100 columns unless ids are longer. */
export function modelsTable({ catalog_as_of, person, models }: ModelsReport, color: boolean): string {
  const paint = paintFor(color)
  const about = person === undefined ? `${models.length} models` : summary(person, models)
  return [about, paint.dim(`Catalogue of ${catalog_as_of}. Numbers: the order in which upstreams are tried; those of one number share the load.`), '', ...modelLines(models, person !== undefined, color), ''].join('\n')
}

/** The lines of the table; `isJudged` adds whether a model is allowed. */
export function modelLines(models: readonly ModelEntry[], isJudged: boolean, color: boolean): string[] {
  const paint = paintFor(color)
  const columns = columnsOf(models, isJudged)
  const routes = models.map((model) => routeCells(model.routes))
  const widths = [0, 1, 2].map((at) => widest(routes.flat().map((cells) => cells[at] ?? '')))
  const lines = models.flatMap((model, at) => {
    const head = columns.map(({ cell, width, align }) => pad(cell(model), width, align)).join(GAP).trimEnd()
    const below = model.routes.length === 0 ? [paint.alarm(`${GAP}nobody serves it`)] : (routes[at] ?? []).map((cells) => routeLine(cells, widths))
    return model.allowed === false ? [head, ...below].map(paint.dim) : [head, ...below]
  })
  const header = columns.map(({ title, width, align }) => pad(title, width, align)).join(GAP).trimEnd()
  return [paint.bold(header), ...lines]
}

interface Column {
  readonly title: string
  readonly width: number
  readonly align: 'left' | 'right'
  cell(model: ModelEntry): string
}

function columnsOf(models: readonly ModelEntry[], hasPerson: boolean): Column[] {
  const column = (title: string, align: Column['align'], cell: Column['cell'], limit = Infinity): Column => {
    const width = Math.min(limit, widest([title, ...models.map(cell)]))
    return { title, align, width, cell: (model) => clip(cell(model), width) }
  }
  const id = column('MODEL', 'left', (model) => model.id)
  const rest = [column('CONTEXT', 'right', ({ context_window }) => tokens(context_window)), ...(hasPerson ? [column('ALLOWED', 'left', ({ allowed }) => (allowed ? 'yes' : 'no'))] : [])]
  const room = WIDTH - [id, ...rest].reduce((sum, { width }) => sum + width + GAP.length, 0)
  return [id, column('NAME', 'left', (model) => model.display_name, Math.max(room, 12)), ...rest]
}

/** The number of the turn, once for all of its upstreams; the upstream; its share, where there is one to speak of; the id it gets. */
type RouteCells = readonly [turn: string, upstream: string, share: string, model: string]

function routeCells(routes: readonly Route[]): RouteCells[] {
  const turns = [...new Set(routes.map(({ priority }) => priority))]
  return routes.map(({ priority, upstream, share, model }, at) => {
    const isFirst = routes[at - 1]?.priority !== priority
    const isAlone = routes.filter((route) => route.priority === priority).length === 1
    return [isFirst ? String(turns.indexOf(priority) + 1) : '', upstream, isAlone ? '' : `${Math.round(share * 100)} %`, model]
  })
}

function routeLine([turn, upstream, share, model]: RouteCells, [turnWidth = 0, upstreamWidth = 0, shareWidth = 0]: readonly number[]): string {
  const before = [pad(turn, turnWidth, 'right'), pad(upstream, upstreamWidth, 'left'), ...(shareWidth === 0 ? [] : [pad(share, shareWidth, 'right')])]
  return `${GAP}${before.join(GAP)} → ${model}`
}

function summary({ email, groups, policy }: NonNullable<ModelsReport['person']>, models: readonly ModelEntry[]): string {
  const who = `${email ?? 'somebody'}, ${groups.length === 0 ? 'in no group' : `in ${groups.join(', ')}`}`
  const allowed = models.filter((model) => model.allowed).length
  return `${who}: ${policy === null ? 'no policy matches' : `managed.policies[${policy}]`}, ${allowed} of ${models.length} models allowed`
}

function tokens(count: number | null): string {
  if (count === null) return '?'
  return count % 1_000_000 === 0 ? `${count / 1_000_000}M` : count % 1000 === 0 ? `${count / 1000}K` : String(count)
}

function widest(texts: readonly string[]): number {
  return Math.max(0, ...texts.map((text) => Bun.stringWidth(text)))
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const space = ' '.repeat(Math.max(0, width - Bun.stringWidth(text)))
  return align === 'left' ? text + space : space + text
}

function clip(text: string, width: number): string {
  if (Bun.stringWidth(text) <= width) return text
  let kept = ''
  for (const character of text) {
    if (Bun.stringWidth(kept + character) >= width) break
    kept += character
  }
  return `${kept}…`
}
