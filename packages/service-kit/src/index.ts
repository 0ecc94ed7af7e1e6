export { createLog } from './log.ts'
export { parseConfig, readConfig } from './config.ts'
export { createSharedPort } from './shared-port.ts'
export { runService, type Service } from './lifeline.ts'
