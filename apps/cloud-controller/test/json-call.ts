import type { CloudUnderTest, Credentials } from './cloud-under-test.ts'

const targets = {
  cloudtrail: 'com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101',
  servicequotas: 'ServiceQuotasV20190624',
}

/** A signed request of AWS JSON 1.1, as boto3 makes it. */
export async function jsonCall(
  cloud: CloudUnderTest,
  service: keyof typeof targets,
  action: string,
  body: object | string = {},
  options: { as?: Credentials; scope?: string; secret?: string } = {},
) {
  const { status, json } = await cloud.ebs('POST', '/', {
    body,
    service: options.scope ?? service,
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': `${targets[service]}.${action}`,
    },
    ...(options.as ? { as: options.as } : {}),
    ...(options.secret === undefined ? {} : { secret: options.secret }),
  })
  // oxlint-disable-next-line typescript/no-explicit-any -- tests read into answers of every action
  return { status, json: json as any, code: json['__type'] as string | undefined }
}
