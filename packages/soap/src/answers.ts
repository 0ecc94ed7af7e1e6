/** What goes around the answers: EC2's own XML in an Envelope, and its errors as SOAP faults. */
import { escapeXml, type AwsError } from '@mallee/aws-protocol'
import { namespaces } from './names.ts'

const head = '<?xml version="1.0" encoding="UTF-8"?>\n'
const awsFault = 'http://webservices.amazon.com/AWSFault/2005-15-09'

/** `xml`: a whole document, as the query door would answer it. */
export function soapAnswer(xml: string): string {
  return envelope(xml.replace(/^<\?xml[^>]*\?>\s*/, ''))
}

/** SOAP's own codes, which clients look at without a code behind them. */
const codesOfSoap: ReadonlySet<string> = new Set(['VersionMismatch', 'MustUnderstand'])

/** The form in which EC2 answered, request id and all. Faults travel with HTTP status 500, says SOAP 1.1. */
export function soapFault(error: Pick<AwsError, 'code' | 'message' | 'status'>, requestId: string): string {
  const side = error.status < 500 ? 'Client' : 'Server'
  const code = codesOfSoap.has(error.code) ? `soapenv:${error.code}` : `aws:${side}.${escapeXml(error.code)}`
  const id = `<aws:RequestId>${escapeXml(requestId)}</aws:RequestId>`
  return envelope(
    `<soapenv:Fault xmlns:aws="${awsFault}"><faultcode>${code}</faultcode><faultstring>${escapeXml(error.message)}</faultstring><detail>${id}</detail></soapenv:Fault>`,
  )
}

function envelope(content: string): string {
  return `${head}<soapenv:Envelope xmlns:soapenv="${namespaces.soap}"><soapenv:Body>${content}</soapenv:Body></soapenv:Envelope>`
}
