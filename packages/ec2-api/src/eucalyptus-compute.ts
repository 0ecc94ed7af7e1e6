/**
 * What Eucalyptus' compute door has and AWS's lacks, written by hand: instance types in a form of its own (under
 * `/services/…`; under `/` the action of that name is AWS's), their change by the cloud's admin, and members that it
 * added to AWS's requests.
 */
import type { ImportInstanceLaunchSpecification } from '../models/ec2-types.ts'
import {
  QueryDecoder,
  QueryEncoder,
  type MemberModel,
  type ServiceModel,
  type ShapeModel,
} from '@mallee/aws-protocol'

const shapes: Readonly<Record<string, ShapeModel>> = {
  DescribeInstanceTypesRequest: {
    kind: 'struct',
    members: {
      InstanceTypes: ['NameList', 'InstanceType'],
      Availability: ['boolean'],
      Verbose: ['boolean'],
    },
  },
  NameList: { kind: 'list', of: 'string', item: 'item' },
  DescribeInstanceTypesResult: {
    kind: 'struct',
    members: { InstanceTypeDetails: ['InstanceTypeList', 'instanceTypeDetails'] },
  },
  InstanceTypeList: { kind: 'list', of: 'InstanceTypeDetail', item: 'item' },
  InstanceTypeDetail: {
    kind: 'struct',
    members: {
      Name: ['string', 'name'],
      Cpu: ['integer', 'cpu'],
      Disk: ['integer', 'disk'],
      Memory: ['integer', 'memory'],
      NetworkInterfaces: ['integer', 'networkInterfaces'],
      Availability: ['ZoneList', 'availability'],
    },
  },
  ZoneList: { kind: 'list', of: 'Zone', item: 'item' },
  Zone: {
    kind: 'struct',
    members: {
      ZoneName: ['string', 'zoneName'],
      Max: ['integer', 'max'],
      Available: ['integer', 'available'],
    },
  },
  ModifyInstanceTypeAttributeRequest: {
    kind: 'struct',
    members: {
      Name: ['string', 0, { required: 1 }],
      Cpu: ['integer'],
      Disk: ['integer'],
      Memory: ['integer'],
      Reset: ['boolean'],
    },
  },
  ModifyInstanceTypeAttributeResult: {
    kind: 'struct',
    members: {
      PreviousInstanceType: ['InstanceTypeDetail', 'previousInstanceType'],
      InstanceType: ['InstanceTypeDetail', 'instanceType'],
    },
  },
}

const model: ServiceModel = {
  service: 'eucalyptus-compute',
  protocol: 'ec2Query',
  apiVersion: '2016-11-15',
  // The one that libcloud's Eucalyptus driver reads; euca2ools reads none.
  xmlNamespace: 'http://msgs.eucalyptus.com/3.3.0',
  source: 'written by hand after what euca2ools 3.4 and libcloud 3.4 send and read',
  operations: {
    DescribeInstanceTypes: { in: 'DescribeInstanceTypesRequest', out: 'DescribeInstanceTypesResult' },
    ModifyInstanceTypeAttribute: {
      in: 'ModifyInstanceTypeAttributeRequest',
      out: 'ModifyInstanceTypeAttributeResult',
    },
  },
  shapes,
}

export function createEucalyptusComputeDecoder(): QueryDecoder {
  return new QueryDecoder(model)
}

export function createEucalyptusComputeEncoder(): QueryEncoder {
  return new QueryEncoder(model)
}

export interface EucalyptusInstanceType {
  Name: string
  Cpu: number
  /** GiB */
  Disk: number
  /** MiB */
  Memory: number
  NetworkInterfaces: number
  /** How many of them fit into each zone at most, and now. */
  Availability: { ZoneName: string; Max: number; Available: number }[]
}

/** Inputs and outputs of these actions. */
export interface EucalyptusComputeOperations {
  DescribeInstanceTypes: {
    input: {
      InstanceTypes?: string[] | undefined
      Availability?: boolean | undefined
      Verbose?: boolean | undefined
    }
    output: { InstanceTypeDetails: EucalyptusInstanceType[] }
  }
  ModifyInstanceTypeAttribute: {
    input: {
      Name: string
      Cpu?: number | undefined
      Disk?: number | undefined
      Memory?: number | undefined
      Reset?: boolean | undefined
    }
    output: { PreviousInstanceType: EucalyptusInstanceType; InstanceType: EucalyptusInstanceType }
  }
}

/** Members that Eucalyptus added to AWS's inputs, or asked for less strictly. */
export interface EucalyptusMembers {
  RunInstances: {
    /** `private`: no public address, whatever the subnet says. */
    AddressingType?: string | undefined
  }
  RegisterImage: {
    /** Where it is not given, the image is called as its object is: clients before euca2ools 3 did not need it. */
    Name?: string | undefined
  }
  ImportInstance: {
    LaunchSpecification?:
      | (ImportInstanceLaunchSpecification & {
          /** As at a launch. */
          KeyName?: string | undefined
        })
      | undefined
  }
  ModifyInstanceAttribute: {
    /** What euca2ools calls `GroupId.n` here. */
    SecurityGroupIds?: string[] | undefined
  }
}

export function withEucalyptusMembers(ec2: ServiceModel): ServiceModel {
  return {
    ...ec2,
    shapes: {
      ...ec2.shapes,
      ...withMember(ec2, 'RunInstancesRequest', { AddressingType: ['string'] }),
      ...withMember(ec2, 'RegisterImageRequest', { Name: ['string'] }),
      ...withMember(ec2, 'ImportInstanceLaunchSpecification', { KeyName: ['string'] }),
      ...withMember(ec2, 'ModifyInstanceAttributeRequest', {
        SecurityGroupIds: ['GroupIdStringList', 'SecurityGroupId'],
      }),
    },
  }
}

/** The request with that member, new or in place of AWS's. */
function withMember(ec2: ServiceModel, shape: string, member: Record<string, MemberModel>) {
  const request = ec2.shapes[shape]
  if (!request || !('members' in request)) throw new Error(`the model of EC2 has no ${shape}`)
  return { [shape]: { ...request, members: { ...request.members, ...member } } }
}
