#!/usr/bin/env node
import { type CommandLine, parseCommandLine } from './command-line.ts';
import { hashTag } from './core/input-manifest.ts';
import { isBuildOnceError, UsageError } from './errors.ts';
import { helpText } from './help.ts';
import { watchSignals } from './hosts/signals.ts';
import { createTerminalHost } from './hosts/terminal.ts';
import { type CommandName, runCommand } from './pipeline.ts';
import { renderText } from './report/render.ts';
import { failureOf, redacted } from './report/report.ts';
import { VERSION } from './version.ts';

const interrupt = watchSignals(process);
const host = createTerminalHost({ signal: interrupt.signal });
interrupt.beforeEnd(() => host.removeAtOnce());
try {
  await main(process.argv.slice(2));
} catch (error) {
  const { code, message, hint, at } = failureOf(error);
  host.log.error(`${code}: ${message}${hint === undefined ? '' : `\n${hint}`}`, at);
  process.exitCode = interrupt.exitCode() ?? (isBuildOnceError(error) ? error.exitCode : 1);
} finally {
  await host.finish();
}

async function main(argv: readonly string[]): Promise<void> {
  const { command, raw, json, problems } = parseCommandLine(argv);
  if (command === 'build' || command === 'hash') await run(command, { raw, json, problems });
  else if (problems.length > 0) throw new UsageError(problems, { hint: 'build-once help lists everything.' });
  else if (command === 'version') print(VERSION);
  else if (command === 'help') print(helpText());
  else if (command === 'demo') print(await (await import(/* webpackIgnore: true */ './demo.ts')).runDemo(host));
}

async function run(command: CommandName, { raw, json, problems }: Omit<CommandLine, 'command'>): Promise<void> {
  const { report: found, error } = await runCommand(command, raw, host, problems);
  const report = redacted(found, host.hide);
  if (json) print(JSON.stringify(report, undefined, 2));
  if (error !== undefined) throw error;
  if (!json) print(command === 'hash' ? hashTag(report.hash ?? '') : renderText(report));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
