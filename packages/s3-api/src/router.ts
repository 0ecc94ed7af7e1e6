/**
 * From a request to the name of an S3 operation. The table is made from the model: method, level (service, bucket,
 * object), the literals in the URI (`?acl`, `?list-type=2`) and the parameters and headers that an operation cannot be without.
 *
 * A parameter that names a subresource and does not belong to the operation found is an error: `DELETE /b/k?acl`
 * must never delete the object.
 */
import type { HeaderValues, MemberModel, ServiceModel } from '@mallee/aws-protocol'
import { structNamed } from '@mallee/aws-protocol'
import type { S3Address } from './address.ts'
import { s3Error } from './errors.ts'

type Level = 'service' | 'bucket' | 'object'

interface Route {
  operation: string
  method: string
  level: Level
  literals: Array<[key: string, value: string]>
  /** parameters and headers without which it is another operation */
  neededQuery: string[]
  neededHeaders: string[]
  knownQuery: ReadonlySet<string>
}

export interface S3RouteRequest {
  method: string
  address: S3Address
  query: ReadonlyMap<string, string>
  headers: HeaderValues
}

/** Operations of other endpoints, which would hide ones of ours. */
const otherEndpoints: ReadonlySet<string> = new Set(['ListDirectoryBuckets', 'WriteGetObjectResponse'])

export class S3Router {
  readonly #routes = new Map<string, Route[]>()
  /** names of subresources, and parameters that some operation needs, by level */
  readonly #meaningful = new Map<Level, Set<string>>()
  readonly #methods = new Set<string>()

  constructor(model: ServiceModel) {
    for (const operation of Object.keys(model.operations)) {
      if (!otherEndpoints.has(operation)) this.#add(routeOf(model, operation))
    }
  }

  #add(route: Route): void {
    const place = `${route.method} ${route.level}`
    this.#methods.add(route.method)
    this.#routes.set(place, [...(this.#routes.get(place) ?? []), route])
    const meaningful = this.#meaningful.get(route.level) ?? new Set()
    for (const [key] of route.literals) meaningful.add(key)
    for (const key of route.neededQuery) meaningful.add(key)
    this.#meaningful.set(route.level, meaningful)
  }

  /** Throws MethodNotAllowed (405), or InvalidArgument for a parameter that the operation does not take. */
  route(request: S3RouteRequest): string {
    const { bucket, key } = request.address
    const level = bucket === undefined ? 'service' : key === undefined ? 'bucket' : 'object'
    const routes = this.#routes.get(`${request.method} ${level}`) ?? []
    const matching = routes.filter((route) => hasLiterals(route, request.query))
    const literals = Math.max(0, ...matching.map((route) => route.literals.length))
    const named = matching.filter((route) => route.literals.length === literals)
    const complete = named.filter((route) => missingCount(route, request) === 0)
    // Where a subresource is named, its operation is meant even if incomplete: the decoder says what is missing.
    const found = mostSpecific(complete) ?? (literals > 0 ? named[0] : undefined)
    if (!found) throw notAllowed(request.method)
    for (const name of request.query.keys()) {
      if (found.knownQuery.has(name) || !this.#meaningful.get(level)?.has(name)) continue
      if (this.#isSubresource(level, name)) throw notAllowed(request.method)
      throw s3Error('InvalidArgument', {
        message: `This operation does not accept the parameter ${name}.`,
        details: { ArgumentName: name },
      })
    }
    return found.operation
  }

  #isSubresource(level: Level, name: string): boolean {
    for (const method of this.#methods) {
      const routes = this.#routes.get(`${method} ${level}`) ?? []
      if (routes.some((route) => route.literals.some(([key]) => key === name))) return true
    }
    return false
  }
}

function notAllowed(method: string): Error {
  return s3Error('MethodNotAllowed', { details: { Method: method.slice(0, 20) } })
}

function hasLiterals(route: Route, query: ReadonlyMap<string, string>): boolean {
  return route.literals.every(([key, value]) => query.has(key) && (value === '' || query.get(key) === value))
}

function missingCount(route: Route, { query, headers }: S3RouteRequest): number {
  return (
    route.neededQuery.filter((key) => !query.has(key)).length +
    route.neededHeaders.filter((name) => headers[name] === undefined).length
  )
}

function neededCount(route: Route): number {
  return route.neededQuery.length + route.neededHeaders.length
}

function mostSpecific(routes: readonly Route[]): Route | undefined {
  return routes.toSorted((a, b) => neededCount(b) - neededCount(a))[0]
}

function routeOf(model: ServiceModel, operation: string): Route {
  const { http, in: input } = model.operations[operation] ?? {}
  const [method, uri] = http ?? ['', '']
  const members: MemberModel[] = input === undefined ? [] : Object.values(structNamed(model, input).members)
  const labels = members.filter(([, , traits]) => traits?.label).length
  const literals = literalsOf(uri.split('?')[1] ?? '')
  const needed = members.filter(([, , traits]) => traits?.required)
  const queryKeys = members.flatMap(([, , traits]) => traits?.queryKey ?? [])
  return {
    operation,
    method,
    level: labels === 0 ? 'service' : labels === 1 ? 'bucket' : 'object',
    literals,
    neededQuery: needed.flatMap(([, , traits]) => traits?.queryKey ?? []),
    neededHeaders: needed.flatMap(([, , traits]) => traits?.header?.toLowerCase() ?? []),
    knownQuery: new Set([...literals.map(([key]) => key), ...queryKeys]),
  }
}

function literalsOf(query: string): Array<[string, string]> {
  const pairs = query.split('&').filter((part) => part !== '')
  return pairs
    .map((part): [string, string] => {
      const [key = '', value = ''] = part.split('=')
      return [key, value]
    })
    .filter(([key]) => key !== 'x-id')
}
