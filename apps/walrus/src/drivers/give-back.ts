/** Fewer bytes than these are the collector's affair: to give them back costs as much. */
const leastBytes = 8 * 1024

/**
 * Gives the memory of a buffer back at once, where the buffer has it for itself. Nobody may look at it any more. Left to the
 * collector, every sixteen mebibytes of a body would have it go through all that the process holds: a third of what an upload
 * cost.
 */
export function giveBack(chunk: Buffer): void {
  const memory = chunk.buffer
  if (chunk.length < leastBytes || chunk.length !== memory.byteLength) return
  if (memory instanceof ArrayBuffer) memory.transfer(0)
}
