import { describe, expect, it } from 'vitest'
import { sampleModel } from '../test/sample-model.ts'
import { parseQueryRequest } from './form.ts'
import type { ServiceModel } from './model.ts'
import { QueryDecoder } from './query-decode.ts'
import type { DecodeOptions } from './query-decode.ts'

const ec2 = (form: string, options?: DecodeOptions) =>
  new QueryDecoder(sampleModel('ec2Query'), options).decode('Make', parseQueryRequest('', form).parameters)
const query = (form: string, options?: DecodeOptions) =>
  new QueryDecoder(sampleModel('awsQuery'), options).decode('Make', parseQueryRequest('', form).parameters)

describe('the ec2 form', () => {
  it('is decoded to typed members', () => {
    const form =
      'Name=abc&Count=3&Size=9007199254740991&Ratio=0.5&Flag=True&At=2024-02-29T12:00:00Z&Data=AP8K' +
      '&KindName=big&Tag.1.Key=a&Tag.1.Value=%C3%A9&Tag.3.Key=b&Names.2=y&Names.1=x&Nested.Nested.Value=v'
    expect(ec2(form)).toEqual({
      Name: 'abc',
      Count: 3,
      Size: 9_007_199_254_740_991,
      Ratio: 0.5,
      Flag: true,
      At: new Date('2024-02-29T12:00:00Z'),
      Data: Buffer.from([0, 255, 10]),
      Kind: 'big',
      Tags: [{ Key: 'a', Value: 'é' }, { Key: 'b' }],
      Names: ['x', 'y'],
      Nested: { Nested: { Value: 'v' } },
    })
  })

  it('takes the first of a list for one value, as boto 2 writes it, and nothing more', () => {
    expect(ec2('Name.1=a&Count.1=3')).toEqual({ Name: 'a', Count: 3 })
    expect(() => ec2('Name.1=a&Name.2=b')).toThrow('Name.1')
    expect(() => ec2('Name.1.1=a')).toThrow('Name.1.1')
    expect(() => ec2('Name.1=a&Name=b')).toThrow('Name.1')
  })

  it('takes a lone value for a structure of a Value, as euca2ools writes it, and for no other', () => {
    const text = { kind: 'string' } as const
    const model: ServiceModel = {
      ...sampleModel('ec2Query'),
      operations: { Set: { in: 'SetRequest' } },
      shapes: {
        string: text,
        Attribute: { kind: 'struct', members: { Value: ['string'] } },
        Pair: { kind: 'struct', members: { Key: ['string'], Value: ['string'] } },
        SetRequest: { kind: 'struct', members: { Kernel: ['Attribute'], Tag: ['Pair'] } },
      },
    }
    const set = (form: string) =>
      new QueryDecoder(model).decode('Set', parseQueryRequest('', form).parameters)
    expect(set('Kernel=eki-1')).toEqual({ Kernel: { Value: 'eki-1' } })
    expect(set('Kernel.Value=eki-1')).toEqual({ Kernel: { Value: 'eki-1' } })
    expect(set('Kernel=')).toEqual({ Kernel: {} })
    expect(() => set('Kernel=eki-1&Kernel.Value=eki-2')).toThrow('Kernel')
    expect(() => set('Tag=x')).toThrow('Tag')
  })

  it('takes a lone value for a list of one, and an empty one for none', () => {
    expect(ec2('Name=a&Names=x')).toEqual({ Name: 'a', Names: ['x'] })
    expect(ec2('Name=a&Tag=&Nested=')).toEqual({ Name: 'a', Tags: [], Nested: {} })
  })

  it('sorts numbers as numbers', () => {
    const form = Array.from({ length: 12 }, (_, index) => `Names.${12 - index}=${12 - index}`).join('&')
    expect(ec2(`Name=a&${form}`)['Names']).toEqual(
      Array.from({ length: 12 }, (_, index) => String(index + 1)),
    )
  })

  it.each([
    ['', 'MissingParameter', 'The request must contain the parameter Name'],
    ['Name=a&Tag.2.Value=x', 'MissingParameter', 'The request must contain the parameter Tag.2.Key'],
    ['Name=a&Colour=red', 'UnknownParameter', 'The parameter Colour is not recognized'],
    [
      'Name=a&Tag.1.Key=k&Tag.1.Size.1.X=2',
      'UnknownParameter',
      'The parameter Tag.1.Size.1.X is not recognized',
    ],
    ['Name=a&Names.x=1', 'UnknownParameter', 'The parameter Names.x is not recognized'],
    ['Name=a&Names.1.y=1', 'UnknownParameter', 'The parameter Names.1.y is not recognized'],
    ['Name=a&name=b', 'UnknownParameter', 'The parameter name is not recognized'],
    ['Name=a&Kind=big', 'UnknownParameter', 'The parameter Kind is not recognized'],
    ['Name=a&Nested=x', 'UnknownParameter', 'The parameter Nested is not recognized'],
    ['Name=a&__proto__.x=1', 'UnknownParameter', 'The parameter __proto__.x is not recognized'],
    [
      'Name=a&Count=x',
      'InvalidParameterValue',
      'Value (x) for parameter Count is invalid. It must be an integer.',
    ],
    ['Name=a&Count=0x1', 'InvalidParameterValue', 'Value (0x1)'],
    ['Name=a&Count=', 'InvalidParameterValue', 'Value () for parameter Count'],
    ['Name=a&Count=11', 'InvalidParameterValue', 'at most 10'],
    ['Name=a&Size=9007199254740993', 'InvalidParameterValue', 'Size'],
    ['Name=a&Flag=maybe', 'InvalidParameterValue', 'true or false'],
    ['Name=a&At=2024-02-30T00:00:00Z', 'InvalidParameterValue', 'timestamp'],
    ['Name=a&Data=%25', 'InvalidParameterValue', 'base64'],
    ['Name=a&KindName=huge', 'InvalidParameterValue', 'one of big, small'],
    ['Name=abcdef', 'InvalidParameterValue', 'at most 5 characters long'],
    ['Name=A', 'InvalidParameterValue', 'of the form [a-z]+'],
    [
      'Name=a&Tag.1.Key=a&Tag.2.Key=b&Tag.3.Key=c&Tag.4.Key=d',
      'InvalidParameterValue',
      'at most 3 items long',
    ],
  ])('%s is refused', (form, code, message) => {
    expect(() => ec2(form)).toThrow(expect.objectContaining({ code, status: 400 }))
    expect(() => ec2(form)).toThrow(message)
  })

  it('keeps the values of sensitive members out of messages', () => {
    expect(() => ec2('Name=a&Secret=hunter2')).toThrow('The value for parameter Secret is invalid')
    expect(() => ec2('Name=a&Secret=hunter2')).not.toThrow('hunter2')
  })

  it('opens enums, and lets unknown parameters through, when told so', () => {
    const seen: string[] = []
    const options = {
      openEnums: new Set(['Kind']),
      refuseUnknown: false,
      onUnknown: (path: string) => seen.push(path),
    }
    expect(ec2('Name=a&KindName=huge&Other.1=x', options)).toEqual({ Name: 'a', Kind: 'huge' })
    expect(seen).toEqual(['Other.1'])
  })

  it('has nothing for operations without input', () => {
    const decoder = new QueryDecoder(sampleModel('ec2Query'))
    expect(decoder.decode('Ping', {})).toEqual({})
    const { parameters } = parseQueryRequest('', 'X=1')
    expect(() => decoder.decode('Ping', parameters)).toThrow(
      expect.objectContaining({ code: 'UnknownParameter' }),
    )
    expect(() => decoder.decode('toString', {})).toThrow('no operation toString')
  })
})

describe('the query form', () => {
  it('wraps lists, keeps names as they are, and ignores what nobody knows', () => {
    expect(query('name=abc&Tag.item.1.key=a&Names.item.1=x&kind=small&Colour=red')).toEqual({
      Name: 'abc',
      Tags: [{ Key: 'a' }],
      Names: ['x'],
      Kind: 'small',
    })
  })

  it('complains in its own words', () => {
    expect(() => query('')).toThrow(
      expect.objectContaining({
        code: 'ValidationError',
        message:
          "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null",
      }),
    )
    expect(() => query('name=ABC')).toThrow("Value 'ABC' at 'name' failed to satisfy constraint")
  })
})
