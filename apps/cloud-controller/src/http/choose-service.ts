import { claimedSignature, SignatureError, type ServiceModel } from '@mallee/aws-protocol'
import { ebsModel } from '@mallee/ebs-api'
import { eucalyptusModel } from '@mallee/eucalyptus-api'
import { ec2ActionNames, ec2Model, eucalyptusActionNames } from '@mallee/ec2-api'
import {
  eucalyptusIamActionNames,
  eucalyptusStsActionNames,
  iamActionNames,
  iamModel,
  stsActionNames,
  stsModel,
} from '@mallee/iam-api'
import { cloudTrailModel, serviceOfTarget, serviceQuotasModel } from '@mallee/governance-api'
import type { RawRequest } from './raw-request.ts'

/** One of the services behind the public door. */
export interface ServiceDoor {
  readonly name: 'ec2' | 'sts' | 'iam' | 'ebs' | 'bootstrap' | 'properties' | 'cloudtrail' | 'servicequotas'
  /** How a bad signature is answered. */
  readonly dialect: 'ec2' | 'query' | 'restJson'
  /** Whose error envelope is used. */
  model(): Pick<ServiceModel, 'protocol' | 'xmlNamespace' | 'shapes'>
}

const doors: Readonly<Record<ServiceDoor['name'], ServiceDoor>> = {
  ec2: { name: 'ec2', dialect: 'ec2', model: ec2Model },
  sts: { name: 'sts', dialect: 'query', model: stsModel },
  iam: { name: 'iam', dialect: 'query', model: iamModel },
  ebs: { name: 'ebs', dialect: 'restJson', model: ebsModel },
  bootstrap: { name: 'bootstrap', dialect: 'query', model: () => eucalyptusModel },
  properties: { name: 'properties', dialect: 'query', model: () => eucalyptusModel },
  cloudtrail: { name: 'cloudtrail', dialect: 'restJson', model: () => cloudTrailModel },
  servicequotas: { name: 'servicequotas', dialect: 'restJson', model: () => serviceQuotasModel },
}

/** First labels of host names, of AWS and of a Eucalyptus cloud with DNS. */
const hosts: Readonly<Record<string, ServiceDoor>> = {
  ec2: doors.ec2,
  compute: doors.ec2,
  sts: doors.sts,
  tokens: doors.sts,
  iam: doors.iam,
  euare: doors.iam,
  ebs: doors.ebs,
  bootstrap: doors.bootstrap,
  properties: doors.properties,
  cloudtrail: doors.cloudtrail,
  servicequotas: doors.servicequotas,
}

/** Paths under `/services/`, in lower case. */
const paths: Readonly<Record<string, ServiceDoor>> = {
  compute: doors.ec2,
  eucalyptus: doors.ec2,
  cloud: doors.ec2,
  tokens: doors.sts,
  euare: doors.iam,
  empyrean: doors.bootstrap,
  properties: doors.properties,
}

const versions: Readonly<Record<string, ServiceDoor>> = {
  '2011-06-15': doors.sts,
  '2010-05-08': doors.iam,
}

/**
 * Which service a request is for: the one that its signature's scope names where that is one of ours, else by host
 * name, path, and what it asks for (DECISIONS 6). Whatever is chosen, the signature is verified with the scope as sent;
 * a request for EC2 that was signed for another service of ours therefore never reaches EC2.
 */
export function chooseService(request: RawRequest, form: string): ServiceDoor {
  return (
    named(doors, claimedService(request)) ??
    named(doors, serviceOfTarget(request.headers['x-amz-target'] as string | undefined)?.service) ??
    named(hosts, /^([a-z0-9-]+)\./i.exec(request.headers.host ?? '')?.[1]) ??
    named(paths, /^\/services\/([^/]+)\/?$/i.exec(request.rawPath)?.[1]) ??
    serviceAsked(`${request.rawQuery}&${form}`)
  )
}

function named(
  table: Readonly<Record<string, ServiceDoor>>,
  name: string | undefined,
): ServiceDoor | undefined {
  const key = name?.toLowerCase() ?? ''
  return Object.hasOwn(table, key) ? table[key] : undefined
}

/** A version that only one service has, then an action that only one has; else EC2, whose clients vary most. */
function serviceAsked(text: string): ServiceDoor {
  const version = /(?:^|&)Version=(\d{4}-\d\d-\d\d)(?:&|$)/.exec(text)?.[1]
  const byVersion = named(versions, version)
  if (byVersion) return byVersion
  const action = /(?:^|&)Action=(\w+)(?:&|$)/.exec(text)?.[1]
  if (action === undefined || ec2ActionNames().has(action) || eucalyptusActionNames.has(action))
    return doors.ec2
  if (stsActionNames().has(action) || eucalyptusStsActionNames.has(action)) return doors.sts
  return iamActionNames().has(action) || eucalyptusIamActionNames.has(action) ? doors.iam : doors.ec2
}

function claimedService(request: RawRequest): string | undefined {
  try {
    return claimedSignature(request, 'ec2').scope.service
  } catch (error) {
    // A broken signature is answered by the verifier, in the words of the door it came to.
    if (error instanceof SignatureError || (error as { code?: string }).code === 'MalformedQueryString')
      return undefined
    throw error
  }
}

/** The text of a form body; empty for whatever else a body may be. */
export function formBody(request: RawRequest): string {
  const type = request.headers['content-type'] ?? ''
  return request.method === 'POST' &&
    (type === '' || /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type))
    ? request.body.toString('utf8')
    : ''
}
