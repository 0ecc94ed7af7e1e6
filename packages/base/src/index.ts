export { assert, AssertionFailure, must, unreachable } from './assert.ts'
export { MalleeError, errorMessage } from './errors.ts'
export { systemClock, type Clock } from './clock.ts'
export { systemRandom, seededRandom, type Random } from './random.ts'
export { idPrefixes, newId, newToken, newUuid, isWellFormedId, type Id, type IdKind } from './ids.ts'
export { KiB, MiB, GiB, secondMs, minuteMs, hourMs, dayMs } from './units.ts'
export {
  parseIpv4,
  formatIpv4,
  parseCidr,
  formatCidr,
  blockSize,
  blockContains,
  blocksOverlap,
  blockWithin,
  type Ipv4Block,
} from './ipv4.ts'
export { silentLog, type Log } from './log.ts'
export { canonicalJson, digestOf } from './canonical-json.ts'
export { removeUnfinished, writeAtomically } from './atomic-file.ts'
export {
  endProcess,
  isAlive,
  readPidFile,
  readProcessMark,
  writePidFile,
  type ProcessMark,
} from './process-mark.ts'
