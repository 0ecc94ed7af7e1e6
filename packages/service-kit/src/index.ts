export { claimName } from './claim-name.ts'
export { createLog } from './log.ts'
export { parseConfig, readConfig } from './config.ts'
export { createSharedPort } from './shared-port.ts'
export { runService, type Service } from './lifeline.ts'
export { SharedListener, type DoorTls } from './shared-listener.ts'
export { countedBy, Metrics, stopwatch, sumOfMetrics, type MetricsSnapshot } from './metrics.ts'
export {
  healthListenSchema,
  isReadiness,
  startHealthServer,
  type FiguresSource,
  type HealthListen,
  type HealthServer,
  type Readiness,
} from './health-server.ts'
export {
  readTraceparent,
  Tracer,
  tracingSchema,
  type Attributes,
  type Span,
  type TracingConfig,
} from './tracing.ts'
export { requestOrigin, type RequestOrigin } from './request-origin.ts'
