import { describe, expect, it } from 'vitest'
import { formLimits, formTree, parseForm, parseQueryRequest } from './form.ts'

const coded = (code: string) => expect.objectContaining({ code, status: 400 })

describe('parseForm', () => {
  it('decodes pluses, escapes and missing values', () => {
    expect(parseForm('a=1+2&b=%C3%A9%2B&c&&d==')).toEqual([
      ['a', '1 2'],
      ['b', 'é+'],
      ['c', ''],
      ['d', '='],
    ])
    expect(parseForm('')).toEqual([])
  })

  it.each(['a=%', 'a=%zz', 'a=%C3', '%ff=1'])('refuses %s', (text) => {
    expect(() => parseForm(text)).toThrow(coded('MalformedQueryString'))
  })

  it('refuses too many keys and too deep ones', () => {
    const many = Array.from({ length: formLimits.maxKeys + 1 }, (_, index) => `k${index}=`).join('&')
    expect(() => parseForm(many)).toThrow(coded('MalformedQueryString'))
    const half = Array.from({ length: formLimits.maxKeys / 2 + 1 }, (_, index) => `k${index}=`).join('&')
    expect(() => parseQueryRequest(half, half)).toThrow(coded('MalformedQueryString'))
    const deep = Array.from({ length: formLimits.maxDepth + 1 }, () => 'a').join('.')
    expect(() => formTree([[deep, '']])).toThrow(coded('MalformedQueryString'))
  })
})

describe('parseQueryRequest', () => {
  it('merges query and body and keeps the signature out of the parameters', () => {
    const query = 'Version=2016-11-15&X-Amz-Signature=ff&X-Amz-Date=x'
    const request = parseQueryRequest(query, 'Action=Run&A.1.B=x&A.1=y')
    expect(request.action).toBe('Run')
    expect(request.version).toBe('2016-11-15')
    const list = request.parameters.children?.get('A')?.children
    expect(request.parameters.children?.size).toBe(1)
    expect(list?.get('1')?.value).toBe('y')
    expect(list?.get('1')?.children?.get('B')?.value).toBe('x')
  })

  it('takes the same value twice, and refuses two', () => {
    expect(parseQueryRequest('Action=A&B=1', 'Action=A&B=1').action).toBe('A')
    expect(() => parseQueryRequest('Action=A', 'Action=B')).toThrow(coded('InvalidParameterValue'))
    expect(() => parseQueryRequest('', 'B=1&B=2')).toThrow(coded('InvalidParameterValue'))
  })

  it('lets no key near a prototype', () => {
    const { parameters } = parseQueryRequest('', '__proto__.polluted=1&constructor.prototype.polluted=1')
    expect(parameters.children?.get('__proto__')?.children?.get('polluted')?.value).toBe('1')
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })
})
