import { formatList, parseList } from '../core/lists.ts';
import { quote } from '../core/printable.ts';
import { formatRepositoryName, parseReference } from '../core/reference.ts';
import { someOf } from '../core/some-of.ts';
import type { Problem } from '../errors.ts';
import type { isGiven, RawOptions } from '../options.ts';
import type { ImageTarget } from './image-target.ts';

/** Stands in `images` for the name of a target. */
const NAME = /\{\{\s*name\s*\}\}/g;
/** Inputs of which each target says its own. */
const OWN_INPUTS = ['context', 'file', 'target'];
/** Lists of assignments: what a target says, then what the step says, which wins. */
const JOINED_INPUTS: ReadonlySet<string> = new Set(['build-args', 'labels', 'annotations', 'build-contexts']);

/** The step's inputs that a person wrote; a runner fills in defaults. */
export type GivenInputs = Readonly<Record<string, string>>;

/** Of the step's inputs, those that a person wrote. */
export function givenInputs(step: RawOptions, isWritten: typeof isGiven): GivenInputs {
  return Object.fromEntries(Object.entries(step).filter((entry): entry is [string, string] => isWritten(...entry)));
}

/** The inputs of one image: what the step says wins over what its file says. */
export function inputsOf(step: RawOptions, given: GivenInputs, target: ImageTarget): RawOptions {
  const joined: Record<string, string | undefined> = { ...step, ...target.inputs };
  for (const [name, text] of Object.entries(given))
    joined[name] = JOINED_INPUTS.has(name) ? [target.inputs[name] ?? '', text].join('\n') : text;
  return { ...joined, ...namesOf(given, target) };
}

/** What it is pushed as: the step's `images`, or what its own tags name; its own tags then stand, unless the step has rules. */
function namesOf(given: GivenInputs, { name, inputs }: ImageTarget): RawOptions {
  const pattern = given['images'];
  if (pattern !== undefined) {
    return { images: withName(pattern, name.toLowerCase()), tags: given['tags'] };
  }
  const references = (inputs['tags'] ?? '').split('\n').filter((line) => line !== '');
  const repositories = references.flatMap((text) => {
    const reference = parseReference(text);
    // A bad one is told of as an image.
    return reference.ok ? [formatRepositoryName(reference.value.repository)] : [text];
  });
  const tagged = references.filter((text) => {
    const reference = parseReference(text);
    return reference.ok && reference.value.tag !== undefined;
  });
  return {
    images: [...new Set(repositories)].join('\n'),
    tags: given['tags'] ?? tagged.join('\n'),
  };
}

/** A name with a comma or a line feed in it, as a directory may have one, stays one name, which is no image's. */
function withName(pattern: string, name: string): string {
  const images = parseList(pattern, { commas: true });
  return images.ok ? formatList(images.value.map((image) => image.replace(NAME, () => name))) : pattern;
}

/** How many images a problem names. */
const MAX_NAMES = 3;

/** The first of these names, quoted. */
export function someNames(names: readonly string[]): string {
  return someOf(names, MAX_NAMES, quote);
}

/** What does not go together with several images. */
export function findStrayInputs(given: GivenInputs, targets: readonly ImageTarget[]): readonly Problem[] {
  const own = OWN_INPUTS.filter((name) => given[name] !== undefined).map((input) => ({
    input,
    message: `${quote(given[input] ?? '')} does not go with files: each image of them has its own`,
  }));
  const requested = targets.filter(({ isRequested }) => isRequested);
  return [
    ...own,
    ...findStrayPassword(given),
    ...(given['images'] === undefined ? findNameless(requested) : findOneName(given['images'], requested)),
  ];
}

/** A file comes with the pull request that changes it: it must not say who gets the password. */
function findStrayPassword(given: GivenInputs): readonly Problem[] {
  if (given['password'] === undefined || given['registry'] !== undefined || given['images'] !== undefined) return [];
  return [{ input: 'registry', message: 'is required: without it, a file would say which registry gets the password' }];
}

function findNameless(targets: readonly ImageTarget[]): readonly Problem[] {
  const nameless = targets.filter(({ inputs }) => (inputs['tags'] ?? '').trim() === '').map(({ name }) => name);
  if (nameless.length === 0) return [];
  const what = `${someNames(nameless)} ${nameless.length === 1 ? 'has' : 'have'} no tags that name a repository`;
  return [{ input: 'images', message: `${what}: give it here, as in ghcr.io/acme/{{name}}` }];
}

function findOneName(text: string, targets: readonly ImageTarget[]): readonly Problem[] {
  const images = parseList(text, { commas: true });
  const fixed = images.ok ? images.value.filter((image) => image.replace(NAME, '') === image) : [];
  if (targets.length < 2 || fixed.length === 0) return [];
  const what = `${fixed.map(quote).join(', ')} would be the name of all ${targets.length} images`;
  const instead = 'put {{name}} where the name of each stands, as in ghcr.io/acme/{{name}}';
  return [{ input: 'images', message: `${what}: ${instead}` }];
}
