import {
  chmod,
  cp,
  mkdir,
  readFile,
  rm,
  symlink,
  utimes,
  writeFile,
  lstat,
  readdir,
  lutimes,
} from 'node:fs/promises'
import path from 'node:path'
import { MiB } from '@mallee/base'
import { run } from '../program.ts'
import { unpackDebianFiles } from './debian-files.ts'

/**
 * A guest of Debian's own files that boots under emulation in seconds: kernel, a ramdisk with the drivers of its disk,
 * and a disk with busybox and an ssh server. The same packages give the same bytes: every time, id and order is fixed.
 */
export interface StarterImage {
  readonly kernel: string
  readonly ramdisk: string
  readonly disk: string
}

/** 2024-01-01; no clock of the build gets into the image. */
const epochSeconds = 1_704_067_200
const diskBytes = 24 * MiB
const firstSector = 2048
const fileSystemUuid = '6d616c6c-6565-4000-8000-000000000001'
const diskSignature = '0x6d616c6c'

/** In the order of their dependencies: virtio_ring before virtio, or symbols are missing. */
const modules = [
  'kernel/drivers/virtio/virtio_ring',
  'kernel/drivers/virtio/virtio',
  'kernel/drivers/virtio/virtio_pci_legacy_dev',
  'kernel/drivers/virtio/virtio_pci_modern_dev',
  'kernel/drivers/virtio/virtio_pci',
  'kernel/drivers/virtio/virtio_mmio',
  'kernel/drivers/block/virtio_blk',
  'kernel/net/core/failover',
  'kernel/drivers/net/net_failover',
  'kernel/drivers/net/virtio_net',
  'kernel/drivers/acpi/button',
  'kernel/drivers/input/evdev',
  'kernel/drivers/char/hw_random/virtio-rng',
  'kernel/drivers/scsi/scsi_common',
  'kernel/drivers/scsi/scsi_mod',
  'kernel/drivers/ata/libata',
  'kernel/drivers/ata/ata_piix',
  'kernel/drivers/scsi/sd_mod',
]

const libraries = [
  'lib64/ld-linux-x86-64.so.2',
  'lib/x86_64-linux-gnu/libc.so.6',
  'lib/x86_64-linux-gnu/libcrypt.so.1',
  'lib/x86_64-linux-gnu/libz.so.1',
  'usr/lib/x86_64-linux-gnu/libtomcrypt.so.1',
  'usr/lib/x86_64-linux-gnu/libtommath.so.1',
  'usr/lib/x86_64-linux-gnu/libgmp.so.10',
  'lib/x86_64-linux-gnu/libext2fs.so.2',
  'lib/x86_64-linux-gnu/libcom_err.so.2',
  'usr/lib/x86_64-linux-gnu/libblkid.so.1',
  'usr/lib/x86_64-linux-gnu/libuuid.so.1',
  'lib/x86_64-linux-gnu/libe2p.so.2',
]

const guestFile = (name: string) => path.join(import.meta.dirname, 'guest', name)

export async function buildStarterImage(options: { dir: string }): Promise<StarterImage> {
  const { dir } = options
  const debian = await unpackDebianFiles(dir)
  const kernel = path.join(dir, 'vmlinuz')
  await cp(path.join(debian.root, `boot/vmlinuz-${debian.release}`), kernel)
  const ramdisk = await buildRamdisk(dir, debian)
  const disk = await buildDisk(dir, debian.root)
  return { kernel, ramdisk, disk }
}

async function buildRamdisk(dir: string, debian: { root: string; release: string }): Promise<string> {
  const root = path.join(dir, 'ramdisk')
  await rm(root, { recursive: true, force: true })
  await mkdir(path.join(root, 'bin'), { recursive: true })
  await mkdir(path.join(root, 'modules'))
  await cp(path.join(debian.root, 'bin/busybox'), path.join(root, 'bin/busybox'))
  for (const module of modules) {
    const file = path.join(debian.root, 'lib/modules', debian.release, `${module}.ko`)
    await cp(file, path.join(root, 'modules', `${path.basename(module)}.ko`))
  }
  await writeFile(
    path.join(root, 'modules/order'),
    `${modules.map((module) => path.basename(module)).join('\n')}\n`,
  )
  await cp(guestFile('init'), path.join(root, 'init'))
  await chmod(path.join(root, 'init'), 0o755)
  await fixTimes(root)
  const names = (await listTree(root)).map((name) => `./${name}`)
  const archive = path.join(dir, 'initrd')
  await run('sh', ['-c', `cpio --quiet --reproducible -o -H newc -R 0:0 > "${archive}"`], {
    cwd: root,
    input: `${['.', ...names].join('\n')}\n`,
  })
  await run('gzip', ['-n', '-9', '-f', archive])
  return `${archive}.gz`
}

async function buildDisk(dir: string, debian: string): Promise<string> {
  const root = path.join(dir, 'root')
  await rm(root, { recursive: true, force: true })
  await layRoot(root, debian)
  await fixTimes(root)
  const partition = path.join(dir, 'root.ext4')
  await rm(partition, { force: true })
  const features = '^has_journal,^metadata_csum,^64bit,^orphan_file'
  const sizeKiB = (diskBytes - firstSector * 512) / 1024
  await run(
    'mke2fs',
    [
      '-q',
      '-F',
      '-t',
      'ext4',
      '-I',
      '128',
      '-m',
      '0',
      '-L',
      'mallee',
      '-U',
      fileSystemUuid,
      '-E',
      `hash_seed=${fileSystemUuid},root_owner=0:0`,
      '-O',
      features,
      '-d',
      root,
      partition,
      `${sizeKiB}k`,
    ],
    {
      env: {
        ...process.env,
        E2FSPROGS_FAKE_TIME: String(epochSeconds),
        SOURCE_DATE_EPOCH: String(epochSeconds),
      },
    },
  )
  await fixInodes(partition)
  const disk = path.join(dir, 'starter.img')
  const fileSystem = await readFile(partition)
  const image = Buffer.alloc(diskBytes)
  fileSystem.copy(image, firstSector * 512)
  await writeFile(disk, image)
  await run('sfdisk', ['-q', disk], {
    input: `label: dos\nlabel-id: ${diskSignature}\nstart=${firstSector}, type=83, bootable\n`,
  })
  return disk
}

async function layRoot(root: string, debian: string): Promise<void> {
  const folders = [
    'bin',
    'sbin',
    'dev',
    'proc',
    'sys',
    'run',
    'tmp',
    'mnt',
    'root',
    'lib64',
    'lib/x86_64-linux-gnu',
    'usr/bin',
    'usr/sbin',
    'usr/lib/x86_64-linux-gnu',
    'etc/init.d',
    'etc/mallee',
    'etc/dropbear',
    'etc/acpi/PWRF',
    'var/log',
    'var/lib/mallee',
  ]
  for (const folder of folders) await mkdir(path.join(root, folder), { recursive: true })
  const put = (name: string, from: string, mode = 0o755) =>
    cp(from, path.join(root, name), { dereference: true }).then(() => chmod(path.join(root, name), mode))
  await put('bin/busybox', path.join(debian, 'bin/busybox'))
  const applets = (await run(path.join(root, 'bin/busybox'), ['--list']))
    .split('\n')
    .filter((name) => name !== '' && name !== 'busybox' && name !== 'mke2fs')
  for (const applet of applets) await symlink('/bin/busybox', path.join(root, 'bin', applet))
  await symlink('/bin/busybox', path.join(root, 'sbin/init'))
  await put('sbin/mke2fs', path.join(debian, 'sbin/mke2fs'))
  await put('usr/sbin/dropbear', path.join(debian, 'usr/sbin/dropbear'))
  await put('usr/bin/dropbearkey', path.join(debian, 'usr/bin/dropbearkey'))
  for (const library of libraries) await put(library, path.join(debian, library))
  await put('etc/inittab', guestFile('inittab'), 0o644)
  await put('etc/init.d/start', guestFile('start'))
  await put('etc/mallee/metadata.sh', guestFile('metadata.sh'), 0o644)
  await put('etc/udhcpc.script', guestFile('udhcpc.script'))
  await put('etc/acpi/PWRF/00000080', guestFile('power.sh'))
  const texts: Record<string, string> = {
    'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\n',
    'etc/group': 'root:x:0:\n',
    'etc/shadow': 'root:*:19000:0:99999:7:::\n',
    'etc/shells': '/bin/sh\n',
    'etc/hosts': '127.0.0.1 localhost\n',
    'etc/hostname': 'starter\n',
    'etc/mke2fs.conf':
      '[defaults]\n\tbase_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr\n\tblocksize = 4096\n\tinode_size = 256\n\tinode_ratio = 16384\n',
    'etc/issue': 'Mallee starter image\n',
  }
  for (const [name, text] of Object.entries(texts))
    await writeFile(path.join(root, name), text, { mode: name === 'etc/shadow' ? 0o600 : 0o644 })
  await symlink('/run/resolv.conf', path.join(root, 'etc/resolv.conf'))
  await chmod(path.join(root, 'root'), 0o700)
}

/** Names below a folder, sorted, folders before what is in them. */
async function listTree(root: string): Promise<string[]> {
  const names = await readdir(root, { recursive: true })
  return names.toSorted()
}

async function fixTimes(root: string): Promise<void> {
  for (const name of (await listTree(root)).toReversed()) {
    const file = path.join(root, name)
    if ((await lstat(file)).isSymbolicLink()) await lutimes(file, epochSeconds, epochSeconds)
    else await utimes(file, epochSeconds, epochSeconds)
  }
  await utimes(root, epochSeconds, epochSeconds)
}

/** mke2fs copies the host's change and access times into inodes; they are set to the fixed time one by one. */
async function fixInodes(partition: string): Promise<void> {
  const stats = await run('dumpe2fs', ['-h', partition])
  const count = Number(/Inode count:\s+(\d+)/.exec(stats)?.[1])
  const free = Number(/Free inodes:\s+(\d+)/.exec(stats)?.[1])
  const commands: string[] = []
  for (let inode = 1; inode <= count - free; inode += 1) {
    for (const field of ['ctime', 'atime', 'mtime']) {
      commands.push(`sif <${inode}> ${field} @${epochSeconds}`)
    }
  }
  const script = `${partition}.debugfs`
  await writeFile(script, `${commands.join('\n')}\n`)
  await run('debugfs', ['-w', '-f', script, partition], {
    env: { ...process.env, E2FSPROGS_FAKE_TIME: String(epochSeconds) },
  })
  await rm(script)
}
