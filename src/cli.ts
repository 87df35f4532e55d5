#!/usr/bin/env node
import type { CommandLine } from './command-line.ts';
import { isBuildOnceError, UsageError } from './errors.ts';
import { watchSignals } from './hosts/signals.ts';
import { createTerminalHost } from './hosts/terminal.ts';
import { orInterruption } from './interruption.ts';
import { loadCommands } from './load-commands.ts';
import type { CommandName } from './pipeline.ts';
import type { PruneCall } from './stage.ts';
import { VERSION } from './version.ts';

const interrupt = watchSignals(process);
const host = createTerminalHost({ signal: interrupt.signal });
interrupt.beforeEnd(() => host.removeAtOnce());
const {
  failureOf,
  hashTag,
  helpText,
  isCommandName,
  parseCommandLine,
  redacted,
  redactedFailure,
  renderText,
  reportDocument,
  runCommand,
} = await loadCommands();
const commandLine = parseCommandLine(process.argv.slice(2));
try {
  const error = await main(commandLine);
  if (error !== undefined) fail(error);
} catch (thrown) {
  const error = orInterruption(thrown, host.signal);
  if (commandLine.json) printJson({ status: 'failed', failure: redactedFailure(failureOf(error), host.hide) });
  fail(error);
} finally {
  await host.finish();
}

/** Answers the error that the report has told already; what fails before there is a report is thrown. */
async function main(line: CommandLine): Promise<Error | undefined> {
  const { command, problems } = line;
  const name = command === 'cleanup' ? 'prune' : command;
  if (isCommandName(name)) return run(name, line);
  if (problems.length > 0) throw new UsageError(problems, { hint: 'build-once help lists everything.' });
  if (command === 'version') print(VERSION);
  else if (command === 'help') print(helpText());
  else if (command === 'demo') print(await demo());
  return undefined;
}

async function demo(): Promise<string> {
  const { runDemo } = await import(/* webpackIgnore: true */ './demo.ts');
  return runDemo(host, { runCommand, renderText });
}

async function run(command: CommandName, line: CommandLine): Promise<Error | undefined> {
  const { raw, json, problems, reference, all } = line;
  const call = { found: problems, reference, journal: reference, prune: pruneCall(line) };
  const { report: found, manifest, error } = await runCommand(command, raw, host, call);
  const report = redacted(found, host.hide);
  if (json) printJson(reportDocument(report));
  else if (command === 'scan' && report.scan !== undefined) print(report.scan.text);
  else if ((command === 'prune' || command === 'undo') && report.prune !== undefined) print(report.prune.text);
  else if (error !== undefined && report.several === undefined) return error;
  // To the byte: its sha256 is the content hash.
  else if (line.manifest) process.stdout.write(host.hide(manifest?.() ?? ''));
  else print(command === 'hash' ? hashTag(report.hash ?? '') : renderText(report, all));
  return error;
}

function pruneCall({ command, apply, yes, plan, planOut }: CommandLine): PruneCall {
  const asks = command === 'cleanup' && !yes && process.stdin.isTTY && process.stderr.isTTY;
  return { apply, planFile: plan, planOut, ask: asks ? askOnTerminal : undefined };
}

async function askOnTerminal(plan: string): Promise<boolean> {
  process.stderr.write(`${host.hide(plan)}\n`);
  const { createInterface } = await import('node:readline/promises');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  terminal.on('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  try {
    const answer = await terminal.question('Delete this? [y/N] ', { signal: host.signal });
    return /^y(?:es)?$/i.test(answer.trim());
  } catch (error) {
    // The end of the input, as Ctrl+D: that is no yes.
    if (host.signal.aborted) throw error;
    process.stderr.write('\n');
    return false;
  } finally {
    terminal.close();
  }
}

function fail(error: unknown): void {
  const { code, message, hint, at } = failureOf(error);
  host.log.error(`${code}: ${message}${hint === undefined ? '' : `\n${hint}`}`, at);
  process.exitCode = interrupt.exitCode() ?? (isBuildOnceError(error) ? error.exitCode : 1);
}

function printJson(value: object): void {
  print(JSON.stringify(value, undefined, 2));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
