/** What Eucalyptus' IAM door has and AWS's lacks, as an addition to AWS's model, written by hand. */
import type { OperationModel, ServiceModel, ShapeModel } from '@mallee/aws-protocol'

const operations: Readonly<Record<string, OperationModel>> = {
  CreateSigningCertificate: {
    in: 'CreateSigningCertificateRequest',
    out: 'CreateSigningCertificateResponse',
  },
}

const shapes: Readonly<Record<string, ShapeModel>> = {
  CreateSigningCertificateRequest: { kind: 'struct', members: { UserName: ['existingUserNameType'] } },
  CreateSigningCertificateResponse: {
    kind: 'struct',
    members: { Certificate: ['SigningCertificateWithKey', 0, { required: 1 }] },
  },
  SigningCertificateWithKey: {
    kind: 'struct',
    members: {
      UserName: ['userNameType', 0, { required: 1 }],
      CertificateId: ['certificateIdType', 0, { required: 1 }],
      CertificateBody: ['certificateBodyType', 0, { required: 1 }],
      PrivateKey: ['string', 0, { required: 1, sensitive: 1 }],
      Status: ['statusType', 0, { required: 1 }],
      UploadDate: ['timestamp'],
    },
  },
}

/** Inputs and outputs of these actions. */
export interface CreateSigningCertificateRequest {
  UserName?: string | undefined
}
export interface CreateSigningCertificateResponse {
  Certificate: {
    UserName: string
    CertificateId: string
    CertificateBody: string
    /** PKCS#8, PEM */
    PrivateKey: string
    Status: 'Active'
    UploadDate: Date
  }
}

export function withEucalyptusActions(model: ServiceModel): ServiceModel {
  return {
    ...model,
    operations: { ...model.operations, ...operations },
    shapes: { ...model.shapes, ...shapes },
  }
}
