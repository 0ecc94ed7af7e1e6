export {
  defineLifecycle,
  lifecycleDiagram,
  type EventOf,
  type EventSpec,
  type Lifecycle,
  type StateOf,
  type StateSpec,
} from './define-lifecycle.ts'
export { instanceLifecycle, type InstanceEvent, type InstanceState } from './instance.ts'
export { imageLifecycle, type ImageEvent, type ImageState } from './image.ts'
export { agentLifecycle, type AgentState } from './agent.ts'
export { volumeLifecycle, type VolumeEvent, type VolumeState } from './volume.ts'
export { attachmentLifecycle, type AttachmentEvent, type AttachmentState } from './volume-attachment.ts'
export { snapshotLifecycle, type SnapshotEvent, type SnapshotState } from './snapshot.ts'
export { natGatewayLifecycle, type NatGatewayEvent, type NatGatewayState } from './nat-gateway.ts'
