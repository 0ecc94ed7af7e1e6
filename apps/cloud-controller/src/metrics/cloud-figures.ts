import { Metrics } from '@mallee/service-kit'
import type { CommitObserver, StateStore } from '@mallee/state-store'
import type { PassObserver } from '@mallee/workflow'
import type { Tables } from '../store/tables.ts'

/** What the cloud controller counts while it works; what is counted when somebody reads is in record-gauges.ts. */
export interface CloudFigures {
  readonly metrics: Metrics
  /** `action` and `code` come from our own lists, whatever the client sent. */
  request(request: { service: string; action: string; code: string; seconds: number }): void
  readonly onCommit: CommitObserver
  readonly onPass: PassObserver
  /** The record with its transactions timed, the wait for the writer included. */
  measured(record: StateStore<Tables>): StateStore<Tables>
}

const groupSizes = [1, 2, 4, 8, 16, 32, 64]

export function cloudFigures(metrics: Metrics): CloudFigures {
  const requests = metrics.histogram(
    'api_request_duration_seconds',
    'Requests at the public door, until their answer was made.',
    ['service', 'action', 'code'],
  )
  const transactions = metrics.histogram(
    'record_transaction_duration_seconds',
    'Transactions of the record, from asking for one to its commit.',
    ['kind', 'outcome'],
  )
  const commits = metrics.histogram(
    'record_commit_duration_seconds',
    'Commits of the record, each with its fsync.',
  )
  const shared = metrics.histogram(
    'record_commit_transactions',
    'Transactions that shared one commit.',
    [],
    groupSizes,
  )
  const passes = metrics.histogram('reconciler_pass_duration_seconds', 'Passes of the reconcilers.', [
    'reconciler',
  ])
  const waits = metrics.histogram('reconciler_lag_seconds', 'Between a wake and its pass.', ['reconciler'])
  const errors = metrics.counter('reconciler_errors_total', 'Passes that failed and are tried again.', [
    'reconciler',
  ])
  return {
    metrics,
    request: ({ seconds, ...labels }) => requests.observe(labels, seconds),
    onCommit(commit) {
      commits.observe(commit.seconds)
      shared.observe(commit.transactions)
    },
    onPass({ reconciler, seconds, waitedSeconds, failed }) {
      passes.observe({ reconciler }, seconds)
      waits.observe({ reconciler }, waitedSeconds)
      if (failed) errors.inc({ reconciler })
    },
    measured: (record) => ({
      engine: record.engine,
      read: (work) => record.read(work),
      async transaction(kind, work) {
        const startedMs = performance.now()
        let outcome = 'rolled-back'
        try {
          const value = await record.transaction(kind, work)
          outcome = 'committed'
          return value
        } finally {
          transactions.observe({ kind, outcome }, (performance.now() - startedMs) / 1000)
        }
      },
      close: () => record.close(),
    }),
  }
}
