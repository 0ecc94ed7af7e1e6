/** Prints what each bucket holds, from the index of a walrus that may run meanwhile: one JSON document a line. */
import path from 'node:path'
import { readConfig } from '@mallee/service-kit'
import { readSqliteColumn } from '@mallee/state-store'
import { walrusSchema, type WalrusConfig } from './config.ts'

const file = process.argv[2]
if (file === undefined) {
  process.stderr.write('usage: usage-main.ts CONFIG.json\n')
  process.exit(2)
}
const { dataDir } = readConfig<WalrusConfig>(walrusSchema, file)
const lines = readSqliteColumn(
  path.join(dataDir, 'index.db'),
  `select json_object('bucket', name, 'account', account_id, 'objects', coalesce(objects, 0), 'bytes', coalesce(bytes, 0),
    'pastVersions', coalesce(versions, 0), 'pastVersionBytes', coalesce(version_bytes, 0),
    'deleteMarkers', coalesce(markers, 0), 'incompleteUploads', coalesce(uploads, 0),
    'incompleteUploadBytes', coalesce(part_bytes, 0))
    from bucket left join usage on usage.bucket = name order by name`,
)
for (const line of lines) process.stdout.write(`${line}\n`)
