import { createHash } from 'node:crypto'
import { MalleeError } from '@mallee/base'
import { requireDiskFormat } from './convert-disk.ts'
import type { ImageTools } from './image-tools.ts'
import { writeDisk } from './write-disk.ts'

/** What the administrator's door says of an image. */
interface ImagePlace {
  readonly accountId: string
  readonly state: string
  readonly bucket: string
  readonly key: string
  readonly format: string | null
  readonly sha256: string | null
}

const refused = (publicMessage: string) => new MalleeError({ code: 'NotDownloadable', publicMessage })

/** Fetches an image's disk and writes it in a format; its digest is checked before the file has its name. */
export async function downloadImage(
  { client, accountId, admin }: ImageTools,
  imageId: string,
  target: { readonly file: string; readonly format: string },
): Promise<void> {
  requireDiskFormat(target.format)
  const place = await admin<ImagePlace>('GET', `/admin/v1/images/${encodeURIComponent(imageId)}`)
  const { bucket, key, format, sha256 } = place
  if (place.state !== 'available' || format === null || sha256 === null)
    throw refused(`${imageId} is ${place.state}.`)
  if (place.accountId !== accountId)
    throw refused(
      `${imageId} belongs to the account ${place.accountId}, whose object ${bucket}/${key} it is.`,
    )
  const object = await client.getObject(bucket, key)
  if (!object) throw refused(`The object ${bucket}/${key} of ${imageId} is not there any more.`)
  await writeDisk({ bytes: verified(object, sha256), format }, target)
}

async function* verified(bytes: AsyncIterable<Buffer>, sha256: string): AsyncGenerator<Buffer, void, void> {
  const hash = createHash('sha256')
  for await (const chunk of bytes) {
    hash.update(chunk)
    yield chunk
  }
  if (hash.digest('hex') !== sha256) throw refused('What arrived is not what was registered.')
}
