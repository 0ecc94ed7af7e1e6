export {
  type AuditBlob,
  type AuditLine,
  type AuditResponse,
  type TrailFile,
  type TrailFilesRequest,
  type TrailFilesResponse,
} from './audit.ts'
export { identityDocument, imageIdOf, primaryInterface } from './identity-document.ts'
export { type Schema, type Shape } from './schema.ts'
export {
  itemKinds,
  itemSchemas,
  type AccessKeyItem,
  type PrincipalItem,
  type SessionKeyItem,
  type Artifact,
  type BundleItem,
  type BundlingKeyItem,
  type DesiredItem,
  type DomainItem,
  type GuestInterface,
  type ImageObjectItem,
  type ItemBody,
  type ItemKind,
  type ManifestItem,
  type MetadataOptions,
} from './desired.ts'
export {
  inventoryKinds,
  type InventoryBlob,
  type InventoryEntry,
  type InventoryItem,
  type InventoryKind,
  type InventoryRemoval,
} from './inventory.ts'
export {
  factSchemas,
  maxBlobBytes,
  nodeFingerprintSchema,
  walrusFingerprintSchema,
  type AccessKeyFacts,
  type BundleFacts,
  type ConsoleBlob,
  type DomainFacts,
  type FactsOf,
  type ImageObjectFacts,
  type ManifestFacts,
  type NodeFingerprint,
  type Observation,
  type PluggedInterface,
  type Report,
  type Sample,
  type SamplesBlob,
  type ScreenshotBlob,
  type VpcFacts,
  type WalrusFingerprint,
} from './observed.ts'
export {
  storageFingerprintSchema,
  type AttachedFacts,
  type AttachedVolume,
  type ConnectionItem,
  type ExportFacts,
  type ExportItem,
  type Portal,
  type ReadableSnapshotFacts,
  type ReadableSnapshotItem,
  type SnapshotFacts,
  type SnapshotIndex,
  type SnapshotKeyItem,
  type SnapshotItem,
  type StorageFingerprint,
  type VolumeFacts,
  type VolumeItem,
  type WrittenBlocks,
} from './storage.ts'
export {
  agentKinds,
  agentRoutes,
  contractVersion,
  type AgentKind,
  type DesiredResponse,
  type RegisterRequest,
  type RegisterResponse,
  type ReportResponse,
  type RoleCredentials,
  type Route,
} from './routes.ts'
export { agentOpenApi } from './openapi.ts'
export { type DiskImportFacts, type DiskImportItem } from './disk-imports.ts'
export {
  flowLogFields,
  type FlowLog,
  type FlowLogFacts,
  type FlowLogField,
  type FlowLogItem,
} from './flow-logs.ts'
export { type AclEntry, type FirewallRule, type VpcItem, type VpcRoute } from './networks.ts'
