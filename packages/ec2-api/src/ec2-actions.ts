/** The names of EC2's actions, and the types of their inputs and outputs. */
import type { Operations } from '../models/ec2-types.ts'
import type { EucalyptusMembers } from './eucalyptus-compute.ts'
import { ec2Model } from './ec2-model.ts'

/** Actions that have generated types; `packages/aws-protocol/tools/typed-operations.ts` lists them. */
export type Ec2TypedAction = keyof Operations

/** AWS's members, and those that Eucalyptus added or asked for less strictly. */
export type Ec2Input<Name extends Ec2TypedAction> = Name extends keyof EucalyptusMembers
  ? Omit<Operations[Name]['input'], keyof EucalyptusMembers[Name]> & EucalyptusMembers[Name]
  : Operations[Name]['input']
export type Ec2Output<Name extends Ec2TypedAction> = Operations[Name]['output']

/** What a registry of actions looks like: `{ RunInstances: runInstances } satisfies Partial<Ec2ActionTable<Context>>`. */
export type Ec2ActionTable<Context> = {
  [Name in Ec2TypedAction]: (context: Context, input: Ec2Input<Name>) => Promise<Ec2Output<Name>>
}

let names: ReadonlySet<string> | undefined

/** Every action of AWS's model, implemented here or not. */
export function ec2ActionNames(): ReadonlySet<string> {
  names ??= new Set(Object.keys(ec2Model().operations))
  return names
}

/**
 * Actions that Eucalyptus answered at its compute door and AWS's model does not have (written by hand). Its administration lived at
 * the same door; DescribeInstanceTypes it had in a form of its own under AWS's later name.
 */
export const eucalyptusActionNames: ReadonlySet<string> = new Set([
  'ModifyInstanceTypeAttribute',
  'MigrateInstances',
  'DescribeServices',
  'DescribeServiceCertificates',
  'DescribeAvailableServiceTypes',
  'RegisterService',
  'DeregisterService',
  'ModifyService',
  'EnableService',
  'DisableService',
  'StartService',
  'StopService',
  'EvacuatePartition',
  'DescribeComponents',
  'RegisterComponent',
  'DeregisterComponent',
  'ModifyComponentAttribute',
  'DescribeProperties',
  'ModifyPropertyValue',
  'GetInstanceImportTask',
  'PutInstanceImportTaskStatus',
])
