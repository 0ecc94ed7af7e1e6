/** `npm run gen:models`: writes the generated models and types; see generated-files.ts. */
import { writeFileSync } from 'node:fs'
import { generatedFiles } from './generated-files.ts'

for (const { url, text } of generatedFiles()) {
  writeFileSync(url, text)
  console.log(`${url.pathname.split('/').slice(-3).join('/')}: ${text.length} characters`)
}
