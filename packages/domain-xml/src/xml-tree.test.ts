import { describe, expect, it } from 'vitest'
import { canonicalXml, element, parseXml, serializeDocument, serializeXml } from './xml-tree.ts'

const faultOf = (text: string) => {
  try {
    parseXml(text)
    return 'none'
  } catch (error) {
    return (error as { fault: string }).fault
  }
}

describe('reading XML', () => {
  it('keeps the order of children, and texts as they are', () => {
    expect(parseXml('<a x="1"> <b/>t<c><![CDATA[<&]]></c><!-- no --><b y="&lt;"/></a>')).toEqual(
      element('a', { x: '1' }, [element('b'), 't', element('c', {}, ['<&']), element('b', { y: '<' })]),
    )
  })

  it('says what is wrong with a text', () => {
    const faults: Record<string, string> = {
      '': 'truncated',
      '<a>': 'truncated',
      '<a><b></b': 'truncated',
      '<a b="': 'truncated',
      '<a></b>': 'not-well-formed',
      'x<a/>': 'not-well-formed',
      '<a b=1/>': 'not-well-formed',
      '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>': 'not-well-formed',
      '<a/><a/>': 'trailing-data',
      '<a/>tail': 'trailing-data',
      '<a></a></a>': 'trailing-data',
      '<a/>\n<!-- fine --> <?fine?>\n': 'none',
    }
    expect(Object.fromEntries(Object.keys(faults).map((text) => [text, faultOf(text)]))).toEqual(faults)
  })

  it('is not brought down by size or depth', () => {
    expect(faultOf('<a>'.repeat(100_000) + '</a>'.repeat(100_000))).toBe('not-well-formed')
    expect(faultOf(`<a>${'x'.repeat(5_000_000)}</a>`)).toBe('too-large')
  })
})

describe('writing XML', () => {
  it('gives back what was read', () => {
    const nasty = 'a<b>&"\'\r\n\t]]> ä 世 😀'
    const tree = element('r', { nasty }, [
      element('t', {}, [nasty]),
      element('e'),
      element('m', {}, ['x', element('i'), 'y']),
    ])
    expect(parseXml(serializeDocument(tree))).toEqual(tree)
  })

  it('refuses what XML cannot carry', () => {
    for (const text of ['\0', '\u0008', '\ud800']) {
      expect(() => serializeXml(element('a', {}, [text]))).toThrow(/cannot carry/)
      expect(() => serializeXml(element('a', { b: text }))).toThrow(/cannot carry/)
    }
  })
})

it('documents that say the same are canonically the same', () => {
  const one = canonicalXml('<a y="1" x="2"><!-- c -->\n  <b> t </b></a>')
  expect(canonicalXml(`<?xml version="1.0"?><a x='2' y='1'><b>t</b></a>`)).toBe(one)
  expect(canonicalXml('<a x="2" y="1"><b>u</b></a>')).not.toBe(one)
  expect(canonicalXml('<a x="2" y="1"><c/><b>t</b></a>')).not.toBe(one)
})
