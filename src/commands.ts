/** What the action and the CLI share: one bundle that both load. */
export { parseCommandLine } from './command-line.ts';
export { hashTag } from './core/input-manifest.ts';
export { helpText } from './help.ts';
export { isCommandName, runCommand } from './pipeline.ts';
export { renderMarkdown, renderText } from './report/render.ts';
export { failureOf, redacted, redactedFailure, reportDocument } from './report/report.ts';
