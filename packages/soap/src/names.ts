/** Namespaces and algorithms of the messages that we take. */
export const namespaces = {
  soap: 'http://schemas.xmlsoap.org/soap/envelope/',
  wsse: 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd',
  wsu: 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd',
  ds: 'http://www.w3.org/2000/09/xmldsig#',
  xsi: 'http://www.w3.org/2001/XMLSchema-instance',
} as const

export const exclusiveC14n = 'http://www.w3.org/2001/10/xml-exc-c14n#'

export const signatureAlgorithms: Readonly<Record<string, 'RSA-SHA1' | 'RSA-SHA256'>> = {
  'http://www.w3.org/2000/09/xmldsig#rsa-sha1': 'RSA-SHA1',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256': 'RSA-SHA256',
}

export const digestAlgorithms: Readonly<Record<string, 'sha1' | 'sha256'>> = {
  'http://www.w3.org/2000/09/xmldsig#sha1': 'sha1',
  'http://www.w3.org/2001/04/xmlenc#sha256': 'sha256',
}

const profile = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss'
export const tokenTypes = {
  certificate: `${profile}-x509-token-profile-1.0#X509v3`,
  base64: `${profile}-soap-message-security-1.0#Base64Binary`,
} as const
