export { startIsolatedLibvirtd, whyNoIsolatedLibvirtd } from './isolated-libvirtd.ts'
export type { IsolatedLibvirtd, IsolatedLibvirtdOptions } from './isolated-libvirtd.ts'
export { startPrivatePostgres, whyNoPostgres, type PrivatePostgres } from './private-postgres.ts'
export {
  makeTestNetwork,
  testHostAddress,
  testPublicPool,
  whyNoTestNetwork,
  type TestNetwork,
} from './test-network.ts'
export { makeTestLan, type TestLan } from './test-lan.ts'
export type { GuestAnswer, TestGuest } from './test-guest.ts'
export { describeNetworkBytes } from '../contracts/network-bytes.ts'
export { describeNetworkDriver } from '../contracts/network.ts'
export { describeFlowWindows, describeNetworkFlowLogs } from '../contracts/network-flow-logs.ts'
export { describeNetworkRules } from '../contracts/network-rules.ts'
export { describeNetworkAddresses } from '../contracts/network-addresses.ts'
export { describeNetworkNodes } from '../contracts/network-nodes.ts'
export { describeNetworkFrames } from '../contracts/network-frames.ts'
export { worldItems, type NetworkDriverUnderTest } from '../contracts/network-driver.ts'
export { CloudClient, type Guest } from './cloud-client.ts'
export { TestHost, until, type Outcome } from './test-host.ts'
export { describeHypervisorDriver, type HypervisorWorld } from '../contracts/hypervisor.ts'
export { describeBlockDriver, type BlockDriverUnderTest, type BlockWorld } from '../contracts/block.ts'
export { TestMachine } from './test-machine.ts'
export { Chapters } from './story.ts'
export { OpenDisk, qemuIo, type Access } from './iscsi-client.ts'
export { startPrivateCeph, whyNoCeph, type PrivateCeph } from './private-ceph.ts'
export { freePort } from './free-port.ts'
export { nodeConnections } from './node-connections.ts'
