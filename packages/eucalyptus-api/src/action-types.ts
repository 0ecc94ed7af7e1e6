/** Inputs and outputs of the actions in eucalyptus-model.ts, as the decoder makes them and the encoder takes them. */
export interface Filter {
  readonly Name: string
  readonly Values?: readonly string[]
}

export interface DescribeServicesInput {
  readonly ListAll?: boolean
  readonly ListInternal?: boolean
  readonly ListUserServices?: boolean
  readonly ShowEvents?: boolean
  readonly ShowEventStacks?: boolean
  readonly ByServiceType?: string
  readonly ByPartition?: string
  readonly ByHost?: string
  readonly ByState?: string
  readonly ServiceNames?: readonly string[]
  readonly Filters?: readonly Filter[]
}

export interface ServiceStatus {
  readonly ServiceId: {
    readonly Partition: string
    readonly Name: string
    readonly FullName: string
    readonly Type: string
    readonly Host?: string
    readonly Uri?: string
    readonly Uris?: readonly string[]
  }
  readonly LocalEpoch: number
  readonly LocalState: 'ENABLED' | 'DISABLED' | 'NOTREADY'
  readonly Details?: { readonly Reason: string }
  readonly StatusDetails?: readonly StatusDetail[]
}

export interface StatusDetail {
  readonly Uuid: string
  readonly Severity: 'INFO' | 'ERROR'
  readonly ServiceName: string
  readonly ServiceFullName: string
  readonly Timestamp: Date
  readonly Message: string
}

export interface ModifyServiceInput {
  readonly Name: string
  readonly State: string
}

export interface DescribeServiceCertificatesInput {
  readonly Format?: string
  readonly FingerprintDigest?: string
  readonly Filters?: readonly Filter[]
}

export interface Property {
  readonly Name: string
  readonly Value: string
  readonly Description: string
  readonly DefaultValue: string
  readonly ReadOnly: boolean
}

export interface ModifyPropertyValueInput {
  readonly Name: string
  readonly Value?: string
  readonly Reset?: boolean
}
