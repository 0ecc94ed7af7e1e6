/**
 * Text into XML. Carriage returns are written as references, since parsers turn bare ones into line feeds.
 * Characters that XML 1.0 cannot hold at all (most control characters, U+FFFE, U+FFFF, lone surrogates) become
 * U+FFFD; S3, whose keys may hold them, writes them as references instead, as AWS does, for parsers that are lenient.
 * https://www.w3.org/TR/xml/#charsets
 */

// eslint-disable-next-line no-control-regex
const special = /[&<>\r\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF\uD800-\uDFFF]/u
// eslint-disable-next-line no-control-regex
const specials = /[&<>\r\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF\uD800-\uDFFF]/gu

const named: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#xD;' }

/** For element content. */
export function escapeXml(text: string): string {
  if (!special.test(text)) return text
  return text.replaceAll(specials, (char) => named[char] ?? '\uFFFD')
}

/** For element content in S3's answers. */
export function escapeXmlKeepingControls(text: string): string {
  if (!special.test(text)) return text
  return text.replaceAll(specials, (char) => named[char] ?? reference(char))
}

/** For attribute values in double quotes. */
export function escapeXmlAttribute(text: string): string {
  return escapeXml(text).replaceAll('"', '&quot;').replaceAll('\n', '&#xA;').replaceAll('\t', '&#x9;')
}

function reference(char: string): string {
  const code = char.codePointAt(0) ?? 0xfffd
  return code >= 0xd800 && code <= 0xdfff ? '\uFFFD' : `&#x${code.toString(16).toUpperCase()};`
}
