/** The commands: a bundle that the doors share. */
export function loadCommands(): Promise<typeof import('./commands.ts')> {
  return import(/* webpackIgnore: true */ './commands.ts');
}
