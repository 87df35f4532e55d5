/** Something that a person should look at, said in a sentence that ends with what to do. */
export interface Warning {
  readonly message: string;
  /** In the Dockerfile; `undefined` when no line is to blame. */
  readonly line: number | undefined;
}
