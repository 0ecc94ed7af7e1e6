/**
 * Guards that a world may be built without, to show that the simulation sees what they are for. Guards inside production
 * code have no switch; these were taken out by hand, and this was seen:
 * - an agent may speak only of domains of its own (report-store.ts): an instance shutting down that nobody asked for;
 * - a transaction that fails is rolled back to its savepoint (sqlite-store.ts): two of one instances of a call are there;
 * - `gone` must answer the item's newest generation (report-store.ts): a disk remains on a node.
 */
export interface Guards {
  /** A node notes durably that it is about to start, before it starts. */
  readonly noteBeforeStart: boolean
  /** A node does not take an older set than the one it holds. */
  readonly ignoreOlderRevisions: boolean
  /** Who an agent is follows from its certificate, not from what it says. */
  readonly identityByCertificate: boolean
  /** What was answered is committed. */
  readonly answerAfterCommit: boolean
}

export const allGuards: Guards = {
  noteBeforeStart: true,
  ignoreOlderRevisions: true,
  identityByCertificate: true,
  answerAfterCommit: true,
}
