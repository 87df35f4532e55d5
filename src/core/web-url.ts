const MAX_URL_LENGTH = 4096;

/** An address that a person may be sent to: http or https, and not endless. Else `undefined`. */
export function parseWebUrl(text: string | undefined): string | undefined {
  if (text === undefined || text.length > MAX_URL_LENGTH || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  return url.protocol === 'https:' || url.protocol === 'http:' ? url.href : undefined;
}
