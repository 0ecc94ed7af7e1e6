/** `use1-az1` for the first zone of us-east-1: AWS's short form of the region, and a number. */
export function zoneId(region: string, index: number): string {
  const [area = '', side = '', number = ''] = region.split('-')
  return `${area}${side.charAt(0)}${number}-az${index + 1}`
}
