// Errors of our own: each has a code that stays, and a text that says what to do.

export interface CodedError extends Error {
  code: string;
}

function coded<T extends Error>(error: T, code: string): T & CodedError {
  // As in node: the code shows in the stack, where it is searched for, but not in the name.
  const { name } = error;
  error.name = `${name} [${code}]`;
  void error.stack;
  Object.defineProperty(error, 'name', { value: name, configurable: true, enumerable: false, writable: true });
  return Object.assign(error, { code });
}

/** An error with a code of ours (`ERR_TLS_...`). */
export function tlsError(code: string, message: string, options?: ErrorOptions): CodedError {
  return coded(new Error(message, options), code);
}

/** Says of what type the value is, and nothing of what is in it: any option may have been mistaken for another. */
export function invalidArgType(name: string, expected: string, actual: unknown): CodedError {
  return coded(new TypeError(`"${name}" must be ${expected}; it is ${describeType(actual)}`), 'ERR_INVALID_ARG_TYPE');
}

/** Of keys, passphrases, sessions, and of text that may hold one. */
export function invalidSecret(name: string, advice: string, actual: unknown): CodedError {
  return coded(new TypeError(`"${name}" ${advice}; it is ${describeType(actual)}`), 'ERR_INVALID_ARG_VALUE');
}

/** Shows the value, unless it is long: for words and names. See {@link invalidSecret}. */
export function invalidArgValue(name: string, advice: string, actual: unknown): CodedError {
  return coded(new TypeError(`"${name}" ${advice}; it is ${describe(actual)}`), 'ERR_INVALID_ARG_VALUE');
}

/** Of a function that a user gave. */
export function invalidReturnValue(name: string, expected: string, actual: unknown): CodedError {
  return invalidReturn(name, expected, describe(actual));
}

/** Of one that gives secrets. */
export function invalidReturnedSecret(name: string, expected: string, actual: unknown): CodedError {
  return invalidReturn(name, expected, describeType(actual));
}

function invalidReturn(name: string, expected: string, given: string): CodedError {
  return coded(
    new TypeError(`the function ${name} must give ${expected}; it gave ${given}`),
    'ERR_INVALID_RETURN_VALUE',
  );
}

export function outOfRange(name: string, range: string, actual: unknown): CodedError {
  return coded(new RangeError(`"${name}" must be ${range}; it is ${describe(actual)}`), 'ERR_OUT_OF_RANGE');
}

export function invalidThis(className: string): CodedError {
  return coded(
    new TypeError(`"this" must be ${article(className)} ${className} made by its own constructor`),
    'ERR_INVALID_THIS',
  );
}

/** As node rejects what an AbortSignal ended; `cause` is the signal's reason. */
export function abortError(signal: AbortSignal): CodedError {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}

export function closedError(what: string): CodedError {
  return tlsError('ERR_TLS_CLOSED', `${what} is closed`);
}

export function detachedTarget(): CodedError {
  return tlsError('ERR_TLS_BUFFER_DETACHED', 'The memory to read into was detached or shrunk');
}

export function timeoutError(what: string, milliseconds: number): CodedError {
  return tlsError('ERR_TLS_TIMEOUT', `${what} did not complete within ${milliseconds} ms`);
}

const article = (noun: string): string => (/^(?:[AEIO]|Ssl)/.test(noun) ? 'an' : 'a');

/** A value as a message may show it; long texts stay out. */
function describe(value: unknown): string {
  if (typeof value === 'number') return `the number ${value}`;
  if (typeof value === 'bigint') return `the bigint ${value}n`;
  if (typeof value === 'string' && value.length <= 40 && !value.includes('\n')) return `'${value}'`;
  return describeType(value);
}

function describeType(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return `a string of ${value.length} characters`;
  if (Array.isArray(value)) return 'an array';
  if (ArrayBuffer.isView(value)) return `a ${constructorName(value)} of ${value.byteLength} bytes`;
  return typeof value === 'object' ? `an object (${constructorName(value)})` : `a ${typeof value}`;
}

function constructorName(value: object): string {
  try {
    const name: unknown = value.constructor?.name;
    return typeof name === 'string' && name !== '' ? name : 'without a class';
  } catch {
    // A getter or proxy that throws must not replace the error that is being described.
    return 'unknown';
  }
}
