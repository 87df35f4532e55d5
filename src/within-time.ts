/** What the work gives; `undefined` when it takes longer, and then it goes on for nobody. Its timer does not keep the process. */
export function withinTime<T>(work: Promise<T>, limitMs: number): Promise<T | undefined> {
  const late = new Promise<undefined>((resolve) => {
    AbortSignal.timeout(limitMs).addEventListener('abort', () => resolve(undefined), { once: true });
  });
  return Promise.race([work, late]);
}
