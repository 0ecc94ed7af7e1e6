import { AwsError } from '@mallee/aws-protocol'
import type { ModifyPropertyValueInput, Property } from '@mallee/eucalyptus-api'
import type { EucalyptusContext } from '../eucalyptus-actions.ts'

/** Whatever begins with one of the names, as `euctl` asks for a subtree; everything where none is given. */
export async function describeProperties(
  ctx: EucalyptusContext,
  input: { readonly Properties?: readonly string[] },
): Promise<{ Properties: Property[] }> {
  const wanted = (input.Properties ?? []).filter((name) => name !== '')
  const asked = (name: string) =>
    wanted.length === 0 || wanted.some((prefix) => name === prefix || name.startsWith(`${prefix}.`))
  return {
    Properties: ctx.properties
      .list()
      .filter(({ name }) => asked(name))
      .map(({ name, value, description, defaultValue, readOnly }) => ({
        Name: name,
        Value: value,
        Description: description,
        DefaultValue: defaultValue,
        ReadOnly: readOnly,
      })),
  }
}

export async function modifyPropertyValue(
  ctx: EucalyptusContext,
  input: ModifyPropertyValueInput,
): Promise<{ Name: string; Value: string; OldValue: string }> {
  const property = ctx.properties.list().find(({ name }) => name === input.Name)
  if (!property)
    throw new AwsError('InvalidParameterValue', `There is no property ${input.Name.slice(0, 200)}.`)
  if (property.readOnly)
    throw new AwsError('UnsupportedOperation', `${property.name} is read-only. ${property.description}`)
  if ((input.Reset === true) === (input.Value !== undefined))
    throw new AwsError('InvalidParameterCombination', 'Either Value or Reset=true must be given.')
  const value = input.Reset ? null : input.Value!
  if (value !== null && !ctx.properties.parse(property.name, value))
    throw new AwsError(
      'InvalidParameterValue',
      `${property.name} cannot have this value. ${property.description}`,
    )
  await ctx.transaction(async (tx) => {
    await ctx.properties.keep(tx, property.name, value)
    tx.touch(property.name)
  })
  return { Name: property.name, Value: value ?? property.defaultValue, OldValue: property.value }
}
