// Passphrases that are asked for: a function that is called for each key or bundle that is locked.
import { types } from 'node:util';
import type { NativeCredentials } from '../../types/binding.d.ts';
import { invalidArgType, invalidReturnedSecret, tlsError } from '../base/coded-error.ts';
import { isThenable } from '../base/thenable.ts';
import { functionFailed } from '../callbacks/answer.ts';
import { binding } from '../native/load-binding.ts';

/** What is locked. */
export interface LockedInput {
  /** As messages call it: `key[0]`, `keyFile '/etc/server.key'`. */
  readonly name: string;
}

type Answer = string | Uint8Array;

/** Gives the passphrase of one input: pem_password_cb(3). */
export type PassphraseCallback = (input: LockedInput) => Answer | PromiseLike<Answer>;
export type Passphrase = string | PassphraseCallback;

/** Option passphrase; text becomes bytes. */
export function passphraseOption(value: unknown): Uint8Array | PassphraseCallback | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'function') return value as PassphraseCallback;
  if (typeof value !== 'string') throw invalidArgType('options.passphrase', 'a string or a function', value);
  return Buffer.from(value);
}

const failed = (name: string, error: unknown): Error =>
  functionFailed('ERR_TLS_PASSPHRASE_CALLBACK', `the function passphrase failed for ${name}`, error);

function call(callback: PassphraseCallback, name: string): unknown {
  try {
    return callback({ name });
  } catch (error) {
    throw failed(name, error);
  }
}

function bytesOf(answer: unknown, name: string): Uint8Array {
  if (typeof answer === 'string') return Buffer.from(answer);
  if (types.isUint8Array(answer)) return answer;
  throw invalidReturnedSecret(`passphrase, called for ${name},`, 'a string or a Uint8Array', answer);
}

/** Each locked input of `credentials` with what `callback` says at once. */
export function answerAtOnce(credentials: NativeCredentials, callback: PassphraseCallback): NativeCredentials {
  const answers = new Map<string, Uint8Array>();
  for (const name of binding.lockedInputs(credentials)) {
    const answer = call(callback, name);
    if (isThenable(answer)) {
      // Its outcome is of no use to anybody.
      Promise.resolve(answer).catch(() => undefined);
      throw tlsError(
        'ERR_TLS_PASSPHRASE_ASYNC',
        `the function passphrase gave a promise for ${name}, and this call cannot wait: use await SslContext.create()`,
      );
    }
    answers.set(name, bytesOf(answer, name));
  }
  return unlocked(credentials, answers);
}

/** A function that gives at once what `callback` was asked for here. */
export async function askAhead(
  credentials: NativeCredentials,
  callback: PassphraseCallback,
): Promise<PassphraseCallback> {
  const answers = new Map<string, Uint8Array>();
  // One after the other: they may ask a person.
  for (const name of binding.lockedInputs(credentials)) answers.set(name, await ask(callback, name));
  return ({ name }) => answers.get(name) ?? callback({ name });
}

async function ask(callback: PassphraseCallback, name: string): Promise<Uint8Array> {
  let answer: unknown;
  try {
    answer = await callback({ name });
  } catch (error) {
    throw failed(name, error);
  }
  return bytesOf(answer, name);
}

function unlocked(credentials: NativeCredentials, answers: ReadonlyMap<string, Uint8Array>): NativeCredentials {
  const open = <T extends { readonly name: string }>(inputs: readonly T[]): T[] =>
    inputs.map(input => (answers.has(input.name) ? { ...input, passphrase: answers.get(input.name) } : input));
  const { key, pfx, certUri, keyUri } = credentials;
  return {
    ...credentials,
    ...(key !== undefined && { key: open(key) }),
    ...(pfx !== undefined && { pfx: open(pfx) }),
    ...(certUri !== undefined && { certUri: open(certUri) }),
    ...(keyUri !== undefined && { keyUri: open(keyUri) }),
  };
}
