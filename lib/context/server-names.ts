// Which context serves which name: the options, checked.
import { invalidArgType, invalidArgValue, tlsError } from '../base/coded-error.ts';
import { serverName } from '../base/host-name.ts';
import { optionalFunction, validateObject, validateOneOf, validateString } from '../base/validate.ts';

/** One of them for each name. */
export interface Named<Context> {
  readonly context: Context;
  /** It was made elsewhere, and has a policy of its own; otherwise of options beside those of the first context. */
  readonly ready: boolean;
}

/** What a server knows of names. `Ask`: the function that is asked about others. */
export interface Names<Context, Ask> {
  /** By pattern: a name in lower case and ASCII, without a dot at its end; `*.` in front stands for one label. */
  readonly contexts: ReadonlyMap<string, Named<Context>>;
  readonly ask: Ask | null;
  /** Who sends a name that is not known is refused. */
  readonly rejects: boolean;
}

export interface NameOptions {
  readonly serverNames?: unknown;
  readonly onServerName?: ((...args: never[]) => unknown) | undefined;
  readonly unknownServerName?: unknown;
}

const wildcard = '*.';

/**
 * A key of `serverNames` as it is compared.
 *
 * @throws TypeError `ERR_INVALID_ARG_VALUE` for what is no name, an address, and a `*` elsewhere than as the first label
 */
export function namePattern(text: string, option: string): string {
  validateString(text, option);
  const isWildcard = text.startsWith(wildcard);
  const name = serverName(isWildcard ? text.slice(wildcard.length) : text, option).toLowerCase();
  return isWildcard ? wildcard + name : name;
}

/** Undefined: the options speak of no names. */
export function namesOf<Context, Ask>(
  options: NameOptions,
  toNamed: (value: unknown, option: string) => Named<Context>,
): Names<Context, Ask> | undefined {
  const { serverNames, unknownServerName } = options;
  const ask = (optionalFunction(options.onServerName, 'options.onServerName') ?? null) as Ask | null;
  if (unknownServerName !== undefined && unknownServerName !== null) {
    validateOneOf(unknownServerName, 'options.unknownServerName', ['default', 'reject']);
  }
  const rejects = unknownServerName === 'reject';
  const contexts = new Map<string, Named<Context>>();
  if (serverNames !== undefined && serverNames !== null) {
    validateObject(serverNames, 'options.serverNames');
    for (const [text, value] of Object.entries(serverNames)) {
      const option = `options.serverNames['${text}']`;
      const pattern = namePattern(text, option);
      if (contexts.has(pattern)) throw invalidArgValue(option, 'is there twice, in other letters', text);
      contexts.set(pattern, toNamed(value, option));
    }
  }
  if (contexts.size === 0 && ask === null && !rejects) return undefined;
  return { contexts, ask, rejects };
}

/** What identifies a server; none of it is taken over from the first context. */
const credentials = ['cert', 'certFile', 'certUri', 'key', 'keyFile', 'keyUri', 'pfx', 'pfxFile', 'passphrase'];
/** OpenSSL looks for sessions in the context that a connection began with, whichever it has then. */
const sessions = ['ticketKeys', 'sessionTimeout', 'sessionIdContext'];
const verification = ['requestCert', 'rejectUnauthorized', 'verifyMode', 'verify', 'verifyCallback', 'verifyId'];
const names = ['serverNames', 'onServerName', 'unknownServerName', 'secureContext'];
const notInherited: ReadonlySet<string> = new Set([...credentials, ...sessions, ...names]);

const without = (options: object, omitted: (name: string) => boolean): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([name]) => !omitted(name)));

/** What a context for a name has of the options of the first one, if its own do not say otherwise. */
export function inheritable(options: object): Record<string, unknown> {
  return without(options, name => notInherited.has(name));
}

/**
 * The options of a context for a name.
 *
 * @param inherited - {@link inheritable} options of the first context
 */
export function ownOptions(value: unknown, inherited: object, option: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalidArgType(option, 'an SslContext or its options', value);
  }
  const own = without(value, name => (value as Record<string, unknown>)[name] === undefined);
  const refused = [...sessions, ...names].find(name => own[name] !== undefined && own[name] !== null);
  if (refused !== undefined) {
    throw tlsError(
      'ERR_INVALID_ARG_VALUE',
      `"${option}.${refused}" belongs to the context that connections begin with: give it there`,
    );
  }
  // Two ways to say the same: whoever says anything about verification says all of it.
  const speaks = verification.some(name => name in own);
  return { ...without(inherited, name => speaks && verification.includes(name)), ...own };
}
