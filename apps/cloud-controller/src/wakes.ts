/**
 * Whom to wake after a commit. A wake is a name and never a reason; losing one costs a scan's delay and nothing else.
 */
export interface Wakes {
  instance(instanceId: string): void
  image(imageId: string): void
  /** The network of one node's instances. */
  network(nodeId: string): void
  natGateway(natGatewayId: string): void
  /** Whose records walrus takes for which bucket. */
  flowLogs(): void
  /** The access keys that walrus holds. */
  keys(): void
  /** A bundle that is made of an instance. */
  bundle(taskId: string): void
  /** A manifest that walrus is asked about. */
  manifest(id: string): void
  /** A disk in a bucket that becomes a snapshot or a volume. */
  diskImport(taskId: string): void
  /** Disks that become the volumes of an instance. */
  instanceImport(taskId: string): void
  volume(volumeId: string): void
  /** A volume's attachment to an instance. */
  attachment(attachmentId: string): void
  /** All attachments of an instance. */
  attachmentsOf(instanceId: string): void
  snapshot(snapshotId: string): void
  /** An agent's desired set has a new revision. */
  agentSet(agentId: string): void
}
