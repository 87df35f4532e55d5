export {
  BuildOnceError,
  CommandError,
  type ExitCode,
  isBuildOnceError,
  PolicyError,
  type Problem,
  RegistryError,
  UsageError,
} from './errors.ts';
export type { Command, CommandResult, FileEntry, Files, Host, Location, Log, Undo } from './host.ts';
export { createTerminalHost, type TerminalSettings } from './hosts/terminal.ts';
export type { OptionName } from './option-table.ts';
export type { RawOptions } from './options.ts';
export { type CommandCall, type CommandName, type Finished, runCommand } from './pipeline.ts';
export type { OutputName, Outputs } from './report/outputs.ts';
export { renderMarkdown, renderText } from './report/render.ts';
export type { Failure, PlatformRow, ProvenanceSubject, Report, ScanSection, Step, TagRow } from './report/report.ts';
