#!/usr/bin/env node
import { parseCommandLine } from './command-line.ts';
import { hashTag } from './core/input-manifest.ts';
import { isBuildOnceError } from './errors.ts';
import { helpText } from './help.ts';
import { watchSignals } from './hosts/signals.ts';
import { createTerminalHost } from './hosts/terminal.ts';
import { type CommandName, runCommand } from './pipeline.ts';
import { renderText } from './report/render.ts';
import { failureOf } from './report/report.ts';
import { VERSION } from './version.ts';

const interrupt = watchSignals(process);
const host = createTerminalHost({ signal: interrupt.signal });
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
  const { command, raw, json } = parseCommandLine(argv);
  if (command === 'version') print(VERSION);
  else if (command === 'help') print(helpText());
  else if (command === 'demo') print(await (await import(/* webpackIgnore: true */ './demo.ts')).runDemo(host));
  else await run(command, raw, json);
}

async function run(
  command: CommandName,
  raw: Readonly<Record<string, string | undefined>>,
  json: boolean,
): Promise<void> {
  const { report, error } = await runCommand(command, raw, host);
  if (json) print(JSON.stringify(report, undefined, 2));
  if (error !== undefined) throw error;
  if (!json) print(command === 'hash' ? hashTag(report.hash ?? '') : renderText(report));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
