import type { RepositoryName } from '../core/reference.ts';
import type { RegistryError } from '../errors.ts';
import { accessHint, creationHint } from './access-hint.ts';
import { answerFailure, type FailedAnswer } from './failure.ts';
import { refusePage } from './manifest-answer.ts';
import { repositoryScope } from './scope.ts';
import type { Access, Session } from './session.ts';
import type { Answer, HttpRequest } from './transport.ts';

interface Intent {
  readonly pushes: boolean;
  readonly once?: boolean;
}

/** One repository of a registry, as URLs and rights: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md */
export class Endpoint {
  readonly name: RepositoryName;
  readonly session: Session;
  readonly #reading: Access;
  readonly #writing: Access;

  readonly #attempts: number | undefined;
  #answeredAtMs: number | undefined;

  /**
   * `pushes` says that this run will push here, so that one token does for reads and writes; `once`, that a failure is the
   * end of it.
   */
  constructor(name: RepositoryName, session: Session, { pushes, once = false }: Intent) {
    this.name = name;
    this.session = session;
    this.#attempts = once ? 1 : undefined;
    const write = repositoryScope(name.path, ['pull', 'push']);
    this.#writing = { scopes: [write], hint: accessHint(name, true) };
    this.#reading = { scopes: [pushes ? write : repositoryScope(name.path, ['pull'])], hint: accessHint(name, false) };
  }

  /** When the last answer was sent, by the clock of the one who sent it; `undefined` where that did not say. */
  get answeredAtMs(): number | undefined {
    return this.#answeredAtMs;
  }

  /** The URL of a part of this repository: `manifests/1.2.3`, `tags/list?n=100`. */
  url(part: string): URL {
    return new URL(`/v2/${this.name.path}/${part}`, this.session.origin);
  }

  /** What this request needs; `mountFrom` is another repository that it reads from. */
  access({ method }: Pick<HttpRequest, 'method'>, mountFrom?: RepositoryName): Access {
    const own = method === 'GET' || method === 'HEAD' ? this.#reading : this.#writing;
    return mountFrom === undefined
      ? own
      : { ...own, scopes: [...own.scopes, repositoryScope(mountFrom.path, ['pull'])] };
  }

  /** The answer after the repetitions that may help. */
  async send(request: HttpRequest, mountFrom?: RepositoryName): Promise<Answer> {
    const answer = await this.session.send(request, this.access(request, mountFrom), this.#attempts);
    const sentAtMs = Date.parse(answer.header('date') ?? '');
    this.#answeredAtMs = Number.isNaN(sentAtMs) ? undefined : sentAtMs;
    // What a read brings is looked at; of a write the status alone would be believed.
    if (request.method !== 'GET' && request.method !== 'HEAD') refusePage(answer);
    return answer;
  }

  /** The error for an answer that is not the one hoped for; a refusal says what to do. */
  failure(answer: FailedAnswer): RegistryError {
    // 403 is for credentials that are good and not enough.
    const login = answer.status === 401 ? this.session.refusal : undefined;
    if (answer.method === 'GET' || answer.method === 'HEAD') return answerFailure(answer, { ...this.#reading, login });
    // Only the start of an upload is about the repository itself: elsewhere something in it is missing.
    const creation = answer.method === 'POST' ? { creation: creationHint(this.name) } : {};
    return answerFailure(answer, { ...this.#writing, ...creation, login });
  }
}
