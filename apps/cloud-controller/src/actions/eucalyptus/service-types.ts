/** The kinds of service that DescribeServices speaks of. Machines join by a token, so nothing is registered by hand. */
const types = [
  ['eucalyptus', 'The cloud controller: the record, placement and every decision', []],
  ['node', 'A machine that runs instances', []],
  ['objectstorage', 'S3, in front of the object store', ['user-api']],
  ['storage', 'A machine that holds volumes', []],
  ['user-api', 'The service group of all that users call', []],
  ['walrusbackend', 'The object store', []],
] as const

const inZones: ReadonlySet<string> = new Set(['node', 'storage'])
/** What users call; the others are between machines. */
export const publicServiceTypes: ReadonlySet<string> = new Set(['objectstorage', 'user-api'])

const entries = (names: readonly string[]) => names.map((Entry) => ({ Entry }))

export async function describeAvailableServiceTypes() {
  return {
    Available: types.map(([name, description, groups]) => ({
      ComponentName: name,
      ComponentCapitalizedName: `${name[0]?.toUpperCase()}${name.slice(1)}`,
      Description: description,
      HasCredentials: false,
      Registerable: false,
      RequiresName: true,
      Partitioned: inZones.has(name),
      PublicApiService: publicServiceTypes.has(name),
      ServiceGroups: entries(groups),
      ServiceGroupMembers: entries(
        types.filter(([, , of]) => of.some((group) => group === name)).map(([member]) => member),
      ),
    })),
  }
}
