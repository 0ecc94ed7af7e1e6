export {
  agentNameOf,
  certificateDays,
  certificateFingerprint,
  cloudServerName,
  createAuthority,
  createCertificateRequest,
  issueCertificate,
  renewAtMs,
  requestKeyDigest,
  signCertificateRequest,
  walrusServerName,
  type KeyAndCertificate,
  type Names,
} from './pki.ts'
export {
  createSigningCertificate,
  readSigningCertificate,
  signingKeyBits,
  type SigningCertificate,
} from './signing-certificate.ts'
export { signDocument, type SignedDocument } from './signed-document.ts'
