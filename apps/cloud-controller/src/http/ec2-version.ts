import { AwsError } from '@mallee/aws-protocol'
import { ec2Model } from '@mallee/ec2-api'

/** Older than any client that is still used; nothing that clients read has changed its name since. */
const oldest = '2009-04-04'

/** Any version that EC2 may have had until that of our model; the answer's namespace echoes it. */
export function checkEc2Version(version: string | undefined): void {
  if (version === undefined) return
  const isDay = /^\d{4}-\d\d-\d\d$/.test(version) && !Number.isNaN(Date.parse(`${version}T00:00:00Z`))
  if (isDay && version >= oldest && version <= ec2Model().apiVersion) return
  throw new AwsError(
    'NoSuchVersion',
    `The requested version (${version.slice(0, 40)}) of service AmazonEC2 does not exist`,
  )
}
