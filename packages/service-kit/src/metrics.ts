import { AggregatorRegistry, collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

/**
 * The figures of one daemon, as Prometheus reads them. A registry is an argument like any other: two daemons in one
 * process have two. Names begin with `mallee_` and end with their unit; labels take values from closed lists only, so
 * that no client can make series.
 */
export class Metrics {
  readonly registry = new Registry()

  /** A number that only grows; its name ends with `_total`. */
  counter<L extends string>(name: string, help: string, labels: readonly L[] = []): Counter<L> {
    return new Counter({ name: prefixed(name), help, labelNames: [...labels], registers: [this.registry] })
  }

  /** A number of the moment. `collect` sets it whenever the figures are read. */
  gauge<L extends string>(
    name: string,
    help: string,
    labels: readonly L[] = [],
    collect?: (gauge: Gauge<L>) => void | Promise<void>,
  ): Gauge<L> {
    return new Gauge({
      name: prefixed(name),
      help,
      labelNames: [...labels],
      registers: [this.registry],
      ...(collect
        ? {
            async collect() {
              await collect(this)
            },
          }
        : {}),
    })
  }

  /** How long things took, in seconds, or how large they were where `buckets` say so. */
  histogram<L extends string>(
    name: string,
    help: string,
    labels: readonly L[] = [],
    buckets: readonly number[] = durationBuckets,
  ): Histogram<L> {
    const registers = [this.registry]
    return new Histogram({
      name: prefixed(name),
      help,
      labelNames: [...labels],
      buckets: [...buckets],
      registers,
    })
  }

  /** Of the whole process: processor, memory, descriptors, event loop. For the one that owns the process. */
  ofProcess(): this {
    collectDefaultMetrics({ register: this.registry, prefix })
    return this
  }

  /** As another process may be told them. */
  async snapshot(): Promise<MetricsSnapshot> {
    return (await this.registry.getMetricsAsJSON()) as unknown as MetricsSnapshot
  }

  text(): Promise<string> {
    return this.registry.metrics()
  }

  get contentType(): string {
    return this.registry.contentType
  }
}

/** The figures of a process at one moment, as plain data. */
export type MetricsSnapshot = readonly { readonly name: string; readonly type: string }[]

/** Several processes as one: what they count is summed, and of the rest what prom-client says of each figure. */
export const sumOfMetrics = (snapshots: readonly MetricsSnapshot[]): Promise<string> =>
  AggregatorRegistry.aggregate(snapshots as unknown as object[]).metrics()

/** What several processes counted, for one that goes on without them. */
export async function countedBy(snapshots: readonly MetricsSnapshot[]): Promise<MetricsSnapshot> {
  const counted = snapshots.map((all) => all.filter(({ type }) => type === 'counter' || type === 'histogram'))
  const sum = AggregatorRegistry.aggregate(counted as unknown as object[])
  return (await sum.getMetricsAsJSON()) as unknown as MetricsSnapshot
}

const prefix = 'mallee_'
const durationBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

const prefixed = (name: string) => `${prefix}${name}`

/** Seconds since it was made. */
export function stopwatch(): () => number {
  const startedMs = performance.now()
  return () => (performance.now() - startedMs) / 1000
}
