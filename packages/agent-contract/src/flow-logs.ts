import { choice, flag, integer, list, nullable, record, text, type Shape } from './schema.ts'

/**
 * The fields that records have here, and the version of AWS's format that each came with
 * (https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html).
 */
export const flowLogFields = {
  ...{ version: 2, 'account-id': 2, 'interface-id': 2, srcaddr: 2, dstaddr: 2, srcport: 2, dstport: 2 },
  ...{ protocol: 2, packets: 2, bytes: 2, start: 2, end: 2, action: 2, 'log-status': 2 },
  ...{ 'vpc-id': 3, 'subnet-id': 3, 'instance-id': 3, 'tcp-flags': 3, type: 3 },
  ...{ 'pkt-srcaddr': 3, 'pkt-dstaddr': 3 },
  region: 4,
  'flow-direction': 5,
} as const
export type FlowLogField = keyof typeof flowLogFields

/**
 * A flow log as a node is told of it, in the item of its VPC: which of the node's own interfaces it takes records of, and
 * how they are written. Whether they may be put into the bucket is walrus' to judge.
 */
export const flowLogSchema = record({
  flowLogId: text(),
  accountId: text(),
  traffic: choice('ACCEPT', 'REJECT', 'ALL'),
  /** Names of fields in their order, without `${}`. */
  fields: list(text(), 40),
  bucket: text(),
  /** Of all keys: ends with the region and a slash. */
  keyPrefix: text(),
  region: text(),
  intervalSeconds: integer(60, 600),
  interfaceIds: list(text()),
})
export type FlowLog = Shape<typeof flowLogSchema>

/**
 * Item kind `flow-log`, for walrus: these nodes may put records of that flow log under the prefix, if the bucket is that
 * account's.
 */
export const flowLogItemSchema = record({
  accountId: text(),
  bucket: text(),
  keyPrefix: text(),
  region: text(),
  /** Ids of node agents. */
  agents: list(text(), 10_000),
})
export type FlowLogItem = Shape<typeof flowLogItemSchema>

/** Whether records can be put where the flow log wants them. */
export const flowLogFactsSchema = record({ deliverable: flag(), message: nullable(text()) })
export type FlowLogFacts = Shape<typeof flowLogFactsSchema>
