export { type Schema, type Shape } from './schema.ts'
export {
  itemKinds,
  itemSchemas,
  type AccessKeyItem,
  type Artifact,
  type DesiredItem,
  type DomainItem,
  type FirewallRule,
  type GuestInterface,
  type ImageObjectItem,
  type ItemBody,
  type ItemKind,
  type MetadataOptions,
  type VpcItem,
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
  type ConsoleBlob,
  type DomainFacts,
  type FactsOf,
  type ImageObjectFacts,
  type NodeFingerprint,
  type Observation,
  type Report,
  type VpcFacts,
  type WalrusFingerprint,
} from './observed.ts'
export {
  agentKinds,
  agentRoutes,
  contractVersion,
  type AgentKind,
  type DesiredResponse,
  type RegisterRequest,
  type RegisterResponse,
  type ReportResponse,
  type Route,
} from './routes.ts'
export { agentOpenApi } from './openapi.ts'
