export {
  agentNameOf,
  certificateDays,
  certificateFingerprint,
  cloudServerName,
  createAuthority,
  createCertificateRequest,
  issueCertificate,
  renewAtMs,
  signCertificateRequest,
  walrusServerName,
  type KeyAndCertificate,
  type Names,
} from './pki.ts'
