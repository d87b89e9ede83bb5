// Pre-shared keys: RFC 8446 section 2.2, RFC 4279.
import type { NativePresharedKey, NativePskRequest } from '../../types/binding.d.ts';
import { invalidArgType, invalidArgValue, invalidReturnValue, invalidSecret } from '../base/coded-error.ts';
import { asBytes, validateOneOf } from '../base/validate.ts';
import { answerFrom, functionFailed } from './answer.ts';
import { assertJobs } from './async-jobs.ts';
import type { CallbackRequest } from './request.ts';

export interface PresharedKey {
  /** What it is called: 1 to 256 bytes, of which no one is zero. */
  readonly identity: string | Uint8Array;
  /** 1 to 512 bytes. Out of a password it can be guessed by whoever sees a handshake: take random bytes. */
  readonly key: Uint8Array;
  /** Which hash TLS 1.3 uses it with, and so which ciphers; default `'sha256'`. */
  readonly hash?: 'sha256' | 'sha384' | undefined;
}

export interface PskRequest extends CallbackRequest {
  /** On a server: what the client offers, as text. On a client null. */
  readonly identity: string | null;
  /** The same in bytes. */
  readonly identityBytes: Buffer | null;
  /** On a client with TLS 1.2: what the server has told; otherwise null. */
  readonly hint: string | null;
}

/** The key, on a client with its identity; nothing: none. */
export type OnPsk = (request: PskRequest) => PskAnswer | null | undefined | PromiseLike<PskAnswer | null | undefined>;
export type PskAnswer =
  | Uint8Array
  | (Omit<PresharedKey, 'identity'> & { readonly identity?: PresharedKey['identity'] });

const maxIdentity = 256;
const maxKey = 512;
const none = 0;

function identityBytes(value: unknown, name: string): Uint8Array {
  if (typeof value !== 'string' && !(value instanceof Uint8Array)) {
    throw invalidArgType(name, 'a string or a Buffer', value);
  }
  const bytes = Buffer.from(value as string);
  if (bytes.length >= 1 && bytes.length <= maxIdentity && !bytes.includes(0)) return bytes;
  throw invalidArgValue(name, `must have 1 to ${maxIdentity} bytes, of which no one is zero`, value);
}

function keyBytes(value: unknown, name: string): Uint8Array {
  if (!ArrayBuffer.isView(value)) throw invalidSecret(name, 'must be a Buffer', value);
  const bytes = asBytes(value, name);
  if (bytes.length >= 1 && bytes.length <= maxKey) return bytes;
  throw invalidSecret(name, `must have 1 to ${maxKey} bytes`, value);
}

function nativeKey(value: unknown, name: string, identity?: Uint8Array): NativePresharedKey {
  if (typeof value !== 'object' || value === null) throw invalidArgType(name, '{ identity, key }', value);
  const given = value as PresharedKey;
  const { hash } = given;
  if (hash !== undefined && hash !== null) validateOneOf(hash, `${name}.hash`, ['sha256', 'sha384']);
  return {
    identity: identity ?? identityBytes(given.identity, `${name}.identity`),
    key: keyBytes(given.key, `${name}.key`),
    sha384: hash === 'sha384',
  };
}

/** Option psk. Undefined: there is none. */
export function presharedKeys(value: unknown): readonly NativePresharedKey[] | undefined {
  if (value === undefined || value === null) return undefined;
  if (!Array.isArray(value)) return [nativeKey(value, 'options.psk')];
  const keys = value.map((each, index) => nativeKey(each, `options.psk[${index}]`));
  return keys.length === 0 ? undefined : keys;
}

/**
 * A server of TLS 1.3 is asked at the ClientHello, by a retry. Before that version the identity comes later, where there is none.
 *
 * @param older - versions before TLS 1.3 may be negotiated
 */
export function assertPskCanWait(server: boolean, onPsk: unknown, older: boolean): void {
  if (!server || !older || onPsk === undefined || onPsk === null) return;
  assertJobs('onPsk', `give the keys by "options.psk", or take TLS 1.3 alone by "options.minVersion": 'TLSv1.3'`);
}

/**
 * The key that the function gives, or 0.
 *
 * @param where - the connection, for messages
 */
export async function choosePsk(
  call: OnPsk,
  { identities, hint }: NativePskRequest,
  asked: CallbackRequest,
  where: string,
): Promise<NativePresharedKey | number> {
  const failed = (error: unknown): Error =>
    functionFailed('ERR_TLS_PSK_CALLBACK', `${where}: the function onPsk failed`, error);
  const use = (answer: unknown, identity: Buffer | undefined): NativePresharedKey | number => {
    if (answer === undefined || answer === null) return none;
    try {
      if (answer instanceof Uint8Array && identity !== undefined) {
        return { identity, key: keyBytes(answer, 'answer'), sha384: false };
      }
      if (typeof answer === 'object') return nativeKey(answer, 'answer', identity);
    } catch (error) {
      throw failed(error);
    }
    throw failed(invalidReturnValue('onPsk', '{ identity, key }, or null', typeof answer));
  };
  const ask = (identity: Buffer | undefined): NativePresharedKey | number | Promise<NativePresharedKey | number> => {
    const bytes = identity ?? null;
    const request = { ...asked, identity: bytes?.toString() ?? null, identityBytes: bytes, hint };
    return answerFrom(
      () => call(request),
      answer => use(answer, identity),
      failed,
    );
  };
  if (identities.length === 0) return ask(undefined);
  for (const identity of identities) {
    const answer = await ask(identity);
    if (answer !== none) return answer;
  }
  return none;
}
