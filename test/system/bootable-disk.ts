import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import type { TestHost } from '@mallee/testkit'

const grub = '/usr/lib/grub/i386-pc'
const firstSector = 2048
const sectorBytes = 512
/** Before the table of partitions. */
const bootCodeBytes = 440

const menu = `set root=(hd0,msdos1)
linux /vmlinuz root=/dev/vda1 console=ttyS0 quiet
initrd /initrd.gz
boot
`

/**
 * The starter's disk as another cloud would have it: with kernel, ramdisk and a boot loader on it, so that it needs nothing
 * beside it, not even a key pair: `ownerKey` is let in.
 */
export async function bootableDisk(host: TestHost, file: string, ownerKey: string): Promise<void> {
  const starter = `${host.stateDir}/starter`
  const partition = `${file}.ext4`
  copyFileSync(`${starter}/root.ext4`, partition)
  await host.must('resize2fs', [partition, '48M'])
  writeFileSync(`${file}.key`, ownerKey)
  const writes = [
    `write ${starter}/vmlinuz vmlinuz`,
    `write ${starter}/initrd.gz initrd.gz`,
    'mkdir root/.ssh',
    `write ${file}.key root/.ssh/authorized_keys`,
  ]
  writeFileSync(`${file}.debugfs`, `${writes.join('\n')}\n`)
  await host.must('debugfs', ['-w', '-f', `${file}.debugfs`, partition])
  writeFileSync(`${file}.menu`, menu)
  const modules = ['biosdisk', 'part_msdos', 'ext2', 'linux', 'boot']
  const image = ['-O', 'i386-pc', '-o', `${file}.core`, '-p', '/', '-c', `${file}.menu`]
  await host.must('grub-mkimage', [...image, ...modules])

  const bytes = Buffer.alloc(firstSector * sectorBytes + statSync(partition).size)
  readFileSync(partition).copy(bytes, firstSector * sectorBytes)
  writeFileSync(file, bytes)
  await host.must('sfdisk', ['-q', file], { input: `label: dos\nstart=${firstSector}, type=83, bootable\n` })
  const disk = readFileSync(file)
  readFileSync(`${grub}/boot.img`).copy(disk, 0, 0, bootCodeBytes)
  readFileSync(`${file}.core`).copy(disk, sectorBytes) // where boot.img looks for it unless it is told otherwise
  writeFileSync(file, disk)
}
