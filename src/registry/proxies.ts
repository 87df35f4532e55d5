import { BlockList, isIP } from 'node:net';
import { isLoopback } from '../core/reference.ts';
import type { Problem } from '../errors.ts';
import { basicAuthorization, Secret } from './credentials.ts';

/** A proxy that requests go through. */
export interface Proxy {
  /** Without credentials: it may be shown. */
  readonly url: URL;
  /** The value of `Proxy-Authorization`. */
  readonly authorization: Secret | undefined;
  /** The environment variable that names it. */
  readonly variable: string;
}

/** The cause of a request's failure that a proxy did not let pass; `status` is what it answered. */
export function proxyRefused(status: number): Error {
  return Object.assign(new Error('the proxy refused'), { code: 'PROXY_REFUSED', status });
}

/** Which requests go through which proxy. */
export interface Proxies {
  /** The proxy for a request to this URL; `undefined` when it goes straight there. */
  for(target: URL): Proxy | undefined;
  /** Variables that name no usable proxy; their requests would go straight. */
  readonly problems: readonly Problem[];
  /** The variables for a program that is to go the same way, in upper case; those with credentials are left out. */
  readonly variables: Readonly<Record<string, string>>;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Exemption = (host: string, port: string) => boolean;

const PORTS: Readonly<Record<string, string>> = { 'http:': '80', 'https:': '443' };
const ALLOWED = 'http://HOST:PORT or https://HOST:PORT is allowed, with USER:PASSWORD@ before the host';

/**
 * Reads `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`; the lower-case name wins, as in curl. `NO_PROXY` means what it
 * means to Go (https://pkg.go.dev/golang.org/x/net@v0.47.0/http/httpproxy#Config): this machine is never asked through a proxy.
 */
export function readProxies(env: Environment): Proxies {
  const problems: Problem[] = [];
  const proxies = new Map<string, Proxy>();
  for (const [protocol, name] of [
    ['http:', 'HTTP_PROXY'],
    ['https:', 'HTTPS_PROXY'],
  ] as const) {
    const found = find(env, name) ?? find(env, 'ALL_PROXY');
    if (found === undefined) continue;
    const proxy = parseProxy(found);
    if ('url' in proxy) proxies.set(protocol, proxy);
    else if (!problems.some(({ input }) => input === proxy.input)) problems.push(proxy);
  }
  const exempt = proxies.size === 0 ? '' : (find(env, 'NO_PROXY')?.text ?? '');
  const isExempt = exemptions(exempt);
  return {
    problems,
    variables: variablesOf(proxies, exempt),
    for({ protocol, host, hostname, port }) {
      const proxy = proxies.get(protocol);
      if (proxy === undefined || isLoopback(host)) return undefined;
      return isExempt(hostname.replace(/^\[|\]$/g, ''), port || (PORTS[protocol] ?? '')) ? undefined : proxy;
    },
  };
}

function variablesOf(proxies: ReadonlyMap<string, Proxy>, exempt: string): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const [protocol, { url, authorization }] of proxies)
    if (authorization === undefined) variables[protocol === 'http:' ? 'HTTP_PROXY' : 'HTTPS_PROXY'] = url.origin;
  return Object.keys(variables).length === 0 || exempt === '' ? variables : { ...variables, NO_PROXY: exempt };
}

interface Found {
  readonly variable: string;
  readonly text: string;
}

function find(env: Environment, name: string): Found | undefined {
  for (const variable of [name.toLowerCase(), name]) {
    const text = env[variable]?.trim() ?? '';
    if (text !== '') return { variable, text };
  }
  return undefined;
}

/** No message shows the text: there may be a password in it. */
function parseProxy({ variable, text }: Found): Proxy | Problem {
  const problem = (what: string): Problem => ({ input: variable, message: `${what}: ${ALLOWED}` });
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  // A bare name would be port 80 to some programs and 1080 to others.
  if (!hasScheme && !/:[0-9]+\/?$/.test(text)) return problem('names no proxy');
  if (/[\0-\x20\x7f]/.test(text)) return problem('names no proxy');
  const address = hasScheme ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url === undefined) return problem('names no proxy');
  if (PORTS[url.protocol] === undefined) return problem(`names a proxy of another kind, ${url.protocol}//`);
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') return problem('names more than a proxy');
  try {
    const username = decodeURIComponent(url.username);
    const password = new Secret(decodeURIComponent(url.password));
    const isOpen = url.username === '' && url.password === '';
    const authorization = isOpen ? undefined : new Secret(basicAuthorization(username, password));
    return { url: new URL(url.origin), authorization, variable };
  } catch {
    return problem('has a user or password that is not percent-encoded');
  }
}

function exemptions(text: string): Exemption {
  const entries = text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
  if (entries.includes('*')) return () => true;
  const rules = entries.map(exemption);
  return (host, port) => rules.some((isExempt) => isExempt(host, port));
}

/** `10.0.0.0/8`, `10.0.0.1:5000`, `[::1]:5000`, `example.com` with what is below it, `.example.com` below it only. */
function exemption(entry: string): Exemption {
  const [, network = '', bits = ''] = /^([^/]+)\/([0-9]{1,3})$/.exec(entry) ?? [];
  if (isIP(network) !== 0) return inNetwork(network, Number(bits), '');
  const [, bracketed, named, wantedPort = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::([0-9]+))?$/.exec(entry) ?? [];
  const name = bracketed ?? named ?? entry;
  if (isIP(name) !== 0) return inNetwork(name, isIP(name) === 4 ? 32 : 128, wantedPort);
  if (name === '') return () => false;
  const suffix = name.startsWith('*.') ? name.slice(1) : name;
  const below = suffix.startsWith('.') ? suffix : `.${suffix}`;
  return (host, port) => (host === suffix || host.endsWith(below)) && (wantedPort === '' || port === wantedPort);
}

function inNetwork(address: string, bits: number, wantedPort: string): Exemption {
  const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
  if (bits > (family === 'ipv4' ? 32 : 128)) return () => false;
  const network = new BlockList();
  network.addSubnet(address, bits, family);
  return (host, port) =>
    isIP(host) === (family === 'ipv4' ? 4 : 6) &&
    network.check(host, family) &&
    (wantedPort === '' || port === wantedPort);
}
