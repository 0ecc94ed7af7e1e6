/** Rows of many ids, a slice at a time: one query takes no more than some thousands of parameters. In the order of the slices. */
export async function readInSlices<Row>(
  ids: readonly string[],
  read: (slice: readonly string[]) => Promise<Row[]>,
): Promise<Row[]> {
  const rows: Row[] = []
  for (let start = 0; start < ids.length; start += sliceIds)
    for (const row of await read(ids.slice(start, start + sliceIds))) rows.push(row)
  return rows
}

const sliceIds = 500
