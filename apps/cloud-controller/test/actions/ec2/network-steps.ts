import { CloudUnderTest, type Answer, type Credentials } from '../../cloud-under-test.ts'

export type Parameters = Record<string, string | number | boolean>

/** The calls that tests of networks begin with; each fails where EC2 refuses. */
export class NetworkSteps {
  readonly cloud: CloudUnderTest
  readonly as: Credentials

  constructor(cloud: CloudUnderTest, as: Credentials = cloud.admin) {
    this.cloud = cloud
    this.as = as
  }

  call(action: string, parameters: Parameters = {}): Promise<Answer> {
    return this.cloud.call(action, parameters, { as: this.as })
  }

  async done(action: string, parameters: Parameters = {}): Promise<Answer['xml']> {
    const answer = await this.call(action, parameters)
    if (answer.status !== 200) throw new Error(`${action}: ${answer.code} ${answer.message}`)
    return answer.xml
  }

  /** The code that it is refused with. */
  async refused(action: string, parameters: Parameters = {}): Promise<string | undefined> {
    return (await this.call(action, parameters)).code
  }

  async vpc(cidr = '10.0.0.0/16'): Promise<string> {
    return (await this.done('CreateVpc', { CidrBlock: cidr })).vpc.vpcId
  }

  async subnet(vpcId: string, cidr = '10.0.1.0/24', zone = 'us-east-1a'): Promise<string> {
    const made = await this.done('CreateSubnet', { VpcId: vpcId, CidrBlock: cidr, AvailabilityZone: zone })
    return made.subnet.subnetId
  }

  /** One that is attached. */
  async gateway(vpcId: string): Promise<string> {
    const { internetGatewayId } = (await this.done('CreateInternetGateway')).internetGateway
    await this.done('AttachInternetGateway', { InternetGatewayId: internetGatewayId, VpcId: vpcId })
    return internetGatewayId
  }

  async address(): Promise<{ allocationId: string; publicIp: string }> {
    return this.done('AllocateAddress')
  }

  /** One that is running, as its node would say. */
  async instance(parameters: Parameters = {}): Promise<{ id: string; interfaceId: string }> {
    const { imageId } = await this.image()
    const run = await this.done('RunInstances', {
      ...{ ImageId: imageId, MinCount: 1, MaxCount: 1 },
      ...parameters,
    })
    const [made] = run.instancesSet.item
    await this.setState(made.instanceId, 'running')
    return {
      id: made.instanceId,
      interfaceId: made.networkInterfaceSet.item[0].networkInterfaceId,
    }
  }

  /** By rows: no node is asked. */
  async setState(instanceId: string, state: 'pending' | 'running' | 'stopped' | 'terminated'): Promise<void> {
    await this.cloud.cloud.record.transaction('report', (tx) =>
      tx.db.updateTable('instance').set({ state }).where('id', '=', instanceId).execute(),
    )
  }

  private planted: Promise<string> | undefined
  private async image(): Promise<{ imageId: string }> {
    const id = `ami-${this.as.accountId.padStart(17, '0').slice(-17)}`
    this.planted ??= this.cloud.plantImage(this.as.accountId, id)
    return { imageId: await this.planted }
  }

  async setQuota(name: string, value: number): Promise<void> {
    await this.cloud.cloud.record.transaction('action', async (tx) => {
      const own = { account_id: this.as.accountId, name }
      await tx.db
        .deleteFrom('quota')
        .where('account_id', '=', own.account_id)
        .where('name', '=', name)
        .execute()
      await tx.db
        .insertInto('quota')
        .values({ ...own, value })
        .execute()
    })
  }

  async other(name = 'other'): Promise<NetworkSteps> {
    return new NetworkSteps(this.cloud, await this.cloud.createAccount(name))
  }
}

/** What TagSpecification says of one tag. */
export const tagged = (type: string, key = 'colour', value = 'red'): Parameters => ({
  'TagSpecification.1.ResourceType': type,
  'TagSpecification.1.Tag.1.Key': key,
  'TagSpecification.1.Tag.1.Value': value,
})

export const filter = (name: string, ...values: (string | number | boolean)[]): Parameters => ({
  'Filter.1.Name': name,
  ...Object.fromEntries(values.map((value, index) => [`Filter.1.Value.${index + 1}`, value])),
})

/** What a list is in the answer: nothing where it is empty. */
// oxlint-disable-next-line typescript/no-explicit-any -- tests read into answers of every action
export const items = (set: any): any[] => (set === undefined || set === '' ? [] : (set.item ?? []))
