import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { generatedFiles } from './generated-files.ts'

it('the committed models and types are what the generator makes', () => {
  const files = generatedFiles()
  expect(files).toHaveLength(10)
  for (const { url, text } of files) {
    // Compared by truth: a difference of half a megabyte helps nobody.
    expect(readFileSync(url, 'utf8') === text, `${url.pathname} is stale: run npm run gen:models`).toBe(true)
  }
})
