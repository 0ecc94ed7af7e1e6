import { AwsError } from '@mallee/aws-protocol'
import type { Filter } from '@mallee/eucalyptus-api'

/** Whether one of the wanted values of every filter is there. A filter of another name is refused. */
export function passesFilters(
  filters: readonly Filter[] | undefined,
  values: Readonly<Record<string, readonly string[]>>,
): boolean {
  return (filters ?? []).every((filter) => {
    if (!Object.hasOwn(values, filter.Name))
      throw new AwsError('InvalidParameterValue', `The filter '${filter.Name.slice(0, 100)}' is invalid`)
    return (filter.Values ?? []).some((wanted) => values[filter.Name]?.includes(wanted))
  })
}
