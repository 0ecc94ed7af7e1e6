import { expect, test } from 'vitest'
import { BlockReferences } from './block-references.ts'

test('a block is unused when the last snapshot that has it goes', () => {
  const references = new BlockReferences()
  references.add('a', ['1', '2'])
  references.add('b', ['2', '3'])
  expect(references.drop('a', ['1', '2'])).toEqual(['1'])
  expect([references.has('1'), references.has('2')]).toEqual([false, true])
  expect(references.drop('b', ['2', '3'])).toEqual(['2', '3'])
})

test('a snapshot that is told of twice counts once, and one that was dropped is not dropped again', () => {
  const references = new BlockReferences()
  references.add('a', ['1'])
  references.add('a', ['1'])
  references.add('b', ['1'])
  expect(references.drop('a', ['1'])).toEqual([])
  expect(references.drop('a', ['1'])).toEqual([])
  expect(references.has('1')).toBe(true)
  expect(references.drop('b', ['1'])).toEqual(['1'])
})
