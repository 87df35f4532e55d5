/** A text that shows itself only when asked: logging, `util.inspect` and JSON print a placeholder. */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself: for a request header, the standard input of a program, a private file, a log's mask. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return '[secret]';
  }

  toJSON(): string {
    return '[secret]';
  }
}

/** What opens a registry. */
export type Credentials =
  | { readonly username: string; readonly password: Secret }
  /** A refresh token, exchanged for access tokens: https://distribution.github.io/distribution/spec/auth/oauth/ */
  | { readonly identityToken: Secret }
  /** A bearer token that is sent as it is. */
  | { readonly registryToken: Secret };

/** What to say when these were sent and access was refused all the same; nothing secret. */
export function describeRefusal(credentials: Credentials): string {
  if ('password' in credentials) return 'the given user and password were refused';
  return `the given ${'identityToken' in credentials ? 'identity token' : 'token'} was refused`;
}

/** The value of an `Authorization` header, RFC 7617. */
export function basicAuthorization(username: string, password: Secret): string {
  return `Basic ${Buffer.from(`${username}:${password.reveal()}`, 'utf8').toString('base64')}`;
}
