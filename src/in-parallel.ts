/**
 * Runs at most `limit` at once; the results are in the order of the items. After a failure none is started, and those that run
 * are waited for.
 */
export async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const ahead = [...items.entries()];
  const results: [number, R][] = [];
  const failures: unknown[] = [];
  const worker = async (): Promise<void> => {
    for (let next = ahead.shift(); next !== undefined && failures.length === 0; next = ahead.shift()) {
      const [position, item] = next;
      try {
        results.push([position, await work(item)]);
      } catch (error) {
        failures.push(error);
      }
    }
  };
  await Promise.all(Array.from({ length: limit }, worker));
  if (failures.length > 0) throw failures[0];
  return results.sort(([a], [b]) => a - b).map(([, result]) => result);
}
