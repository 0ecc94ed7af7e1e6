import { assert } from '@mallee/base'
import { bucket, diskImage } from './crash-cloud.ts'
import { until } from './until.ts'
import { newName, type Workflow } from './workflow.ts'

let number = 1

/** Bytes are put into walrus, registered as an image, inspected, and then removed again. */
export const importImage: Workflow = {
  name: 'import',
  daemons: ['cloud', 'walrus'],
  fromStart: false,
  async prepare(world) {
    const name = newName('image')
    const bytes = diskImage((number += 1))
    const key = `/${bucket}/${name}.img`
    let [stored, imageId]: [boolean, string | null] = [false, null]
    const put = async () => (await world.client.s3('PUT', key, bytes))?.status === 200
    const register = async () => {
      const answer = await world.client.ec2('RegisterImage', {
        Name: name,
        ImageLocation: `${bucket}/${name}.img`,
        Architecture: 'x86_64',
        VirtualizationType: 'hvm',
        RootDeviceName: '/dev/sda1',
      })
      return answer?.status === 200 ? (answer.xml.imageId as string) : null
    }
    const images = async (): Promise<{ imageId: string; imageState: string; name: string }[]> => {
      const answer = await world.client.ec2('DescribeImages', { 'Owner.1': 'self' }, true)
      if (answer?.status !== 200) throw new Error('no answer')
      return (answer.xml.imagesSet?.item ?? []).filter((image: { name: string }) => image.name === name)
    }
    return {
      async act() {
        stored = await put()
        if (stored) imageId = await register()
      },
      isDone: async () => (await images())[0]?.imageState === 'available',
      async settle() {
        const present = await until('walrus', async () => {
          const answer = await world.client.s3('GET', key, undefined, true)
          return [200, 404].includes(answer?.status ?? 0) && answer // 503 until it has its keys again
        })
        assert(present.status === 200 || !stored, 'an object was acknowledged and is lost')
        if (!stored) await until('the object, repeated', put)
        const rows = await images()
        assert(rows.length <= 1, `one registration made ${rows.length} images`)
        if (imageId !== null) assert(rows[0]?.imageId === imageId, `${imageId} was acknowledged and is lost`)
        const id = rows[0]?.imageId ?? (await until('the registration, repeated', register))
        await until('the image', async () => (await images())[0]?.imageState === 'available')
        await until('the object of the image', async () => {
          const answer = await world.client.s3('GET', key, undefined, true)
          return answer?.status === 200 && answer.bytes.equals(bytes)
        })
        await until(
          'deregistration',
          async () => (await world.client.ec2('DeregisterImage', { ImageId: id }))?.status === 200,
        )
        await until('deletion', async () => (await world.client.s3('DELETE', key))?.status === 204)
      },
    }
  },
}
