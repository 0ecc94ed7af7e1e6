import type { AwsClient } from '../src/cloud-client.ts'
import { waitForImage } from '../src/commands/image.ts'
import type { DaemonsUnderTest } from './daemons-under-test.ts'

/** Of a small image, running on the simulated hypervisor. */
export async function twoInstances(daemons: DaemonsUnderTest, client: AwsClient): Promise<[string, string]> {
  const disk = Buffer.alloc(2 * 1024 ** 2)
  disk.writeUInt16LE(0xaa55, 510)
  disk[446 + 4] = 0x83
  disk.writeUInt32LE(2048, 454)
  disk.writeUInt32LE(2048, 458)
  await client.createBucket('images')
  await client.putBytes('images', 'disk.raw', disk)
  const image = await client.ec2('RegisterImage', { Name: 'small', ImageLocation: 'images/disk.raw' })
  await waitForImage(client, image.imageId as string)
  await client.ec2('RunInstances', { ImageId: image.imageId as string, MinCount: 2, MaxCount: 2 })
  return daemons.eventually(async () => {
    const answer = await client.ec2('DescribeInstances')
    const found = answer.reservationSet.item[0].instancesSet.item as {
      instanceId: string
      instanceState: { name: string }
    }[]
    if (found.some(({ instanceState }) => instanceState.name !== 'running')) return null
    return found.map(({ instanceId }) => instanceId) as [string, string]
  }) as Promise<[string, string]>
}
