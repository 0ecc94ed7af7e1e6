import { newUuid } from '@mallee/base'
import { createEc2Encoder, type Ec2 } from '@mallee/ec2-api'
import { figureLine, figures } from './figures.ts'

const instances = 1000
const rounds = 40

/** The answer of DescribeInstances for 1,000 rich instances as XML, against JSON.stringify of the same object. */
export function encodeBench(): Promise<void> {
  const output: Record<string, unknown> = {
    Reservations: Array.from({ length: instances }, (_none, index) => reservation(index)),
  }
  const encoder = createEc2Encoder()
  const xml: number[] = []
  const json: number[] = []
  let bytes = { xml: 0, json: 0 }
  for (let round = 0; round < rounds; round += 1) {
    const requestId = newUuid()
    const began = performance.now()
    const text = encoder.encode({ operation: 'DescribeInstances', output, requestId })
    const between = performance.now()
    const plain = JSON.stringify(output)
    json.push(performance.now() - between)
    xml.push(between - began)
    bytes = { xml: Buffer.byteLength(text), json: Buffer.byteLength(plain) }
  }
  const [ours, floor] = [figures(xml.slice(10)), figures(json.slice(10))]
  const size = (count: number) => `${(count / 1024 / 1024).toFixed(2)} MiB`
  process.stdout.write(`${figureLine(`XML of ${instances} instances, ${size(bytes.xml)}`, 'ms', ours)}\n`)
  process.stdout.write(`${figureLine(`JSON.stringify of the same, ${size(bytes.json)}`, 'ms', floor)}\n`)
  process.stdout.write(`ratio of medians: ${(ours.median / floor.median).toFixed(2)}\n`)
  return Promise.resolve()
}

const at = new Date('2026-01-31T23:59:59Z')
const hex = (prefix: string, index: number) => `${prefix}-${index.toString(16).padStart(17, '0')}`

function reservation(index: number): Ec2.Reservation {
  const groups = [
    { GroupId: hex('sg', 1), GroupName: 'default' },
    { GroupId: hex('sg', 2), GroupName: 'web & more' },
  ]
  return {
    ReservationId: hex('r', index),
    OwnerId: '123456789012',
    Groups: [],
    Instances: [instance(index, groups)],
  }
}

function instance(index: number, groups: Ec2.GroupIdentifier[]): Ec2.Instance {
  const privateIp = `10.0.${index >> 8}.${index & 255}`
  return {
    AmiLaunchIndex: 0,
    Architecture: 'x86_64',
    BlockDeviceMappings: ['/dev/sda1', '/dev/sdb', '/dev/sdc'].map((DeviceName, device) => ({
      DeviceName,
      Ebs: {
        AttachTime: at,
        DeleteOnTermination: true,
        Status: 'attached',
        VolumeId: hex('vol', index * 3 + device),
      },
    })),
    ClientToken: newUuid(),
    CpuOptions: { CoreCount: 1, ThreadsPerCore: 2 },
    EbsOptimized: false,
    EnaSupport: true,
    Hypervisor: 'xen',
    ImageId: hex('ami', index % 7),
    InstanceId: hex('i', index),
    InstanceType: 't3.micro',
    KeyName: 'a key',
    LaunchTime: at,
    MetadataOptions: {
      HttpEndpoint: 'enabled',
      HttpPutResponseHopLimit: 2,
      HttpTokens: 'required',
      InstanceMetadataTags: 'disabled',
      State: 'applied',
    },
    Monitoring: { State: 'disabled' },
    NetworkInterfaces: [networkInterface(index, groups, privateIp)],
    Placement: { AvailabilityZone: 'us-east-1a', GroupName: '', Tenancy: 'default' },
    PrivateDnsName: `ip-10-0-${index >> 8}-${index & 255}.ec2.internal`,
    PrivateIpAddress: privateIp,
    ProductCodes: [],
    PublicDnsName: `ec2-${index}.example`,
    PublicIpAddress: `203.0.113.${index & 255}`,
    RootDeviceName: '/dev/sda1',
    RootDeviceType: 'instance-store',
    SecurityGroups: groups,
    SourceDestCheck: true,
    State: { Code: 16, Name: 'running' },
    StateTransitionReason: '',
    SubnetId: hex('subnet', 1),
    Tags: Array.from({ length: 5 }, (_none, tag) => ({
      Key: `key-${tag}`,
      Value: `value ${tag} of <${index}>`,
    })),
    VirtualizationType: 'hvm',
    VpcId: hex('vpc', 1),
  }
}

function networkInterface(
  index: number,
  groups: Ec2.GroupIdentifier[],
  privateIp: string,
): Ec2.InstanceNetworkInterface {
  return {
    Association: {
      IpOwnerId: 'amazon',
      PublicDnsName: `ec2-${index}.example`,
      PublicIp: `203.0.113.${index & 255}`,
    },
    Attachment: {
      AttachmentId: hex('eni-attach', index),
      AttachTime: at,
      DeleteOnTermination: true,
      DeviceIndex: 0,
      Status: 'attached',
    },
    Description: 'Größe <0> & "more"',
    Groups: groups,
    InterfaceType: 'interface',
    MacAddress: '02:00:00:00:00:01',
    NetworkInterfaceId: hex('eni', index),
    OwnerId: '123456789012',
    PrivateIpAddress: privateIp,
    PrivateIpAddresses: [{ Primary: true, PrivateIpAddress: privateIp }],
    SourceDestCheck: true,
    Status: 'in-use',
    SubnetId: hex('subnet', 1),
    VpcId: hex('vpc', 1),
  }
}
