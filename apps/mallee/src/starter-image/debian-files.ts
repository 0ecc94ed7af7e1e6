import { mkdir, readdir } from 'node:fs/promises'
import path from 'node:path'
import { MalleeError } from '@mallee/base'
import { repositoryRoot } from '../layout.ts'
import { run } from '../program.ts'

/** What the image is made of, besides the kernel. */
const packages = [
  'busybox-static',
  'dropbear-bin',
  'libtomcrypt1',
  'libtommath1',
  'zlib1g',
  'libcrypt1',
  'libc6',
  'libgmp10',
  'e2fsprogs',
  'libext2fs2',
  'libcom-err2',
  'libblkid1',
  'libuuid1',
]

/** Where fetched packages stay: with them, everything else works without any network. */
const debs = path.join(repositoryRoot, '.mallee/cache/starter-debs')

/** Fetches the packages of the starter image, once. */
export async function fetchStarterPackages(): Promise<void> {
  await mkdir(debs, { recursive: true })
  if ((await debsIn(debs)).length > packages.length) return
  await run('apt-get', ['update', '-qq']).catch(() => '') // an old list may still do
  const kernel = await kernelPackage()
  await run('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', kernel, ...packages], {
    cwd: debs,
  })
}

/** Unpacks what was fetched. */
export async function unpackDebianFiles(dir: string): Promise<{ root: string; release: string }> {
  await fetchStarterPackages()
  const root = path.join(dir, 'debian')
  await mkdir(root, { recursive: true })
  for (const file of await debsIn(debs)) await run('dpkg-deb', ['-x', path.join(debs, file), root])
  const release = (await readdir(path.join(root, 'lib/modules')))[0]
  if (release === undefined)
    throw new MalleeError({ code: 'NoKernel', publicMessage: 'The kernel package holds no modules.' })
  return { root, release }
}

async function debsIn(dir: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.endsWith('.deb')).toSorted()
}

/** The kernel that the meta package stands for today. */
async function kernelPackage(): Promise<string> {
  const text = await run('apt-cache', ['depends', 'linux-image-cloud-amd64'])
  const name = /Depends: (linux-image-[0-9][^\s]*-cloud-amd64)/.exec(text)?.[1]
  if (name === undefined)
    throw new MalleeError({
      code: 'NoKernel',
      publicMessage: 'Debian offers no kernel for clouds; is apt-get update needed?',
    })
  return name
}
