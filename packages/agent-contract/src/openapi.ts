import { agentRoutes, contractVersion, type Route } from './routes.ts'

/** The contract as an OpenAPI 3.1 document; `openapi.json` beside the package is its checked-in copy. */
export function agentOpenApi(): unknown {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const [operationId, route] of Object.entries(agentRoutes) as [string, Route<unknown, unknown>][]) {
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] = {
      ...paths[path],
      [route.method.toLowerCase()]: {
        operationId,
        summary: route.doc,
        ...(route.request
          ? { requestBody: { content: { 'application/json': { schema: route.request.json } } } }
          : {}),
        responses: {
          200: route.response
            ? { description: 'done', content: { 'application/json': { schema: route.response.json } } }
            : { description: 'done' },
        },
      },
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Mallee agent contract', version: String(contractVersion) },
    paths,
  }
}
