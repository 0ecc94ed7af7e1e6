import { passing } from './node-error.ts'

/** The promise, or a retryable error after `timeoutMs`; what comes of it later is nobody's concern. */
export async function within<T>(timeoutMs: number, what: string, promise: Promise<T>): Promise<T> {
  promise.catch(() => {})
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(passing('Late', `${what}: no answer within ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
