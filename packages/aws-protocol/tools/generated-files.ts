/**
 * Makes the committed models and types of ec2-api, ebs-api, iam-api and s3-api from the pinned AWS SDK packages
 * (devDependencies) and `constraints/*.json`. Nothing of the SDK is needed at run time.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Protocol, ServiceModel } from '../src/model.ts'
import { typedOperations } from './typed-operations.ts'
import type { Constraints } from './sdk-schemas.ts'
import { SchemaReader } from './sdk-schemas.ts'
import { typesOf } from './write-types.ts'

interface Source {
  service: string
  workspace: string
  protocol: Protocol
  apiVersion: string
  xmlNamespace: string
  /** shapes whose pattern clients do not keep to: S3 takes a copy source without the leading slash */
  openPatterns?: readonly string[]
}

const sources: Source[] = [
  {
    service: 'ec2',
    workspace: 'ec2-api',
    protocol: 'ec2Query',
    apiVersion: '2016-11-15',
    xmlNamespace: 'http://ec2.amazonaws.com/doc/2016-11-15/',
  },
  {
    service: 'sts',
    workspace: 'iam-api',
    protocol: 'awsQuery',
    apiVersion: '2011-06-15',
    xmlNamespace: 'https://sts.amazonaws.com/doc/2011-06-15/',
  },
  {
    service: 'iam',
    workspace: 'iam-api',
    protocol: 'awsQuery',
    apiVersion: '2010-05-08',
    xmlNamespace: 'https://iam.amazonaws.com/doc/2010-05-08/',
  },
  {
    service: 's3',
    workspace: 's3-api',
    protocol: 'restXml',
    apiVersion: '2006-03-01',
    xmlNamespace: 'http://s3.amazonaws.com/doc/2006-03-01/',
    openPatterns: ['CopySource'],
  },
  {
    service: 'ebs',
    workspace: 'ebs-api',
    protocol: 'restJson',
    apiVersion: '2019-11-02',
    xmlNamespace: '',
  },
]

const packages = new URL('../../', import.meta.url)
const require = createRequire(import.meta.url)

function enumsOf(sdk: Record<string, unknown>): Record<string, string[]> {
  const found: Record<string, string[]> = {}
  for (const [name, value] of Object.entries(sdk)) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) continue
    const values = Object.values(value)
    if (values.length > 0 && values.every((item) => typeof item === 'string')) found[name] = values
  }
  return found
}

function modelOf(source: Source): ServiceModel {
  const npmName = `@aws-sdk/client-${source.service}`
  const sdk = require(npmName) as Record<string, unknown>
  const { version } = require(`${npmName}/package.json`) as { version: string }
  const overlay = new URL(`constraints/${source.service}.json`, import.meta.url)
  const constraints = JSON.parse(readFileSync(overlay, 'utf8')) as Constraints
  for (const name of source.openPatterns ?? []) delete constraints.simple[name]?.pattern
  const reader = new SchemaReader({ constraints, enums: enumsOf(sdk) })
  const schemas = Object.keys(sdk)
    .toSorted()
    .flatMap((name) => {
      const value = sdk[name]
      return name.endsWith('$') && Array.isArray(value) ? [value as unknown[]] : []
    })
  for (const schema of schemas) if (schema[0] === 9) reader.readOperation(schema)
  for (const schema of schemas) if (schema[0] === -3) reader.readError(schema)
  return {
    service: source.service,
    protocol: source.protocol,
    apiVersion: source.apiVersion,
    xmlNamespace: source.xmlNamespace,
    source: `${npmName} ${version} and ${constraints.source}, both Apache-2.0, Amazon.com`,
    operations: reader.operations,
    shapes: Object.fromEntries(Object.entries(reader.shapes).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}

function tableOf(name: string, entries: Readonly<Record<string, unknown>>): string {
  const lines = Object.entries(entries).map(
    ([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`,
  )
  return `${JSON.stringify(name)}:{\n${lines.join(',\n')}\n}`
}

/** One line per operation and shape: small, and a change of model stays readable in a diff. */
function linesOf(model: ServiceModel): string {
  const { operations, shapes, ...head } = model
  const start = JSON.stringify(head).slice(0, -1)
  return `${start},\n${tableOf('operations', operations)},\n${tableOf('shapes', shapes)}}\n`
}

export interface GeneratedFile {
  url: URL
  text: string
}

/** Every generated file, as it should be. Loads the SDK packages: about half a second. */
export function generatedFiles(): GeneratedFile[] {
  return sources.flatMap((source) => {
    const model = modelOf(source)
    const folder = new URL(`${source.workspace}/models/`, packages)
    return [
      { url: new URL(`${source.service}.json`, folder), text: linesOf(model) },
      {
        url: new URL(`${source.service}-types.ts`, folder),
        text: typesOf(model, typedOperations[source.service] ?? []),
      },
    ]
  })
}
