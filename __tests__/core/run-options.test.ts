import { describe, expect, it } from 'vitest';
import { type Parsed, parsed } from '../../src/core/parsed.ts';
import {
  parseCgroupParent,
  parseEntitlement,
  parseExtraHost,
  parseShmSize,
  parseUlimit,
  readSshAgent,
} from '../../src/core/run-options.ts';

function problemOf(result: Parsed<unknown>): string {
  return result.ok ? `no problem: ${JSON.stringify(result.value)}` : result.problem;
}

describe('a ulimit', () => {
  it.each([
    'nofile=1024',
    'nofile=1024:2048',
    'nofile=+5',
    'nofile=007',
    'core=-1',
    'core=5:-1',
    'core=-1:-1',
    'core=-5:3',
    'rttime=9223372036854775807',
  ])('%j is taken', (text) => expect(parseUlimit(text)).toEqual(parsed(text)));

  it.each([
    ['nofile', '"nofile" is no ulimit: NAME=SOFT or NAME=SOFT:HARD is allowed'],
    ['nofiles=1', '"nofiles" is the name of no ulimit; did you mean nofile?'],
    ['everything=1', '"everything" is the name of no ulimit; core, cpu, data,'],
    ['=1', '"" is the name of no ulimit'],
    ['nofile=', 'a whole number, or two with a colon, is allowed'],
    ['nofile=many', 'a whole number, or two'],
    ['nofile=1:', 'a whole number, or two'],
    ['nofile=1:2:3', 'a whole number, or two'],
    ['nofile=9223372036854775808', 'a whole number, or two'],
    ['nofile=2:1', 'the soft one, may not be above the second'],
    ['nofile=-1:5', 'the soft one, may not be above the second'],
    [`nofile=${'9'.repeat(1_000_000)}`, 'a whole number, or two'],
  ])('%.30j is none', (text, problem) => expect(problemOf(parseUlimit(text))).toContain(problem));
});

describe('the size of /dev/shm', () => {
  it.each([
    '0',
    '65536',
    '64m',
    '64M',
    '64mb',
    '64MiB',
    '2gb',
    '64 m',
    '.5g',
    '5.m',
    '1e3k',
    '0x1p4',
    '-0',
    '+1',
    '5b',
  ])('may be %j', (text) => expect(parseShmSize(` ${text}\n`)).toEqual(parsed(text)));

  it.each(['nonsense', '2 gigabytes', '-1', '-.5m', '1.5.5', '64mx', '64bb', '64  m', 'm', '64,5m', '\u001b[31m'])(
    'may not be %j',
    (text) => expect(problemOf(parseShmSize(text))).toContain('is no size: a number of bytes'),
  );
});

describe('an extra host', () => {
  it.each([
    'db:10.0.0.1',
    'db=10.0.0.1',
    'db:::1',
    'db=2001:db8::1',
    'db=[::1]',
    'db:[10.0.0.1]',
    'db:::ffff:1.2.3.4',
    'db:host-gateway',
    'a,b=1.1.1.1',
    'db=1.1.1.1,2.2.2.2',
  ])('%j is taken', (text) => expect(parseExtraHost(text)).toEqual(parsed(text)));

  it.each([
    ['db', '"db" is no host with its address: HOST:IP is allowed'],
    ['db:', 'is no host with its address'],
    [':1.1.1.1', 'is no host with its address'],
    ['db:999.1.1.1', '"db:999.1.1.1": "999.1.1.1" is no address: an IP or host-gateway is allowed'],
    ['db:1.1.1', '"1.1.1" is no address'],
    ['db:1.1.1.1.', 'is no address'],
    ['db:01.1.1.1', 'is no address'],
    ['db:other', '"other" is no address'],
    ['db=::1::', 'is no address'],
    ['db=1.1.1.1,x', '"x" is no address'],
  ])('%j is none', (text, problem) => expect(problemOf(parseExtraHost(text))).toContain(problem));
});

describe('an entitlement', () => {
  it.each([
    'network.host',
    'security.insecure',
    'device',
    'device=vendor.com/gpu=all,alias=x',
    'network.host,security.insecure',
    'fs=*',
    'fs.read=../keys',
    'fs.write=/tmp/cache',
    'ssh',
  ])('%j is taken', (text) => expect(parseEntitlement(text)).toEqual(parsed(text)));

  it.each([
    ['network.hots', '"network.hots" is no entitlement: network.host, security.insecure, device, device=NAME are, and'],
    ['fs', '"fs" is no entitlement'],
    ['fs.read=', 'is no entitlement'],
    ['network.host=1', 'is no entitlement'],
  ])('%j is none', (text, problem) => expect(problemOf(parseEntitlement(text))).toContain(problem));
});

it('a parent cgroup is any line of text', () => {
  expect(parseCgroupParent(' system.slice ')).toEqual(parsed('system.slice'));
  expect(problemOf(parseCgroupParent('a\u001b[31mb'))).toBe(
    '"ab" holds control characters: a path or the name of a slice is allowed',
  );
});

it.each([
  ['default', { id: 'default', paths: [] }],
  ['', { id: 'default', paths: [] }],
  ['git=', { id: 'git', paths: [] }],
  ['git=/run/agent.sock', { id: 'git', paths: ['/run/agent.sock'] }],
  ['git=a,b=c', { id: 'git', paths: ['a', 'b=c'] }],
])('%j names an SSH agent or keys', (text, agent) => expect(readSshAgent(text)).toEqual(agent));
