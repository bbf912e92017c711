// What is worked out once for each object, and forgotten with it.

/** `work` is called the first time that an object is given; its answer must depend on nothing else that changes. */
export function onceEach<key extends object, value>(work: (of: key) => value): (of: key) => value {
  const known = new WeakMap<key, { readonly value: value }>()
  return (of) => {
    let found = known.get(of)
    if (found === undefined) known.set(of, (found = { value: work(of) }))
    return found.value
  }
}
