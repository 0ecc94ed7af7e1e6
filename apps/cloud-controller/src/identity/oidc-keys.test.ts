import { generateKeyPairSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { OidcKeys, type Issuer } from './oidc-keys.ts'

const url = 'https://id.example.com'
const jwk = () => ({
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'jwk' }),
  kid: 'k',
})

test('keys of an issuer that one account vouches for are not believed for another', async () => {
  const asked: Issuer[] = []
  const keys = new OidcKeys({
    clock: { now: () => 0 },
    async fetchKeys(issuer) {
      asked.push(issuer)
      if (issuer.thumbprints[0] !== 'a') throw new Error('nobody vouches for its certificate')
      return [jwk()]
    },
  })
  expect(await keys.find({ url, thumbprints: ['a'] }, 'k')).not.toBeNull()
  await expect(keys.find({ url, thumbprints: ['b'] }, 'k')).rejects.toThrow('vouches')
  expect(await keys.find({ url, thumbprints: ['a'] }, 'k')).not.toBeNull()
  expect(asked.map(({ thumbprints }) => thumbprints[0])).toEqual(['a', 'b'])
})
