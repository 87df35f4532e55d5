import { isBuildOnceError } from './errors.ts';
import { createActionsHost } from './hosts/actions.ts';
import { watchSignals } from './hosts/signals.ts';
import { loadCommands } from './load-commands.ts';

const INPUT = 'INPUT_';
const COMMANDS = ['build', 'plan', 'prune'] as const;

const { env } = process;
const interrupt = watchSignals(process);
const host = createActionsHost({ env, cwd: env['GITHUB_WORKSPACE'] ?? process.cwd(), signal: interrupt.signal });
interrupt.beforeEnd(() => host.removeAtOnce());
const { failureOf, redacted, renderMarkdown, runCommand } = await loadCommands();
try {
  await main();
} catch (error) {
  fail(error);
} finally {
  await host.finish();
}

async function main(): Promise<void> {
  const inputs = Object.entries(env).filter(([name]) => name.startsWith(INPUT));
  const raw = Object.fromEntries(inputs.map(([name, value]) => [name.slice(INPUT.length).toLowerCase(), value]));
  // What is no command is bad input, as the table of inputs says.
  const command = COMMANDS.find((known) => known === raw['command']?.trim()) ?? 'build';
  const { report, options, error } = await runCommand(command, raw, host);
  for (const [name, value] of Object.entries(report.outputs)) host.setOutput(name, value);
  if (options.summary) host.appendSummary(renderMarkdown(redacted(report, host.hide)));
  host.addArtifacts(report.subjects);
  if (error !== undefined) fail(error);
}

function fail(error: unknown): void {
  const { code, message, hint, at } = failureOf(error);
  host.log.error(`${code}: ${message}${hint === undefined ? '' : `\n${hint}`}`, at);
  process.exitCode = interrupt.exitCode() ?? (isBuildOnceError(error) ? error.exitCode : 1);
}
