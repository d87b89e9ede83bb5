// What a rejection must look like.
import assert from 'node:assert/strict';
import { patience, within } from './wait.ts';

export interface CodedError extends Error {
  readonly code: string;
  readonly library?: string;
  readonly reason?: string;
  readonly function?: string;
  readonly alert?: unknown;
  readonly errors?: readonly unknown[];
}

function check(error: unknown, code: string | readonly string[] | RegExp): CodedError {
  assert.ok(error instanceof Error, `thrown or rejected with something that is no Error: ${String(error)}`);
  const actual = (error as Partial<CodedError>).code;
  assert.equal(typeof actual, 'string', `no code: ${error.stack}`);
  const expected = code instanceof RegExp ? code.test(actual as string) : [code].flat().includes(actual as string);
  assert.ok(expected, `code ${actual} instead of ${String(code)}: ${error.stack}`);
  assert.notEqual(error.message, '', 'an error says what is wrong');
  return error as CodedError;
}

export async function rejected(
  promise: Promise<unknown>,
  code: string | readonly string[] | RegExp,
  milliseconds = patience,
): Promise<CodedError> {
  let value: unknown;
  try {
    value = await within(promise, `rejection with ${String(code)}`, milliseconds);
  } catch (error) {
    return check(error, code);
  }
  throw new assert.AssertionError({ message: `expected a rejection with ${String(code)}`, actual: value });
}

export function thrown(action: () => unknown, code: string | readonly string[] | RegExp): CodedError {
  let value: unknown;
  try {
    value = action();
  } catch (error) {
    return check(error, code);
  }
  throw new assert.AssertionError({ message: `expected ${String(code)} to be thrown`, actual: value });
}

/** The code of what an error was made of; '' if there is none. */
export function causeCode(error: unknown): string {
  const { cause } = (error ?? {}) as { readonly cause?: Partial<CodedError> };
  return cause?.code ?? '';
}
