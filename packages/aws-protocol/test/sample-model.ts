/** Small models for the codec's tests, one of each protocol, with a shape of every kind. */
import type { Protocol, ServiceModel } from '../src/model.ts'

export function sampleModel(protocol: Protocol): ServiceModel {
  return {
    service: 'sample',
    protocol,
    apiVersion: '2020-01-01',
    xmlNamespace: 'http://sample/doc/',
    source: 'written by hand',
    operations: { Make: { in: 'MakeRequest', out: 'MakeResult' }, Ping: {} },
    shapes: {
      MakeRequest: {
        kind: 'struct',
        members: {
          Name: ['Name', 'name', { required: 1 }],
          Token: ['string', 'clientToken', { required: 1, token: 1 }],
          Count: ['Small'],
          Size: ['long', 'Size'],
          Ratio: ['double'],
          Flag: ['boolean'],
          At: ['timestamp'],
          Data: ['blob'],
          Secret: ['Short', 'Secret', { sensitive: 1 }],
          Kind: ['Kind', 'kind', { query: 'KindName' }],
          Tags: ['TagList', 'Tag'],
          Names: ['NameList', 'Names'],
          Nested: ['Nested'],
        },
      },
      MakeResult: {
        kind: 'struct',
        members: {
          Id: ['string', 'id'],
          Tags: ['TagList', 'tagSet'],
          Names: ['NameList', 'nameSet'],
          Nested: ['Nested', 'nested'],
          At: ['timestamp', 'at'],
          Data: ['blob', 'data'],
          Count: ['integer', 'count'],
        },
      },
      Name: { kind: 'string', min: 1, max: 5, pattern: '[a-z]+' },
      Short: { kind: 'string', max: 3 },
      Small: { kind: 'integer', min: 1, max: 10 },
      Kind: { kind: 'string', enum: ['big', 'small'] },
      Tag: {
        kind: 'struct',
        members: { Key: ['string', 'key', { required: 1 }], Value: ['string', 'value'] },
      },
      TagList: { kind: 'list', of: 'Tag', item: 'item', max: 3 },
      NameList: { kind: 'list', of: 'string', item: 'item' },
      Nested: { kind: 'struct', members: { Nested: ['Nested', 'nested'], Value: ['string', 'value'] } },
    },
  }
}
