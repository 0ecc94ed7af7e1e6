/** Calls that open a stream, and the two ways around libvirt into QEMU. */
import { consoleFlags } from './generated/enums.ts'
import type { DomainRef } from './domain-calls.ts'
import { bits } from './flags.ts'
import type { FlagName } from './flags.ts'
import type { CallOptions, Rpc } from './rpc.ts'
import type { LibvirtStream } from './stream.ts'

/** A picture of the guest's screen; QEMU gives 'image/x-portable-pixmap' or 'image/png'. */
export interface Screenshot {
  mimeType: string
  stream: LibvirtStream
}

export function streamCalls(rpc: Rpc) {
  return {
    /** The guest's screen; needs a video device. Read the stream, e.g. `stream.readAll(maxBytes)`. */
    domainScreenshot: async (dom: DomainRef, screen = 0, options?: CallOptions): Promise<Screenshot> => {
      const { answer, stream } = await rpc.callStream('domainScreenshot', { dom, screen, flags: 0 }, options)
      return { mimeType: answer.mime ?? 'application/octet-stream', stream }
    },

    /** A serial console of type pty, both ways; `device` is its alias, null for the first. */
    domainOpenConsole: async (
      dom: DomainRef,
      device: string | null = null,
      flags: FlagName<typeof consoleFlags>[] = [],
      options?: CallOptions,
    ): Promise<LibvirtStream> => {
      const args = { dom, devName: device, flags: bits(consoleFlags, flags) }
      return (await rpc.callStream('domainOpenConsole', args, options)).stream
    },

    /** A QMP command past libvirt's eyes: it marks the domain as tainted. Gives QEMU's JSON answer. */
    qemuMonitorCommand: async (
      dom: DomainRef,
      command: { execute: string; arguments?: Record<string, unknown> },
      options?: CallOptions,
    ): Promise<unknown> => {
      const args = { dom, cmd: JSON.stringify(command), flags: 0 }
      return JSON.parse((await rpc.call('domainMonitorCommand', args, options)).result)
    },
  }
}
