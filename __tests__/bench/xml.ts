const TOKEN = /<(\/?)([a-z][a-zA-Z]*)((?: [a-zA-Z][a-zA-Z0-9:-]*="[^"<&]*(?:&(?:amp|lt|gt|quot);[^"<&]*)*")*)(\/?)>/y;
const TEXT = /(?:[^<&>]|&(?:amp|lt|gt|quot);)*/y;

/**
 * The names of the elements in the order in which they begin, of the small part of XML that a chart needs: elements, attributes
 * in double quotes, the predefined entities. Error where it is not well-formed, and with anything else.
 */
export function elementsOf(xml: string): readonly string[] {
  const names: string[] = [];
  const open: string[] = [];
  let at = 0;
  const skipText = (): void => {
    TEXT.lastIndex = at;
    at += TEXT.exec(xml)?.[0].length ?? 0;
  };
  const fail = (why: string): never => {
    throw new Error(`${why} at ${at}: ${xml.slice(at, at + 80)}`);
  };
  for (skipText(); at < xml.length; skipText()) {
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(xml);
    if (found === null) return fail('no element');
    const [whole, ends, name = '', attributes = '', isEmpty] = found;
    const keys = [...attributes.matchAll(/ ([a-zA-Z0-9:-]+)="/g)].map(([, key]) => key);
    if (new Set(keys).size !== keys.length) fail('an attribute twice');
    if (ends === '/') {
      if (open.pop() !== name) fail('another element is open');
    } else {
      if (open.length === 0 && names.length > 0) fail('a second root');
      names.push(name);
      if (isEmpty !== '/') open.push(name);
    }
    at += whole.length;
  }
  if (open.length > 0) fail(`${open.join(', ')} not ended`);
  return names;
}
