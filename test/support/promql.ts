// What a PromQL expression asks for, read with Prometheus' own grammar.
import { parser } from '@prometheus-io/lezer-promql'

export interface Asked {
  metric: string
  /** Names of labels in its braces, with the values that are asked for by `=`. */
  labels: Record<string, string | undefined>
}

export interface ReadPromql {
  selectors: Asked[]
  /** Labels of `by (…)`. */
  grouped: string[]
}

/** Throws where the expression is not PromQL. */
export function readPromql(expression: string): ReadPromql {
  const asked: ReadPromql = { selectors: [], grouped: [] }
  parser.parse(expression).iterate({
    enter(node) {
      const text = (from = node.from, to = node.to) => expression.slice(from, to)
      if (node.type.isError) throw new Error(`not PromQL at ${node.from}: ${expression}`)
      if (node.name === 'VectorSelector') asked.selectors.push({ metric: text().match(/^[\w:]*/)?.[0] ?? '', labels: {} })
      if (node.name === 'UnquotedLabelMatcher') {
        const [, name = '', operator, value] = text().match(/^(\w+)\s*(=~|!~|!=|=)\s*"(.*)"$/) ?? []
        const selector = asked.selectors.at(-1)
        if (selector === undefined || name === '') throw new Error(`a matcher without its selector: ${text()}`)
        selector.labels[name] = operator === '=' ? value : undefined
      }
      if (node.name === 'GroupingLabels') asked.grouped.push(...(text().match(/\w+/g) ?? []))
    },
  })
  return asked
}
