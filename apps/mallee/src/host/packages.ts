import { rm, writeFile } from 'node:fs/promises'
import { run } from '../program.ts'

/** What the cloud needs of Debian 12, and what each is for. */
export const debianPackages: Readonly<Record<string, string>> = {
  'libvirt-daemon-system': 'the hypervisor daemon',
  'libvirt-daemon-driver-qemu': 'its QEMU driver',
  'libvirt-clients': 'virsh, for people who debug',
  'qemu-system-x86': 'the machines',
  'qemu-system-common': 'its storage daemon, for encrypted volumes and those that still come out of walrus',
  'qemu-block-extra': 'iSCSI in QEMU',
  'qemu-utils': 'qemu-img, for overlays',
  'dnsmasq-base': 'DHCP and DNS for guests',
  nftables: 'security groups and NAT',
  iproute2: 'namespaces, bridges and taps',
  conntrack: 'cutting flows of revoked rules',
  'iputils-arping': 'telling neighbours where a public address is now',
  xsltproc: 'instance.xml to domain XML',
  tgt: 'iSCSI targets',
  xfsprogs: 'a file system that clones, where the machine has none',
  'busybox-static': 'the starter image',
  cpio: 'the starter image',
  fdisk: 'the starter image',
  e2fsprogs: 'the starter image, and disks of images that are one partition',
  'openssh-client': 'logging in to guests',
  'util-linux': 'nsenter and unshare',
  awscli: 'the client that the README shows',
}

/** Names of packages that are not installed. */
export async function missingPackages(
  names: readonly string[] = Object.keys(debianPackages),
): Promise<string[]> {
  const text = await run('dpkg-query', ['-W', '-f', '${Package} ${db:Status-Status}\n']).catch(() => '')
  const installed = new Set(
    text
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]!),
  )
  return names.filter((name) => !installed.has(name))
}

/** Debian's way to say that a package's services are not to be started; theirs are not the ones that we use. */
const policyFile = '/usr/sbin/policy-rc.d'

/** Installs packages and nothing else: the services that they bring stay as they are. */
export async function installPackages(names: readonly string[]): Promise<void> {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-qq'], { env })
  const ours = await writeFile(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755, flag: 'wx' }).then(
    () => true,
    () => false, // the machine has a policy of its own
  )
  try {
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { env })
  } finally {
    if (ours) await rm(policyFile, { force: true })
  }
}

/** What `./mallee test` needs besides. */
export const testPackages: readonly string[] = [
  'python3-botocore',
  'python3-boto3',
  'python3-boto',
  'python3-libcloud',
  'python3-zeep',
  'python3-xmlsec',
  's3cmd',
  'rclone',
  'restic',
  's3fs',
  // A disk that boots by itself is imported.
  'grub-common',
  'grub-pc-bin',
  'postgresql',
  'git',
  'procps',
]

/**
 * What is still to be installed. An `aws` of whatever make counts: the machine's own is what its user has. A machine that
 * only serves a cloud has no user, and needs none.
 */
export async function neededPackages(
  extra: readonly string[] = [],
  options: { client: boolean } = { client: true },
): Promise<string[]> {
  const missing = await missingPackages([...Object.keys(debianPackages), ...extra])
  if (!options.client) return missing.filter((name) => name !== 'awscli')
  const hasAws = await run('sh', ['-c', 'command -v aws']).then(
    () => true,
    () => false,
  )
  return missing.filter((name) => name !== 'awscli' || !hasAws)
}
