/**
 * Packets of libvirt's RPC: a length word (which counts itself), a header of six words, a payload. The
 * assembler turns what the socket delivers into whole packets and refuses a length that is impossible before
 * it collects a byte of it.
 */
import { LibvirtProtocolError } from './errors.ts'
import { maxPacketBytes, protocolVersion } from './generated/procedures.ts'

/** Kinds of packet that we use; calls with file descriptors (4, 5) are not among them. */
export const packetTypes = { call: 0, reply: 1, message: 2, stream: 3, streamHole: 6 } as const
/** What a packet says about its call or stream. */
export const packetStatuses = { ok: 0, error: 1, continue: 2 } as const

/** Length word and header. */
export const headerBytes = 28

export interface PacketHeader {
  program: number
  version: number
  procedure: number
  type: number
  serial: number
  status: number
}

/** Writes length and header into the first `headerBytes` of a finished packet. */
export function writeHeader(packet: Buffer, header: Omit<PacketHeader, 'version'>): Buffer {
  if (packet.length > maxPacketBytes) {
    throw new RangeError(`packet of ${packet.length} bytes, the protocol allows ${maxPacketBytes}`)
  }
  packet.writeUInt32BE(packet.length, 0)
  packet.writeUInt32BE(header.program, 4)
  packet.writeUInt32BE(protocolVersion, 8)
  packet.writeInt32BE(header.procedure, 12)
  packet.writeUInt32BE(header.type, 16)
  packet.writeUInt32BE(header.serial, 20)
  packet.writeUInt32BE(header.status, 24)
  return packet
}

/** The header of a whole packet. */
export function readHeader(packet: Buffer): PacketHeader {
  return {
    program: packet.readUInt32BE(4),
    version: packet.readUInt32BE(8),
    procedure: packet.readInt32BE(12),
    type: packet.readUInt32BE(16),
    serial: packet.readUInt32BE(20),
    status: packet.readUInt32BE(24),
  }
}

/** Collects bytes into packets. One for each connection. */
export class PacketAssembler {
  private chunks: Buffer[] = []
  private collectedBytes = 0
  private neededBytes = 4

  /** Adds what arrived and hands every packet that is now whole to `deliver`, in order. */
  push(chunk: Buffer, deliver: (packet: Buffer) => void): void {
    this.chunks.push(chunk)
    this.collectedBytes += chunk.length
    while (this.collectedBytes >= this.neededBytes) {
      const all = this.chunks.length === 1 ? this.chunks[0]! : Buffer.concat(this.chunks, this.collectedBytes)
      const sizeBytes = packetSize(all)
      if (all.length < sizeBytes) {
        // Only now is the length known: collect the rest without joining at every chunk.
        this.chunks = [all]
        this.neededBytes = sizeBytes
        return
      }
      const rest = all.subarray(sizeBytes)
      this.chunks = rest.length > 0 ? [rest] : []
      this.collectedBytes = rest.length
      this.neededBytes = 4
      deliver(all.subarray(0, sizeBytes))
    }
  }
}

function packetSize(bytes: Buffer): number {
  const sizeBytes = bytes.readUInt32BE(0)
  if (sizeBytes < headerBytes || sizeBytes > maxPacketBytes) {
    throw new LibvirtProtocolError(`packet length ${sizeBytes} is not possible`)
  }
  return sizeBytes
}
