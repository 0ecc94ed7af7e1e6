import { access, constants, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { spawn } from 'node:child_process'
import { tmpdir } from 'node:os'
import path from 'node:path'

export interface Accelerator {
  readonly accelerator: 'kvm' | 'qemu'
  readonly reason: string
}

const trialMs = 5_000
/** isa-debug-exit ends QEMU with (value << 1) | 1. */
const trialExitCode = (0x2a << 1) | 1

/**
 * KVM only where a guest really runs with it: the processor's own flag, the device, and a trial guest of one boot
 * sector that must reach its last instruction in time. Nested and paravirtual hosts offer /dev/kvm and cannot do it.
 */
export async function probeAccelerator(): Promise<Accelerator> {
  const flags = await readFile('/proc/cpuinfo', 'utf8')
  if (!/^flags\s*:.*\b(vmx|svm)\b/m.test(flags))
    return { accelerator: 'qemu', reason: 'the processor shows neither vmx nor svm' }
  const usable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )
  if (!usable) return { accelerator: 'qemu', reason: '/dev/kvm cannot be opened' }
  return (await trial())
    ? { accelerator: 'kvm', reason: 'a trial guest ran' }
    : { accelerator: 'qemu', reason: 'a trial guest did not run with KVM' }
}

/** `mov dx,0xf4; mov al,0x2a; out dx,al; hlt` as a boot sector. */
function trialSector(): Buffer {
  const sector = Buffer.alloc(512)
  Buffer.from([0xba, 0xf4, 0x00, 0xb0, 0x2a, 0xee, 0xf4]).copy(sector)
  sector.writeUInt16LE(0xaa55, 510)
  return sector
}

async function trial(): Promise<boolean> {
  const dir = await mkdtemp(path.join(tmpdir(), 'mallee-kvm-'))
  try {
    const disk = path.join(dir, 'trial.img')
    await writeFile(disk, trialSector())
    const args = ['-accel', 'kvm', '-m', '16', '-nodefaults', '-display', 'none', '-no-reboot']
    args.push('-device', 'isa-debug-exit,iobase=0xf4,iosize=0x04', '-drive', `file=${disk},format=raw,if=ide`)
    const child = spawn('qemu-system-x86_64', args, { stdio: 'ignore' })
    const timer = setTimeout(() => child.kill('SIGKILL'), trialMs)
    const code = await new Promise<number | null>((resolve) => {
      child.on('error', () => resolve(null))
      child.on('exit', resolve)
    })
    clearTimeout(timer)
    return code === trialExitCode
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
