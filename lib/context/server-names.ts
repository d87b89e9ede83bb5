// Which context serves which name: the options, checked.
import { invalidArgType, invalidArgValue, tlsError } from '../base/coded-error.ts';
import { serverName } from '../base/host-name.ts';
import { optionalFunction, validateOneOf, validateString } from '../base/validate.ts';
import { callbackNames } from '../callbacks/options.ts';

/** What a server is told of names. `Ask`: the function that is asked about others. Undefined: nothing was said. */
export interface Names<Context, Ask> {
  /** By pattern: a name in lower case and ASCII, without a dot at its end; `*.` in front stands for one label. */
  readonly contexts: ReadonlyMap<string, Context>;
  readonly ask: Ask | null | undefined;
  /** Who sends a name that is not known is refused. */
  readonly rejects: boolean | undefined;
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
  toContext: (value: unknown, option: string) => Context,
): Names<Context, Ask> | undefined {
  const { serverNames, unknownServerName, onServerName } = options;
  optionalFunction(onServerName, 'options.onServerName');
  const ask = onServerName as Ask | null | undefined;
  if (isGiven(unknownServerName)) {
    validateOneOf(unknownServerName, 'options.unknownServerName', ['default', 'reject']);
  }
  const rejects = isGiven(unknownServerName) ? unknownServerName === 'reject' : undefined;
  const contexts = new Map<string, Context>();
  for (const [text, value] of entriesOf(serverNames)) {
    const option = `options.serverNames['${text}']`;
    const pattern = namePattern(text, option);
    if (contexts.has(pattern)) throw invalidArgValue(option, 'is there twice, in other letters', text);
    contexts.set(pattern, toContext(value, option));
  }
  return contexts.size === 0 && ask === undefined && rejects === undefined ? undefined : { contexts, ask, rejects };
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null;

/** A Map has no properties: it would be a server without names. */
const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !ArrayBuffer.isView(value) &&
  !(value instanceof Map);

function entriesOf(serverNames: unknown): [string, unknown][] {
  if (!isGiven(serverNames)) return [];
  if (isPlain(serverNames)) return Object.entries(serverNames);
  throw invalidArgType('options.serverNames', 'an object with a context, or its options, for each name', serverNames);
}

/** @throws Error `ERR_TLS_DTLS`: for where names cannot be served */
export function refuseNames(options: NameOptions, refuse: (what: string) => void): void {
  const given = names.find(name => isGiven((options as Record<string, unknown>)[name]));
  if (given !== undefined) refuse(`the option ${given}`);
}

/** What identifies a server; none of it is taken over from the first context. */
const credentials = ['cert', 'certFile', 'certUri', 'key', 'keyFile', 'keyUri', 'pfx', 'pfxFile', 'passphrase'];
/** Of the first context alone: that in which OpenSSL looks for sessions, and whose secrets are logged. */
const firstAlone = ['ticketKeys', 'sessionTimeout', 'sessionIdContext', 'keylogFile'];
const names = ['serverNames', 'onServerName', 'unknownServerName'];
/** A context that does not speak of it leaves verification as it is on the connection. */
const verification = ['requestCert', 'rejectUnauthorized', 'verifyMode', 'verify', 'verifyCallback', 'verifyId'];
const notInherited = new Set([
  ...credentials,
  ...firstAlone,
  ...names,
  ...verification,
  ...callbackNames,
  'secureContext',
]);

/** Null stands for what is not given, as everywhere. */
const filtered = (options: object, keep: (name: string) => boolean): Record<string, unknown> =>
  Object.fromEntries(Object.entries(options).filter(([name, value]) => isGiven(value) && keep(name)));

/** What a context for a name has of the options of the first one, if its own do not say otherwise. */
export function inheritable(options: object): Record<string, unknown> {
  return filtered(options, name => !notInherited.has(name));
}

/** Whether options say anything about verification. */
export function speaksOfVerification(options: object): boolean {
  return verification.some(name => isGiven((options as Record<string, unknown>)[name]));
}

/**
 * The options of a context for a name.
 *
 * @param inherited - {@link inheritable} options of the first context
 */
export function ownOptions(value: unknown, inherited: object, option: string): Record<string, unknown> {
  if (!isPlain(value)) throw invalidArgType(option, 'an SslContext or its options', value);
  const own = filtered(value, () => true);
  const refused = [...firstAlone, ...names, ...callbackNames].find(name => name in own);
  if (refused !== undefined) {
    throw tlsError(
      'ERR_INVALID_ARG_VALUE',
      `"${option}.${refused}" belongs to the context that connections begin with: give it there`,
    );
  }
  if (!credentials.some(name => name in own)) {
    throw tlsError('ERR_INVALID_ARG_VALUE', `"${option}" has no certificate: give cert and key, pfx, or a file or URI`);
  }
  return { ...inherited, ...own };
}
