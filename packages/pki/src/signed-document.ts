import 'reflect-metadata' // before anything of ASN.1: its classes are described by decorators
import { createSign, X509Certificate } from 'node:crypto'
import {
  CMSVersion,
  ContentInfo,
  DigestAlgorithmIdentifier,
  DigestAlgorithmIdentifiers,
  EncapsulatedContent,
  EncapsulatedContentInfo,
  IssuerAndSerialNumber,
  SignatureAlgorithmIdentifier,
  SignedData,
  SignerIdentifier,
  SignerInfo,
  SignerInfos,
} from '@peculiar/asn1-cms'
import { AsnConvert, OctetString } from '@peculiar/asn1-schema'
import { Certificate } from '@peculiar/asn1-x509'
import type { KeyAndCertificate } from './pki.ts'

/** A text and what proves who wrote it. */
export interface SignedDocument {
  readonly document: string
  /** RSA with PKCS #1 v1.5 and SHA-256, in Base64. */
  readonly signature: string
  /** The same signature with the document in it, as CMS (RFC 5652) in Base64, without the certificate. */
  readonly pkcs7: string
}

const oids = {
  data: '1.2.840.113549.1.7.1',
  signedData: '1.2.840.113549.1.7.2',
  sha256: '2.16.840.1.101.3.4.2.1',
  rsaEncryption: '1.2.840.113549.1.1.1',
} as const

/** DER of NULL, which RSA's and SHA-256's parameters are. */
const none = Uint8Array.of(5, 0).buffer

/** Signs with an RSA key; `certificate` says whose it is. */
export function signDocument(document: string, { key, certificate }: KeyAndCertificate): SignedDocument {
  const signature = createSign('sha256').update(document).sign(key)
  const digestAlgorithm = new DigestAlgorithmIdentifier({ algorithm: oids.sha256, parameters: none })
  const { tbsCertificate } = AsnConvert.parse(new X509Certificate(certificate).raw, Certificate)
  const signer = new SignerInfo({
    version: CMSVersion.v1,
    sid: new SignerIdentifier({
      issuerAndSerialNumber: new IssuerAndSerialNumber({
        issuer: tbsCertificate.issuer,
        serialNumber: tbsCertificate.serialNumber,
      }),
    }),
    digestAlgorithm,
    signatureAlgorithm: new SignatureAlgorithmIdentifier({
      algorithm: oids.rsaEncryption,
      parameters: none,
    }),
    signature: new OctetString(signature),
  })
  const signed = new SignedData({
    version: CMSVersion.v1,
    digestAlgorithms: new DigestAlgorithmIdentifiers([digestAlgorithm]),
    encapContentInfo: new EncapsulatedContentInfo({
      eContentType: oids.data,
      eContent: new EncapsulatedContent({ single: new OctetString(Buffer.from(document)) }),
    }),
    signerInfos: new SignerInfos([signer]),
  })
  const content = new ContentInfo({ contentType: oids.signedData, content: AsnConvert.serialize(signed) })
  return {
    document,
    signature: signature.toString('base64'),
    pkcs7: Buffer.from(AsnConvert.serialize(content)).toString('base64'),
  }
}
