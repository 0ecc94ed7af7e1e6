import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { silentLog } from '@mallee/base'
import {
  describeFlowWindows,
  describeNetworkAddresses,
  describeNetworkBytes,
  describeNetworkDriver,
  describeNetworkFrames,
  describeNetworkFlowLogs,
  describeNetworkNodes,
  describeNetworkRules,
  makeTestNetwork,
  testHostAddress,
  testPublicPool,
  whyNoTestNetwork,
  worldItems,
} from '@mallee/testkit'
import { afterAll, describe, expect, it } from 'vitest'
import { createSimulatedNetwork } from '../simulated/driver.ts'
import { openLinuxNetwork } from './driver.ts'

for (const describeContract of [describeNetworkDriver, describeFlowWindows])
  describeContract('simulated', async (use) => {
    const driver = createSimulatedNetwork()
    await use(driver)
    await driver.close()
  })

const whyNot = whyNoTestNetwork()
if (whyNot !== null) {
  console.warn(`SKIPPED: the linux network driver is not tested here, since ${whyNot}`)
  describe.skip(`network driver linux (${whyNot})`, () => it('moves packets', () => {}))
} else {
  const runDirs = new Map<string, string>()
  afterAll(async () => {
    for (const dir of runDirs.values()) await rm(dir, { recursive: true, force: true })
  })
  /** The same folder for the same namespace, as over a restart. */
  const open = async (netns: string) => {
    const runDir = runDirs.get(netns) ?? (await mkdtemp(path.join(tmpdir(), 'network-')))
    runDirs.set(netns, runDir)
    const [publicPool, nameServers] = [testPublicPool, [testHostAddress]]
    return openLinuxNetwork({ uplink: 'uplink', runDir, publicPool, nameServers, log: silentLog, netns })
  }
  for (const describeContract of [describeNetworkDriver, describeFlowWindows])
    describeContract('linux', async (use) => {
      const network = await makeTestNetwork()
      const driver = await open(network.node)
      try {
        await use(driver)
      } finally {
        await driver.removeAll()
        await driver.close()
        await network.remove()
      }
    })
  it('stands though its resolver does not start', async () => {
    const network = await makeTestNetwork()
    const runDir = await mkdtemp(path.join(tmpdir(), 'network-'))
    const driver = await openLinuxNetwork({
      ...{ uplink: 'uplink', runDir, publicPool: testPublicPool, log: silentLog, netns: network.node },
      nameServers: ['10.0.0'], // no address
    })
    try {
      await driver.apply(worldItems())
      await driver.apply(worldItems()) // when it would be revived
      const parts = await driver.inventory(worldItems())
      expect(parts.filter(({ kind }) => kind === 'dhcp')).toHaveLength(3)
    } finally {
      await driver.removeAll()
      await driver.close()
      await network.remove()
    }
  })
  describeNetworkRules('linux', open)
  describeNetworkAddresses('linux', open)
  describeNetworkBytes('linux', open)
  describeNetworkNodes('linux', open)
  describeNetworkFrames('linux', open)
  describeNetworkFlowLogs('linux', open)
}
