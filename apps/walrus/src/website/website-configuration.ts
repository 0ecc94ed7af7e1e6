/** A bucket as a website. https://docs.aws.amazon.com/AmazonS3/latest/userguide/WebsiteHosting.html */
import { s3Error, type S3 } from '@mallee/s3-api'

const mostRules = 50

/** Throws InvalidArgument, MalformedXML, InvalidRequest. */
export function checkedWebsite(asked: S3.WebsiteConfiguration): S3.WebsiteConfiguration {
  const { RedirectAllRequestsTo: all, IndexDocument: index, RoutingRules: rules = [] } = asked
  const bad = (message: string) => s3Error('InvalidArgument', { message })
  if (all) {
    if (index || asked.ErrorDocument || rules.length > 0)
      throw bad('RedirectAllRequestsTo cannot be provided in conjunction with other Routing Rules.')
    checkHost(all.HostName)
    return asked
  }
  if (!index) throw bad('A value for IndexDocument Suffix must be provided if RedirectAllRequestsTo is empty')
  if (index.Suffix === '' || index.Suffix.includes('/'))
    throw bad('The IndexDocument Suffix is not well formed')
  if (asked.ErrorDocument?.Key === '') throw bad('The ErrorDocument Key is not well formed')
  if (rules.length > mostRules)
    throw s3Error('InvalidRequest', { message: 'The number of routing rules must not exceed 50' })
  for (const { Redirect: redirect, Condition: condition } of rules) {
    if (redirect.ReplaceKeyWith !== undefined && redirect.ReplaceKeyPrefixWith !== undefined)
      throw s3Error('MalformedXML')
    if (Object.keys(redirect).length === 0) throw s3Error('MalformedXML')
    if (redirect.HostName !== undefined) checkHost(redirect.HostName)
    if (redirect.HttpRedirectCode !== undefined && !/^30[1-8]$/.test(redirect.HttpRedirectCode))
      throw bad('The provided HTTP redirect code is not valid. Valid codes are 3XX except 300.')
    const code = condition?.HttpErrorCodeReturnedEquals
    if (code !== undefined && !/^[45]\d\d$/.test(code))
      throw bad('The provided HTTP error code is not valid. Valid codes are 4XX or 5XX.')
  }
  return asked
}

function checkHost(name: string): void {
  if (!/^[A-Za-z0-9.-]{1,253}(?::\d{1,5})?$/.test(name))
    throw s3Error('InvalidArgument', { message: 'The HostName is not well formed' })
}

export interface Redirection {
  readonly status: number
  readonly location: string
}

/** Where a request for a key is sent; null where it is answered here. `status` is that of the error, if there is one. */
export function redirectionOf(
  site: S3.WebsiteConfiguration,
  request: { key: string; host: string; secure: boolean; status?: number },
): Redirection | null {
  const { RedirectAllRequestsTo: all } = site
  const own = request.secure ? 'https' : 'http'
  if (all)
    return { status: 301, location: `${all.Protocol ?? own}://${all.HostName}/${encoded(request.key)}` }
  for (const { Condition: condition, Redirect: redirect } of site.RoutingRules ?? []) {
    const code = condition?.HttpErrorCodeReturnedEquals
    const prefix = condition?.KeyPrefixEquals
    if (code === undefined ? request.status !== undefined : Number(code) !== request.status) continue
    if (prefix !== undefined && !request.key.startsWith(prefix)) continue
    const key =
      redirect.ReplaceKeyWith ??
      (redirect.ReplaceKeyPrefixWith === undefined
        ? request.key
        : redirect.ReplaceKeyPrefixWith + request.key.slice((prefix ?? '').length))
    return {
      status: Number(redirect.HttpRedirectCode ?? 301),
      location: `${redirect.Protocol ?? own}://${redirect.HostName ?? request.host}/${encoded(key)}`,
    }
  }
  return null
}

export const encoded = (key: string): string => key.split('/').map(encodeURIComponent).join('/')
