/** What a text of HCL's JSON comes to: texts, and the names of variables between them. */
export type TemplatePart = { readonly text: string } | { readonly variable: string };

/** The words of HCL that are values, not names. */
const WORDS = ['true', 'false', 'null'];
const PIECE = /\$\$\{|%%\{|\$\{[ \t\n\r]*([A-Za-z_][A-Za-z0-9_-]*)[ \t\n\r]*\}|\$\{|%\{/g;

/**
 * The parts of a template of HCL (https://github.com/hashicorp/hcl/blob/v2.23.0/hclsyntax/spec.md#template-expressions)
 * that names variables and nothing else. `undefined` for one with operators, functions, directives.
 */
export function parseTemplate(source: string): readonly TemplatePart[] | undefined {
  // Go has no halves of surrogate pairs; what HCL makes of one more sign before an escape is its own.
  if (/\p{Cs}/u.test(source) || /\$\$\$\{|%%%\{/.test(source)) return undefined;
  const text = source.normalize('NFC');
  const parts: TemplatePart[] = [];
  let at = 0;
  for (const found of text.matchAll(PIECE)) {
    const [piece, variable] = found;
    parts.push({ text: text.slice(at, found.index) });
    at = found.index + piece.length;
    if (variable !== undefined && !WORDS.includes(variable)) parts.push({ variable });
    else if (piece === '$${' || piece === '%%{') parts.push({ text: piece.slice(1) });
    else return undefined;
  }
  parts.push({ text: text.slice(at) });
  return parts.filter((part) => !('text' in part) || part.text !== '');
}

/** What `docker buildx bake --print` writes in place of a text that is no template. */
export function unescapePrinted(text: string): string {
  return text.replaceAll('$${', '${').replaceAll('%%{', '%{');
}
