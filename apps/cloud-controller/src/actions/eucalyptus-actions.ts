import type { CloudProperties } from '../cloud-properties.ts'
import type { ActionContext } from './define-action.ts'
import { describeProperties, modifyPropertyValue } from './eucalyptus/properties.ts'
import { describeServiceCertificates } from './eucalyptus/service-certificates.ts'
import { describeAvailableServiceTypes } from './eucalyptus/service-types.ts'
import { deregisterService, describeServices, modifyService, registerService } from './eucalyptus/services.ts'

export interface EucalyptusContext extends ActionContext {
  readonly properties: CloudProperties
  /** The cloud's private authority, PEM. */
  readonly authorityCertificate: string
}

export type AnyEucalyptusAction = (
  ctx: EucalyptusContext,
  input: Record<string, unknown>,
) => Promise<Record<string, unknown> | void>

const tables = {
  bootstrap: {
    DeregisterService: deregisterService,
    DescribeAvailableServiceTypes: describeAvailableServiceTypes,
    DescribeServiceCertificates: describeServiceCertificates,
    DescribeServices: describeServices,
    ModifyService: modifyService,
    RegisterService: registerService,
  },
  properties: { DescribeProperties: describeProperties, ModifyPropertyValue: modifyPropertyValue },
}

export type EucalyptusService = keyof typeof tables

/** Eucalyptus' own actions, by service and name. */
export function eucalyptusAction(service: EucalyptusService, name: string): AnyEucalyptusAction | undefined {
  const table = tables[service] as unknown as Record<string, AnyEucalyptusAction>
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** What everybody may ask; all else is the administrators'. */
export const openToAll: ReadonlySet<string> = new Set(['DescribeServiceCertificates'])
