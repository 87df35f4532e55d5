import { digestOf } from '../../core/digest.ts';
import { collect } from '../content-store.ts';
import { type Answer, answerJson, withoutHeader } from './answer.ts';
import type { Delivery } from './delivery.ts';
import type { FaultAction } from './faults.ts';

/** Does a request, reading its body from here. */
export type Work = (body: AsyncIterable<Uint8Array>) => Promise<Answer>;

const HTML = '<!doctype html><title>Sign in</title><p>Please sign in to continue.';

/** Does a request with a fault in it; `work` is left out where the fault comes first. */
export async function sabotage(action: FaultAction, body: AsyncIterable<Uint8Array>, work: Work): Promise<Delivery> {
  switch (action.kind) {
    case 'status':
      return { answer: answerFault(action.status, action.headers, action.body) };
    case 'drop':
      return { end: { kind: 'cut' } };
    case 'html':
      return { answer: answerText(200, HTML, { 'Content-Type': 'text/html; charset=utf-8' }) };
    case 'stall':
      if (action.afterBytes === undefined) return { end: { kind: 'stall' } };
      return { answer: await work(body), end: { kind: 'stall', afterBytes: action.afterBytes } };
    case 'cutBody':
      return { answer: await work(body), end: { kind: 'cut', afterBytes: action.afterBytes } };
    case 'cutRequest': {
      let wasCut = false;
      const answer = await work(cutAfter(body, action.afterBytes, () => (wasCut = true)));
      return wasCut ? { end: { kind: 'cut' } } : { answer };
    }
    case 'slow':
      return { answer: await work(body), bytesPerSecond: action.bytesPerSecond };
    case 'storeThenFail': {
      const answer = await work(body);
      if (answer.status >= 400) return { answer };
      return action.status === undefined ? { end: { kind: 'cut' } } : { answer: answerFault(action.status) };
    }
    case 'wrongDigest':
    case 'truncate':
    case 'omitHeader':
      return { answer: await spoil(action, await work(body)) };
  }
}

type Spoiling = Extract<FaultAction, { readonly kind: 'wrongDigest' | 'truncate' | 'omitHeader' }>;

async function spoil(action: Spoiling, answer: Answer): Promise<Answer> {
  if (action.kind === 'omitHeader') return withoutHeader(answer, action.name);
  if (action.kind === 'wrongDigest' && action.where === 'header') {
    const name = 'Docker-Content-Digest';
    if (answer.headers[name] === undefined) return answer;
    return { ...answer, headers: { ...answer.headers, [name]: digestOf('something else') } };
  }
  if (answer.body === undefined) return answer;
  const whole = answer.body instanceof Uint8Array ? answer.body : await collect(answer.body);
  const spoiled = action.kind === 'truncate' ? whole.subarray(0, Math.floor(whole.length / 2)) : flipBit(whole);
  return { ...answer, sizeBytes: spoiled.length, body: spoiled };
}

function flipBit(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const middle = Math.floor(copy.length / 2);
  copy.set([(copy[middle] ?? 0) ^ 1].slice(0, copy.length), middle);
  return copy;
}

function answerFault(status: number, headers: Readonly<Record<string, string>> = {}, body?: string): Answer {
  if (body !== undefined) return answerText(status, body, headers);
  const code = status === 429 ? 'TOOMANYREQUESTS' : 'UNKNOWN';
  return answerJson({ errors: [{ code, message: 'a fault that was asked for', detail: null }] }, headers, status);
}

function answerText(status: number, text: string, headers: Readonly<Record<string, string>>): Answer {
  const body = Buffer.from(text);
  return { status, headers, sizeBytes: body.length, body };
}

/** The first bytes of a body, and then an error, whether or not the rest has come already. */
async function* cutAfter(
  body: AsyncIterable<Uint8Array>,
  afterBytes: number,
  onCut: () => void,
): AsyncGenerator<Uint8Array> {
  let left = afterBytes;
  for await (const piece of body) {
    yield piece.subarray(0, left);
    left -= piece.length;
    if (left >= 0) continue;
    onCut();
    throw new Error(`a fault cut the request after ${afterBytes} bytes`);
  }
}
