/** Whether Go's net.ParseIP (Go 1.26) takes this text: IPv4 without leading zeros, IPv6 without a zone. */
export function isIP(text: string): boolean {
  const lastColon = text.lastIndexOf(':');
  if (lastColon < 0) return isIPv4(text);
  const tail = text.slice(lastColon + 1);
  if (tail.includes('.')) return isIPv4(tail) && isIPv6(`${text.slice(0, lastColon + 1)}0:0`);
  return isIPv6(text);
}

function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((part) => /^(?:0|[1-9][0-9]{0,2})$/.test(part) && Number(part) <= 255);
}

function isIPv6(text: string): boolean {
  const [head = '', tail, more] = text.split('::');
  const groups = [head, tail ?? ''].flatMap((part) => (part === '' ? [] : part.split(':')));
  const isComplete = tail === undefined ? groups.length === 8 : groups.length < 8;
  return more === undefined && isComplete && groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group));
}
