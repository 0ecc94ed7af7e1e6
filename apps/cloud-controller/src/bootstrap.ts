import { chmod, mkdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { must, systemRandom, writeAtomically, type Clock } from '@mallee/base'
import { createAuthority, type KeyAndCertificate } from '@mallee/pki'
import type { StateStore } from '@mallee/state-store'
import type { Keyring } from './identity/keyring.ts'
import { adminAccountName, type CloudSettings } from './settings.ts'
import { createAccount } from './store/account-store.ts'
import { ensureCloudKeys, type MakeSigningKey } from './store/bundling-key-store.ts'
import { openZones } from './store/default-network.ts'
import { defaultInstanceTypes } from './store/default-instance-types.ts'
import type { Tables } from './store/tables.ts'
import type { Wakes } from './wakes.ts'

/** What a cloud has before its first request. Every part may be run again and changes nothing that is there. */
export async function bootstrap(deps: {
  record: StateStore<Tables>
  keyring: Keyring
  settings: CloudSettings
  wakes: Wakes
  clock: Clock
  stateDir: string
  makeSigningKey: MakeSigningKey
}): Promise<void> {
  await deps.record.transaction('action', async (tx) => {
    const types = await tx.db.selectFrom('instance_type').select('name').limit(1).executeTakeFirst()
    if (!types) await tx.db.insertInto('instance_type').values(defaultInstanceTypes).execute()
    const admin = await tx.db
      .selectFrom('account')
      .select('id')
      .where('name', '=', adminAccountName)
      .executeTakeFirst()
    const { availabilityZones: zones } = deps.settings
    await openZones(tx, { zones, random: systemRandom, nowMs: deps.clock.now() })
    if (admin) return
    await createAccount(tx, deps.wakes, {
      name: adminAccountName,
      email: null,
      zones,
      keyring: deps.keyring,
      random: systemRandom,
      nowMs: deps.clock.now(),
    })
  })
  await ensureCloudKeys({ ...deps, nowMs: deps.clock.now() })
  await writeAdminCredentials(deps)
}

/** The administrator's first key, for `mallee env`; written from the record, so that a crash in between loses nothing. */
async function writeAdminCredentials(deps: {
  record: StateStore<Tables>
  keyring: Keyring
  stateDir: string
}): Promise<void> {
  const file = path.join(deps.stateDir, 'credentials.json')
  if (await exists(file)) return
  const key = await deps.record.read((db) =>
    db
      .selectFrom('access_key')
      .innerJoin('account', 'account.id', 'access_key.account_id')
      .select(['access_key.id', 'access_key.sealed_secret', 'access_key.account_id', 'account.canonical_id'])
      .where('account.name', '=', adminAccountName)
      .orderBy('access_key.created_at')
      .executeTakeFirst(),
  )
  const found = must(key, "the administrator's key")
  const credentials = {
    accountId: found.account_id,
    canonicalId: found.canonical_id,
    accessKeyId: found.id,
    secretAccessKey: deps.keyring.open(found.sealed_secret, found.id),
  }
  await writeAtomically(file, `${JSON.stringify(credentials, null, 2)}\n`)
}

/** The cloud's private authority, made at the first start. */
export async function openAuthority(stateDir: string, nowMs: number): Promise<KeyAndCertificate> {
  const dir = path.join(stateDir, 'pki')
  const file = path.join(dir, 'authority.json')
  if (await exists(file)) return JSON.parse(await readFile(file, 'utf8')) as KeyAndCertificate
  await mkdir(dir, { recursive: true, mode: 0o700 })
  const authority = await createAuthority('Mallee cloud', nowMs)
  // The certificate before the key: once the key is there, both are.
  await writeAtomically(path.join(dir, 'authority.crt'), authority.certificate, 0o644)
  await writeAtomically(file, `${JSON.stringify(authority, null, 2)}\n`)
  await chmod(dir, 0o755)
  return authority
}

async function exists(file: string): Promise<boolean> {
  try {
    await readFile(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
    throw error
  }
}
