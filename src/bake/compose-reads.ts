import type { Findings } from '../core/bake/findings.ts';
import type { PathUse } from '../core/bake/image-inputs.ts';
import { entriesOf, type Tree, valueOf } from '../core/bake/tree.ts';
import { readYamlTree } from '../core/bake/yaml-tree.ts';
import { quote } from '../core/printable.ts';
import type { Host } from '../host.ts';
import { refusals } from './access.ts';
import { ENV_FILE, readText } from './read-files.ts';

/** More files than anybody includes. */
const MAX_FILES = 200;
/** Ways to write a text that only a whole reader of YAML makes out. */
const HIDDEN = /!!binary|!<|^%TAG/m;
const EVERYTHING = ['fs=*', 'fs.read=*'];

/** A compose file, and the directory that its paths start from. */
interface Piece {
  readonly file: string;
  readonly base: string;
}

/** What is wrong, and the file that says it. */
interface Refused {
  readonly file: string;
  readonly message: string;
}

/** What a compose file has buildx read besides it. */
interface Reads {
  /** Compose files, each with the directory that its own paths start from. */
  readonly files: readonly Piece[];
  /** Files with variables or labels. */
  readonly others: readonly string[];
  /** Texts that say nothing before buildx has read them. */
  readonly unclear: readonly string[];
}

/**
 * Problems with the files that buildx would read for these compose files (`include`, `extends`, `env_file`, `label_file`), and
 * for those again: what lies outside of the workspace needs `allow`, as what a target names. Paths start from the workspace, of
 * a file that another one names from its own directory (compose-go 2.9, loader).
 */
export function findComposeReads(
  compose: readonly string[],
  { allow, host, findings }: { allow: readonly string[]; host: Host; findings: Findings },
): readonly Refused[] {
  if (allow.some((one) => EVERYTHING.includes(one))) return [];
  const { path } = host.files;
  const problems: Refused[] = [];
  const seen = new Set<string>();
  const left: Piece[] = compose.map((file) => ({ file, base: '.' }));
  const isRefused = (from: string, file: string): boolean => {
    const use: PathUse = { what: 'the file', path: path.normalize(file), access: 'read' };
    const found = refusals({ paths: [use], usesAgent: false, entitlements: [] }, allow, host);
    problems.push(...found.map((message) => ({ file: from, message })));
    return found.length > 0;
  };
  for (let piece = left.pop(); piece !== undefined; piece = left.pop()) {
    const key = JSON.stringify([path.normalize(piece.file), path.normalize(piece.base)]);
    if (seen.has(key) || host.files.kindOf(piece.file) === undefined) continue;
    seen.add(key);
    const { file } = piece;
    if (seen.size > MAX_FILES)
      return [...problems, { file, message: `more than ${MAX_FILES} files follow each other` }];
    const text = readText(host, file, findings);
    const tree = text === undefined ? undefined : readYamlTree(text, findings.in(file));
    if (text !== undefined && HIDDEN.test(text))
      problems.push({ file, message: 'YAML texts may not be written in base64, and tags not in full' });
    const { files, others, unclear } = readsOf(tree, piece.base, path);
    for (const one of unclear) {
      const why = 'is a path that only buildx can make out; only the workflow may grant that: allow: fs.read=*';
      problems.push({ file, message: `${quote(one)} ${why}` });
    }
    for (const other of others) isRefused(file, other);
    left.push(...files.filter((one) => !isRefused(file, one.file)));
  }
  return problems;
}

function readsOf(tree: Tree | undefined, base: string, path: Host['files']['path']): Reads {
  const unclear: string[] = [];
  const others: string[] = [];
  const at = (from: string, text: string): string => {
    // Variables come from files as well, and `~` is the home directory.
    if (text.includes('$') || text.startsWith('~')) unclear.push(text);
    return path.isAbsolute(text) ? text : path.join(from, text);
  };
  const files: Piece[] = [];
  const add = (file: string, from = path.dirname(file)): void => void files.push({ file, base: from });
  for (const item of itemsOf(valueOf(tree, 'include'))) {
    const named = item.kind === 'map' ? textsOf(valueOf(item, 'path')) : textsOf(item);
    const project = textsOf(valueOf(item, 'project_directory')).map((text) => at(base, text));
    for (const file of named.map((text) => at(base, text))) {
      for (const from of [path.dirname(file), ...project]) {
        add(file, from);
        others.push(path.join(from, ENV_FILE));
      }
    }
    others.push(...textsOf(valueOf(item, 'env_file')).map((text) => at(base, text)));
  }
  for (const { value: service } of entriesOf(valueOf(tree, 'services'))) {
    for (const text of textsOf(valueOf(valueOf(service, 'extends'), 'file'))) add(at(base, text));
    for (const key of ['env_file', 'label_file']) {
      const named = itemsOf(valueOf(service, key)).flatMap((item) =>
        textsOf(item.kind === 'map' ? valueOf(item, 'path') : item),
      );
      others.push(...named.map((text) => at(base, text)));
    }
  }
  return { files, others, unclear };
}

/** A text alone, or each of a list. */
function itemsOf(tree: Tree | undefined): readonly Tree[] {
  if (tree === undefined) return [];
  return tree.kind === 'list' ? tree.items : [tree];
}

function textsOf(tree: Tree | undefined): readonly string[] {
  return itemsOf(tree).flatMap((item) =>
    item.kind === 'map' || item.kind === 'list' || item.kind === 'null' ? [] : [item.text],
  );
}
