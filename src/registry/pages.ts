import { requestFailure } from './failure.ts';
import { resolveLocation } from './location.ts';
import type { Answer } from './transport.ts';

const MAX_PAGES = 5000;

/**
 * The answers of a listing, following `Link: <…>; rel="next"` (RFC 8288) on the same origin. `ask` gives `undefined` where
 * there is no listing. A listing that leads back to an earlier page or never ends is RegistryError UNEXPECTED_ANSWER.
 */
export async function* pagesFrom(first: URL, ask: (url: URL) => Promise<Answer | undefined>): AsyncGenerator<Answer> {
  const seen = new Set<string>();
  for (let url: URL | undefined = first; url !== undefined; ) {
    seen.add(url.href);
    const answer = await ask(url);
    if (answer === undefined) return;
    yield answer;
    url = nextPage(answer);
    if (url === undefined) return;
    if (seen.has(url.href) || seen.size >= MAX_PAGES) {
      throw requestFailure('UNEXPECTED_ANSWER', answer, 'the pages of the listing do not end');
    }
  }
}

function nextPage(answer: Answer): URL | undefined {
  const link = answer.header('link') ?? '';
  for (const [, target = '', parameters = ''] of link.matchAll(/<([^<>]*)>([^<>]*)/g)) {
    if (!/;\s*rel\s*=\s*(?:"(?:[^"]*\s)?next(?:\s[^"]*)?"|next\s*(?:[,;]|$))/i.test(parameters)) continue;
    const url = resolveLocation(target, answer);
    if (url.origin === answer.url.origin) return url;
    throw requestFailure(
      'UNEXPECTED_ANSWER',
      answer,
      `the next page of the listing is on another server, ${url.origin}`,
    );
  }
  return undefined;
}
