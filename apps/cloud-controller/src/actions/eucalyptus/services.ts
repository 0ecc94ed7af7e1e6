import { AwsError } from '@mallee/aws-protocol'
import type {
  DescribeServicesInput,
  ModifyServiceInput,
  ServiceStatus,
  StatusDetail,
} from '@mallee/eucalyptus-api'
import { letTakePart } from '../../store/agent-participation.ts'
import { findAgent, listAgents } from '../../store/agent-store.ts'
import type { Reader } from '../../store/record.ts'
import type { AgentTable } from '../../store/tables.ts'
import type { CloudSettings } from '../../settings.ts'
import type { EucalyptusContext } from '../eucalyptus-actions.ts'
import { passesFilters } from './service-filters.ts'
import { publicServiceTypes } from './service-types.ts'

/** A service as an administrator of Eucalyptus knew it: a daemon of ours, or what one does for users. */
interface Service {
  readonly status: ServiceStatus
  /** Of the agent behind it; null for the cloud controller. */
  readonly agentId: string | null
  /** Only shown when everything is asked for. */
  readonly isDetail: boolean
}

export async function describeServices(
  ctx: EucalyptusContext,
  input: DescribeServicesInput,
): Promise<{ ServiceStatuses: ServiceStatus[] }> {
  if (input.ListInternal || input.ListUserServices) {
    const name = input.ListInternal ? 'ListInternal' : 'ListUserServices'
    throw new AwsError('UnsupportedOperation', `The parameter ${name} is not supported by this cloud.`)
  }
  return ctx.read(async (db) => {
    const services = await allServices(db, ctx.settings)
    const shown = services.filter((service) => isAsked(input, service))
    const statuses = shown.map(async ({ status, agentId }) =>
      input.ShowEvents ? { ...status, StatusDetails: await newestEvents(db, status, agentId) } : status,
    )
    return { ServiceStatuses: await Promise.all(statuses) }
  })
}

/** Stops or starts a machine's taking part, as `./mallee agent disable` and `enable` do. */
export async function modifyService(ctx: EucalyptusContext, input: ModifyServiceInput): Promise<void> {
  const takesPart = wantedState(input.State)
  await ctx.transaction(async (tx) => {
    const own = ownServices(ctx.settings).some(({ status }) => status.ServiceId.Name === input.Name)
    if (own) throw new AwsError('UnsupportedOperation', `${input.Name} cannot be stopped by a request to it.`)
    const reference = input.Name.replace(/\.objectstorage$/, '')
    const agent = await findAgent(tx.db, reference).catch(() => {
      throw new AwsError(
        'InvalidParameterValue',
        `There is no service ${input.Name.slice(0, 200)}, or more than one.`,
      )
    })
    await letTakePart(tx, agent, takesPart)
    tx.touch(agent.id)
  })
}

function wantedState(state: string): boolean {
  const word = state.toLowerCase()
  if (['start', 'enable', 'started', 'enabled'].includes(word)) return true
  if (['stop', 'disable', 'stopped', 'disabled'].includes(word)) return false
  throw new AwsError('InvalidParameterValue', 'The State must be start, enable, stop or disable.')
}

export async function registerService(): Promise<never> {
  throw new AwsError(
    'UnsupportedOperation',
    'RegisterService is not supported: a machine joins by a token of ./mallee agent token, given to ./mallee agent join on it.',
  )
}

export async function deregisterService(): Promise<never> {
  throw new AwsError(
    'UnsupportedOperation',
    'DeregisterService is not supported: ./mallee agent forget says that a machine is gone for good.',
  )
}

async function allServices(db: Reader, settings: CloudSettings): Promise<Service[]> {
  const agents = (await listAgents(db)).filter((agent) => agent.state !== 'forgotten')
  return [...ownServices(settings), ...agents.flatMap((agent) => servicesOf(agent, settings))]
}

const cloudName = 'cloud-controller'

function ownServices(settings: CloudSettings): Service[] {
  const base = settings.endpoint.replace(/\/$/, '')
  const host = new URL(base).hostname
  return [
    ['eucalyptus', cloudName, `${base}/services/Eucalyptus`] as const,
    ['user-api', `${cloudName}.user-api`, `${base}/services/User-API`] as const,
  ].map(([type, name, uri]) => ({
    agentId: null,
    isDetail: false,
    status: {
      ServiceId: idOf({ type, name, partition: type, host, uri }),
      LocalEpoch: 0,
      LocalState: 'ENABLED' as const,
    },
  }))
}

function servicesOf(agent: AgentTable, settings: CloudSettings): Service[] {
  const host = hostOf(agent)
  const service = (type: string, name: string, partition: string, uri?: string): Service => ({
    agentId: agent.id,
    isDetail: type === 'node' || type === 'objectstorage',
    status: {
      ServiceId: idOf({ type, name, partition, host, uri }),
      LocalEpoch: agent.revision,
      ...stateOf(agent),
    },
  })
  if (agent.kind !== 'walrus') return [service(agent.kind, agent.name, agent.availability_zone)]
  const uri = `${settings.endpoint.replace(/\/$/, '')}/services/objectstorage`
  return [
    service('walrusbackend', agent.name, 'walrus'),
    service('objectstorage', `${agent.name}.objectstorage`, 'objectstorage', uri),
  ]
}

function idOf(id: {
  type: string
  name: string
  partition: string
  host: string | undefined
  uri?: string | undefined
}): ServiceStatus['ServiceId'] {
  return {
    Partition: id.partition,
    Name: id.name,
    FullName: `arn:euca:eucalyptus:${id.partition}:${id.type}:${id.name}/`,
    Type: id.type,
    ...(id.host === undefined ? {} : { Host: id.host }),
    ...(id.uri === undefined ? {} : { Uri: id.uri, Uris: [id.uri] }),
  }
}

interface Fingerprint {
  readonly address?: string | null
  readonly hostname?: string
  readonly healthy?: boolean
  readonly problems?: readonly string[]
}

function fingerprintOf(agent: AgentTable): Fingerprint | null {
  return agent.fingerprint === null ? null : (JSON.parse(agent.fingerprint) as Fingerprint)
}

function hostOf(agent: AgentTable): string | undefined {
  const fingerprint = fingerprintOf(agent)
  return fingerprint?.address ?? fingerprint?.hostname
}

function stateOf(agent: AgentTable): Pick<ServiceStatus, 'LocalState' | 'Details'> {
  const because = (LocalState: ServiceStatus['LocalState'], Reason: string) => ({
    LocalState,
    Details: { Reason },
  })
  if (agent.draining_since !== null) return because('DISABLED', 'it is being emptied')
  if (agent.state !== 'enabled') return because('DISABLED', 'an administrator disabled it')
  if (agent.silent_since !== null)
    return because('NOTREADY', `it is silent since ${new Date(agent.silent_since).toISOString()}`)
  const fingerprint = fingerprintOf(agent)
  if (fingerprint === null) return because('NOTREADY', 'it has not reported yet')
  if (fingerprint.healthy !== true)
    return because('NOTREADY', fingerprint.problems?.join('; ') || 'it says that it is not well')
  return { LocalState: 'ENABLED' }
}

function isAsked(input: DescribeServicesInput, { status, isDetail }: Service): boolean {
  const { ServiceId: id, LocalState: state } = status
  const same = (wanted: string | undefined, have: string | undefined) =>
    wanted === undefined || wanted.toLowerCase() === have?.toLowerCase()
  const named = input.ServiceNames ?? []
  const narrowed =
    named.length > 0 ||
    (input.Filters ?? []).length > 0 ||
    [input.ByServiceType, input.ByPartition, input.ByHost, input.ByState].some((by) => by !== undefined)
  const passes = passesFilters(input.Filters, {
    'availability-zone': [id.Partition],
    partition: [id.Partition],
    host: id.Host === undefined ? [] : [id.Host],
    name: [id.Name],
    'service-type': [id.Type],
    state: [state, state.toLowerCase()],
    'is-service-group': [String(id.Type === 'user-api')],
    'service-group': id.Type === 'objectstorage' ? ['user-api'] : [],
    'service-group-member': [String(id.Type === 'objectstorage')],
    public: [String(publicServiceTypes.has(id.Type))],
    internal: [String(!publicServiceTypes.has(id.Type))],
  })
  return (
    passes &&
    (input.ListAll === true || narrowed || !isDetail) &&
    (named.length === 0 || named.includes(id.Name)) &&
    same(input.ByServiceType, id.Type) &&
    same(input.ByPartition, id.Partition) &&
    same(input.ByHost, id.Host) &&
    same(input.ByState, state)
  )
}

const eventsShown = 20

/** What was done to the machine behind the service, newest first. */
async function newestEvents(
  db: Reader,
  status: ServiceStatus,
  agentId: string | null,
): Promise<StatusDetail[]> {
  if (agentId === null) return []
  const rows = await db
    .selectFrom('event_resource')
    .innerJoin('event', 'event.id', 'event_resource.event_id')
    .select(['event.id', 'event.at', 'event.action', 'event.reason'])
    .where('event_resource.resource_id', '=', agentId)
    .orderBy('event.id', 'desc')
    .limit(eventsShown)
    .execute()
  return rows.map((row) => ({
    Uuid: row.id,
    Severity: 'INFO',
    ServiceName: status.ServiceId.Name,
    ServiceFullName: status.ServiceId.FullName,
    Timestamp: new Date(row.at),
    Message: row.reason === null ? row.action : `${row.action}: ${row.reason}`,
  }))
}
