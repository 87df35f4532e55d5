import { type Instruction, sourcesOf } from './dockerfile.ts';
import { isIP } from './ip-address.ts';
import { quote } from './printable.ts';
import type { EscapeCharacter } from './shell-words.ts';
import { type Environment, expandDocument, expandIn, splitIn } from './stage-environment.ts';

const PROTOCOLS = ['', 'tcp', 'udp', 'sctp'];
const MAX_PORT = 65_535;
const MAX_REAL_TIME_OFFSETS = { MIN: 15, MAX: 14 };
/** Of Linux, as moby/sys/signal v0.7 names them. */
const SIGNALS = new Set(
  'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'.split(
    ' ',
  ),
);

/**
 * What BuildKit v0.29 refuses of the values of an instruction once their variables are expanded (dockerfile2llb): ports,
 * the signal, empty volumes, bodies of heredocs that cannot be expanded. `undefined` when it is fine, or when it depends
 * on variables that are not known.
 */
export function findValueProblem(
  instruction: Instruction,
  environment: Environment,
  escape: EscapeCharacter,
): string | undefined {
  const expand = (word: string) => expandIn(environment, word, escape);
  switch (instruction.name) {
    case 'EXPOSE': {
      const words = instruction.words.map((word) => splitIn(environment, word, escape));
      return firstOf(words.flatMap(({ parts, certain }) => (certain ? parts : [])).map(findPortProblem));
    }
    case 'STOPSIGNAL': {
      const { text, certain } = expand(instruction.words[0] ?? '');
      return certain && text !== undefined ? findSignalProblem(text) : undefined;
    }
    case 'VOLUME': {
      const isEmpty = instruction.words.map(expand).some(({ text, certain }) => certain && text === '');
      return isEmpty ? 'VOLUME: a path is empty once its variables are expanded' : undefined;
    }
    case 'ADD':
    case 'COPY': {
      const bodies = instruction.heredocs.length === 0 ? [] : sourcesOf(instruction).documents;
      const expanded = bodies.filter((one) => one.expand).map(({ content }) => expandDocument(environment, content));
      return expanded.find(({ text, certain }) => text === undefined && certain)?.problem;
    }
    default:
      return undefined;
  }
}

function firstOf(problems: readonly (string | undefined)[]): string | undefined {
  return problems.find((problem) => problem !== undefined);
}

/** `[[address:]port:]port[/protocol]`; each port may be a range. */
function findPortProblem(text: string): string | undefined {
  const refused = `EXPOSE: ${quote(text)} is no port: 80, 80/udp or 8000-8010 are allowed`;
  const parts = text.split(':');
  const [port = '', ...protocol] = (parts.pop() ?? '').split('/');
  const hostPort = parts.pop() ?? '';
  const range = parseRange(port);
  if (!PROTOCOLS.includes(protocol.join('/').toLowerCase()) || range === undefined) return refused;
  if (!isAddress(parts.join(':'))) return refused;
  if (hostPort === '') return undefined;
  const hostRange = parseRange(hostPort);
  return hostRange === undefined || (range > 0 && hostRange !== range) ? refused : undefined;
}

/** How many ports there are after the first one; `undefined` when these are none. */
function parseRange(text: string): number | undefined {
  const dash = text.indexOf('-');
  const [first, last] = dash < 0 ? [text, text] : [text.slice(0, dash), text.slice(dash + 1)];
  const [start, end] = [first, last].map(parsePort);
  return start === undefined || end === undefined || end < start ? undefined : end - start;
}

function parsePort(text: string): number | undefined {
  return /^[+-]?[0-9]+$/.test(text) && Number(text) >= 0 && Number(text) <= MAX_PORT ? Number(text) : undefined;
}

function isAddress(text: string): boolean {
  return text === '' || isIP(/^\[([^[\]]*)\]$/.exec(text)?.[1] ?? text);
}

function findSignalProblem(text: string): string | undefined {
  const name = text.toUpperCase().replace(/^SIG/, '');
  const [, edge = '', offset = ''] = /^RT(MIN\+|MAX-)([1-9][0-9]?)$/.exec(name) ?? [];
  const max = edge.startsWith('MIN') ? MAX_REAL_TIME_OFFSETS.MIN : MAX_REAL_TIME_OFFSETS.MAX;
  const isNumber = /^[+-]?[0-9]+$/.test(text) && Number(text) !== 0 && Math.abs(Number(text)) < 2 ** 63;
  const isKnown = isNumber || SIGNALS.has(name) || (offset !== '' && Number(offset) <= max);
  return isKnown ? undefined : `STOPSIGNAL: ${quote(text)} is no signal: SIGTERM, TERM or 15 are allowed`;
}
