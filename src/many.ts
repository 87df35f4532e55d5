/** Several images in one run, as the pipeline loads it. */
export { runMany } from './bake/run-many.ts';
