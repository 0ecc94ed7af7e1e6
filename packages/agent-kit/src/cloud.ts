import type {
  AuditBlob,
  AuditResponse,
  DesiredResponse,
  InventoryBlob,
  Report,
  ReportResponse,
  TrailFilesRequest,
  TrailFilesResponse,
} from '@mallee/agent-contract'

/** The part of the cloud that the loops need; the simulation gives them another one. */
export interface Cloud {
  desired(revision: number, waitSeconds: number, signal: AbortSignal): Promise<DesiredResponse | null>
  observed(report: Report): Promise<ReportResponse>
  inventory(blob: InventoryBlob): Promise<void>
  /** Walrus' alone. */
  audit?(blob: AuditBlob): Promise<AuditResponse>
  /** Walrus' alone. */
  trailFiles?(request: TrailFilesRequest): Promise<TrailFilesResponse>
}
