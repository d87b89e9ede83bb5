// Checks of what users pass. Everything wrong ends in a named error before native code sees it.
import { invalidArgType, invalidArgValue, invalidSecret, outOfRange } from './coded-error.ts';

/** The longest time that a timer of node's can wait. */
export const longestTimeout = 2 ** 31 - 1;

export function validateObject(value: unknown, name: string): asserts value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidArgType(name, 'an object', value);
}

export function validateString(value: unknown, name: string): asserts value is string {
  if (typeof value !== 'string') throw invalidArgType(name, 'a string', value);
}

export function validateFunction(value: unknown, name: string): asserts value is (...args: never[]) => unknown {
  if (typeof value !== 'function') throw invalidArgType(name, 'a function', value);
}

export function validateBoolean(value: unknown, name: string): asserts value is boolean {
  if (typeof value !== 'boolean') throw invalidArgType(name, 'a boolean', value);
}

export function validateInteger(value: unknown, name: string, min: number, max: number): asserts value is number {
  if (typeof value !== 'number') throw invalidArgType(name, 'a number', value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw outOfRange(name, `an integer from ${min} to ${max}`, value);
  }
}

export function validateOneOf<T extends string>(
  value: unknown,
  name: string,
  allowed: readonly T[],
): asserts value is T {
  if (!(allowed as readonly unknown[]).includes(value)) {
    throw invalidArgValue(name, `must be one of ${allowed.map(item => `'${item}'`).join(', ')}`, value);
  }
}

export function optionalBoolean(value: unknown, name: string, otherwise: boolean): boolean {
  if (value === undefined || value === null) return otherwise;
  validateBoolean(value, name);
  return value;
}

export function optionalInteger(value: unknown, name: string, min: number, max: number): number | undefined {
  if (value === undefined || value === null) return undefined;
  validateInteger(value, name, min, max);
  return value;
}

export function optionalString(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  validateString(value, name);
  return value;
}

export function optionalFunction<T extends (...args: never[]) => unknown>(
  value: T | undefined,
  name: string,
): T | undefined {
  if (value === undefined || value === null) return undefined;
  validateFunction(value, name);
  return value;
}

/** Text that goes into C: a NUL would end it early, and two names that differ would look the same. */
export function validateText(value: string, name: string): string {
  if (value.includes('\0')) throw invalidSecret(name, 'must not contain a NUL character', value);
  return value;
}

/** Milliseconds; undefined and Infinity mean no limit. */
export function validateTimeout(value: unknown, name: string): number | undefined {
  if (value === undefined || value === null || value === Number.POSITIVE_INFINITY) return undefined;
  if (typeof value !== 'number') throw invalidArgType(name, 'a number of milliseconds', value);
  if (!(value >= 0 && value <= longestTimeout)) {
    throw outOfRange(name, `from 0 to ${longestTimeout} milliseconds, or Infinity`, value);
  }
  return value;
}

export function validateSignal(value: unknown, name: string): AbortSignal | undefined {
  if (value === undefined || value === null) return undefined;
  if (!(value instanceof AbortSignal)) throw invalidArgType(name, 'an AbortSignal', value);
  return value;
}

/** Bytes from a string (UTF-8), any view or an ArrayBuffer; nothing is copied but strings. */
export function asBytes(value: unknown, name: string): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (typeof value === 'string') return Buffer.from(value);
  if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  if (value instanceof ArrayBuffer || value instanceof SharedArrayBuffer) return new Uint8Array(value);
  throw invalidArgType(name, 'a string, a Buffer, a TypedArray, a DataView or an ArrayBuffer', value);
}

/** Memory that is to be filled. */
export function asTarget(value: unknown, name: string): Uint8Array {
  if (!ArrayBuffer.isView(value)) throw invalidArgType(name, 'a Buffer, a TypedArray or a DataView', value);
  if (value.byteLength === 0) throw invalidArgValue(name, 'must have room for at least one byte', value);
  return value instanceof Uint8Array ? value : new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}
