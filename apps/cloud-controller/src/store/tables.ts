import type { Generated } from 'kysely'
import type { AgentState, InstanceState } from '@mallee/lifecycles'
import type { AgentKind } from '@mallee/agent-contract'
import type { AccessKeyTable, IdentityTables, UserTable } from './identity-tables.ts'
import type { AuditTables } from './audit-tables.ts'
import type { DiskImportTable } from './disk-import-store.ts'
import type { InstanceImportTable } from './instance-import-store.ts'
import type {
  BundleTaskTable,
  BundlingKeyTable,
  ImagePermissionTable,
  ImageTable,
  ImportTaskTable,
  ManifestTable,
} from './image-tables.ts'
import type {
  AddressTable,
  NetworkInterfaceAddressTable,
  NetworkInterfaceGroupTable,
  NetworkInterfaceTable,
  SecurityGroupRuleTable,
  SecurityGroupTable,
  SubnetTable,
  VpcCidrTable,
  VpcTable,
} from './network-tables.ts'
import type { RoutingTables } from './routing-tables.ts'
import type {
  ImageBlockDeviceTable,
  SnapshotPermissionTable,
  SnapshotTable,
  EbsEncryptionTable,
  VolumeAttachmentTable,
  VolumeExportTable,
  VolumeModificationTable,
  VolumeTable,
} from './volume-tables.ts'

export type { AccessKeyTable, UserTable } from './identity-tables.ts'
export type {
  AddressTable,
  NetworkInterfaceGroupTable,
  NetworkInterfaceTable,
  SecurityGroupRuleTable,
  SecurityGroupTable,
  SubnetTable,
  VpcTable,
} from './network-tables.ts'
export type {
  ImageBlockDeviceTable,
  SnapshotTable,
  EbsEncryptionTable,
  VolumeAttachmentTable,
  VolumeExportTable,
  VolumeModificationTable,
  VolumeTable,
} from './volume-tables.ts'
export type {
  BundleTaskTable,
  BundlingKeyTable,
  ImageTable,
  ImportTaskTable,
  ManifestTable,
} from './image-tables.ts'

/**
 * The record's tables as TypeScript. Times are milliseconds since the epoch, booleans 0 or 1, addresses unsigned
 * numbers, JSON is text. Whoever adds a column adds a migration beside it.
 */
export type Bit = 0 | 1

export interface SettingTable {
  name: string
  value: string
}

export interface AccountTable {
  id: string
  name: string
  email: string | null
  canonical_id: string
  /** Whether its keys may sign by Signature Version 2 where the cloud does not allow that to all. */
  legacy_signatures: Bit
  created_at: number
}

/** A user's X.509 certificate, which signs SOAP messages. */
export interface SigningCertificateTable {
  id: string
  account_id: string
  user_id: string
  /** SHA-256 of the certificate in DER, lower-case hex; one user only may have it. */
  digest: string
  /** PEM, as it was uploaded. */
  certificate: string
  enabled: Bit
  created_at: number
}

/** A signed message that was taken; kept until it would be refused for its age. */
export interface SoapMessageTable {
  digest: string
  expires_at: number
}

export interface QuotaTable {
  account_id: string
  name: string
  value: number
}

export interface KeyPairTable {
  id: string
  account_id: string
  name: string
  type: 'rsa' | 'ed25519'
  fingerprint: string
  public_key: string
  created_at: number
}

export interface LaunchTemplateTable {
  id: string
  account_id: string
  name: string
  created_at: number
  /** ARN of the caller who made it. */
  created_by: string
  default_version: number
  latest_version: number
}

export interface LaunchTemplateVersionTable {
  template_id: string
  version: number
  description: string | null
  created_at: number
  created_by: string
  /** The template's data as JSON of EC2's RequestLaunchTemplateData. */
  data: string
}

export interface PlacementGroupTable {
  id: string
  account_id: string
  name: string
  strategy: 'cluster' | 'spread' | 'partition'
  /** Of a partition group, how many partitions it has. */
  partition_count: number | null
  created_at: number
}

/** What a caller said of an instance by ReportInstanceStatus. */
export interface StatusReportTable {
  id: string
  account_id: string
  instance_id: string
  at: number
  status: string
  /** JSON list. */
  reasons: string
  description: string | null
  start_time: number | null
  end_time: number | null
}

/** What a node measured of a guest in one period. Bytes are those of the period, CPU is percent of its vCPUs. */
export interface SampleTable {
  instance_id: string
  at: number
  period_seconds: number
  cpu_percent: number
  disk_read_bytes: number
  disk_write_bytes: number
  network_in_bytes: number
  network_out_bytes: number
}

export interface ScreenshotTable {
  instance_id: string
  count: number
  taken_at: number
  /** Base64 of a JPEG or PNG. */
  image: string
}

export interface InstanceTypeTable {
  name: string
  vcpus: number
  memory_mib: number
  disk_gib: number
}

export interface AgentTable {
  id: string
  kind: AgentKind
  name: string
  availability_zone: string
  state: AgentState
  /** Revision of its desired set. */
  revision: number
  /** Highest revision that was ever sent to it. */
  sent_revision: number
  /** Sequence of its newest report. */
  sequence: number
  fingerprint: string | null
  /** Ids on the host that no item declares, as it reported them. */
  undeclared: string
  silent_since: number | null
  joined_at: number
  /** Since when the admin wants it empty; it is disabled as well. */
  draining_since: number | null
  /** Grows with every change of what the scheduler looks at. */
  usage_revision: number
}

export interface JoinTokenTable {
  /** SHA-256 of the secret. */
  digest: string
  kind: AgentKind
  availability_zone: string
  expires_at: number
  used_by: string | null
  /** SHA-256 of the public key that the token was used for. */
  key_digest: string | null
}

export interface DesiredItemTable {
  agent_id: string
  kind: string
  id: string
  generation: number
  digest: string
  body: string
  /** The agent's revision in which the body last changed. */
  revision: number
}

export interface InstanceTable {
  id: string
  account_id: string
  user_id: string
  reservation_id: string
  launch_index: number
  image_id: string
  kernel_id: string | null
  ramdisk_id: string | null
  instance_type: string
  vcpus: number
  memory_mib: number
  disk_gib: number
  availability_zone: string
  vpc_id: string
  subnet_id: string
  key_name: string | null
  public_key: string | null
  user_data: string | null
  client_token: string | null
  uuid: string
  /** Metadata options of the instance, as JSON of the agent contract's shape. */
  metadata_options: string
  state: InstanceState
  state_reason_code: string | null
  state_reason_message: string | null
  state_changed_at: number
  desired: 'running' | 'stopped' | 'terminated'
  generation: number
  node_id: string | null
  incarnation: number
  /** Restarts in a row that did not live long; each waits longer. */
  restarts: number
  reboot_count: number
  console_count: number
  launched_at: number
  /** Of the request that last moved it; null where none is known. */
  request_id: string | null
  /** W3C trace context of that request. */
  trace_parent: string | null
  /** Grows when the instance begins or ceases to use its node and its account's quota. */
  usage_revision: number
  api_termination_disabled: Bit
  api_stop_disabled: Bit
  /** What the guest's own shutdown means; with an instance store it is always `terminate`. */
  shutdown_behavior: 'stop' | 'terminate'
  monitoring: Bit
  screenshot_count: number
  placement_group_id: string | null
  /** Of a partition group, from 1. */
  partition_number: number | null
  launch_template_id: string | null
  launch_template_version: number | null
  root_device_type: 'instance-store' | 'ebs'
  /** Null of an instance from before it was kept: its image's. */
  root_device_name: string | null
  /** Instance-store devices beside the root, as JSON of `{ device, virtualName }`; null where there are none. */
  ephemerals: string | null
  /** Whether its guest is ended without being asked, when it is stopped. */
  stop_forced: Bit
}

export interface DomainTable {
  /** `i-…/1`. */
  id: string
  instance_id: string
  incarnation: number
  node_id: string
  intent: 'run' | 'release' | 'remove'
  created_at: number
  observed_state: 'preparing' | 'running' | 'ended' | 'failed' | 'gone' | null
  observed_generation: number | null
  end_reason: string | null
  message: string | null
  started_at: number | null
  disk_lost: Bit
  reboot_count: number
  accelerator: string | null
  observed_at: number | null
  /** How it is with its volumes, as JSON of the contract's facts; null where it has none. */
  volumes: string | null
}

export interface ReservationTable {
  id: string
  account_id: string
  created_at: number
}

export interface ClientTokenTable {
  account_id: string
  action: string
  token: string
  /** Digest of the request's parameters: the same token with others is refused. */
  parameters: string
  result: string
  created_at: number
}

export interface TagTable {
  account_id: string
  resource_id: string
  resource_type: string
  key: string
  value: string
}

export interface EventTable {
  id: string
  at: number
  account_id: string
  user_id: string
  access_key_id: string
  action: string
  request_id: string
  resources: string
  /** Of a transition, `action` is the lifecycle's event; null where this is an action. */
  from_state: string | null
  to_state: string | null
  reason: string | null
}

/** Finds the events of a resource. */
export interface EventResourceTable {
  resource_id: string
  event_id: string
}

/** What an agent last found on its host, as JSON of the contract's blob. */
export interface InventoryTable {
  agent_id: string
  count: number
  taken_at: number
  body: string
}

export interface DecisionTable {
  instance_id: string
  at: number
  record: string
}

export interface ConsoleTable {
  instance_id: string
  count: number
  taken_at: number
  output: string
}

/** Columns that the database fills where an insert leaves them out. */
type Defaulted<Row, Columns extends keyof Row> = Omit<Row, Columns> & {
  [Column in Columns]: Generated<Row[Column]>
}

export interface Tables extends RoutingTables, IdentityTables, AuditTables {
  setting: SettingTable
  account: AccountTable
  user: Defaulted<UserTable, 'path' | 'is_root' | 'password_used_at' | 'info'>
  access_key: Defaulted<AccessKeyTable, 'used_at' | 'used_service' | 'used_region'>
  signing_certificate: SigningCertificateTable
  soap_message: SoapMessageTable
  quota: QuotaTable
  vpc: Defaulted<VpcTable, 'dns_support' | 'dns_hostnames'>
  vpc_cidr: VpcCidrTable
  subnet: SubnetTable
  security_group: SecurityGroupTable
  security_group_rule: SecurityGroupRuleTable
  network_interface: Defaulted<NetworkInterfaceTable, 'type' | 'requester_managed' | 'delete_on_termination'>
  network_interface_address: NetworkInterfaceAddressTable
  network_interface_group: NetworkInterfaceGroupTable
  address: AddressTable
  key_pair: KeyPairTable
  image: Defaulted<
    ImageTable,
    'disabled' | 'has_disk' | 'root_device_type' | 'source_instance_id' | 'create_phase'
  >
  image_block_device: ImageBlockDeviceTable
  volume: Defaulted<VolumeTable, 'auto_enable_io'>
  volume_attachment: Defaulted<VolumeAttachmentTable, 'forced' | 'exports'>
  volume_export: Defaulted<VolumeExportTable, 'withdrawn'>
  volume_modification: VolumeModificationTable
  ebs_encryption: Defaulted<EbsEncryptionTable, 'by_default'>
  snapshot: Defaulted<SnapshotTable, 'is_public' | 'present' | 'progress' | 'taken'>
  snapshot_permission: SnapshotPermissionTable
  bundling_key: BundlingKeyTable
  import_task: ImportTaskTable
  disk_import: DiskImportTable
  instance_import: InstanceImportTable
  bundle_task: BundleTaskTable
  manifest: ManifestTable
  instance_type: InstanceTypeTable
  agent: AgentTable
  join_token: JoinTokenTable
  desired_item: DesiredItemTable
  instance: Defaulted<
    InstanceTable,
    | 'api_termination_disabled'
    | 'api_stop_disabled'
    | 'shutdown_behavior'
    | 'monitoring'
    | 'screenshot_count'
    | 'root_device_type'
    | 'root_device_name'
    | 'ephemerals'
    | 'stop_forced'
  >
  domain: Defaulted<DomainTable, 'volumes'>
  reservation: ReservationTable
  client_token: ClientTokenTable
  tag: TagTable
  event: EventTable
  event_resource: EventResourceTable
  inventory: InventoryTable
  decision: DecisionTable
  console: ConsoleTable
  screenshot: ScreenshotTable
  sample: SampleTable
  status_report: StatusReportTable
  image_permission: ImagePermissionTable
  launch_template: LaunchTemplateTable
  launch_template_version: LaunchTemplateVersionTable
  placement_group: PlacementGroupTable
}
