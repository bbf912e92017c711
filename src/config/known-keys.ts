// Walks a schema along a path, to say which keys it knows there.
import type * as v from 'valibot'
import type { Path } from './problem.ts'

/** The parts of valibot's schemas that are walked. */
interface Shape {
  readonly type: string
  readonly entries?: Record<string, Shape>
  readonly item?: Shape
  readonly wrapped?: Shape
  readonly options?: readonly Shape[]
  readonly pipe?: readonly Shape[]
  readonly key?: string
  readonly getter?: (input: unknown) => Shape
}

/** Keys that an object at `path` may have, given what the document holds there. */
export function knownKeys(schema: v.GenericSchema, path: Path, input: unknown): string[] {
  let shapes = [schema as unknown as Shape]
  let value = input
  for (const step of path) {
    shapes = shapes.flatMap((shape) => unwrap(shape, value)).flatMap((shape) => child(shape, step))
    value = (value as Record<string | number, unknown> | undefined)?.[step]
  }
  const objects = shapes.flatMap((shape) => unwrap(shape, value))
  return [...new Set(objects.flatMap((shape) => Object.keys(shape.entries ?? {})))]
}

function child(shape: Shape, step: string | number): Shape[] {
  const next = typeof step === 'number' ? shape.item : shape.entries?.[step]
  return next === undefined ? [] : [next]
}

/** Sees through options, pipes, unions and lists of one. */
function unwrap(shape: Shape, value: unknown): Shape[] {
  if (shape.pipe?.[0] !== undefined && shape.pipe[0] !== shape) return unwrap(shape.pipe[0], value)
  if (shape.wrapped !== undefined) return unwrap(shape.wrapped, value)
  if (shape.getter !== undefined) return unwrap(shape.getter(value), value)
  if (shape.type === 'variant') return chosen(shape, value).flatMap((option) => unwrap(option, value))
  if (shape.options !== undefined && shape.type === 'union') return shape.options.flatMap((option) => unwrap(option, value))
  return [shape]
}

/** Of a variant, the option the document's own discriminator names. */
function chosen(shape: Shape, value: unknown): readonly Shape[] {
  const name = (value as Record<string, unknown> | undefined)?.[shape.key ?? '']
  const options = shape.options ?? []
  const matching = options.filter((option) => {
    const literal = unwrap(option, value)[0]?.entries?.[shape.key ?? ''] as { literal?: unknown } | undefined
    return literal?.literal === name
  })
  return matching.length > 0 ? matching : options
}
