import { aggregationRules, methods } from '@fedsvd/core/federation'
import { initialisers } from '@fedsvd/core/lora'
import type { AggregationOption, RunOptions } from '@fedsvd/core/protocol'
import { z } from 'zod'

/** What a run request may name here: what is registered in this process. */
export function runOptions(): RunOptions {
  return {
    methods: [...methods.names],
    initialisers: [...initialisers.names],
    aggregationRules: aggregationRules.all.flatMap((rule) => optionOf(rule) ?? []),
  }
}

/** Undefined for a rule with a term that is no number. */
function optionOf({ name, terms }: { name: string; terms: z.ZodRawShape }): AggregationOption | undefined {
  const ranges: AggregationOption['terms'] = []
  for (const [term, schema] of Object.entries(terms)) {
    if (!(schema instanceof z.ZodNumber)) return undefined
    const { minValue, maxValue, isInt } = schema
    // A rule with a number without both ends is not registered.
    ranges.push({ name: term, minimum: minValue!, maximum: maxValue!, isWhole: isInt })
  }
  return { name, terms: ranges }
}
