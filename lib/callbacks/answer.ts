// What a function of the application's answers, at once or later, and what becomes of its failure.
import { tlsError } from '../base/coded-error.ts';
import { isThenable } from '../base/thenable.ts';

/** @param what - the function, and that it failed, for the message */
export function functionFailed(code: string, what: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : String(error);
  return tlsError(code, `${what}: ${reason}`, { cause: error });
}

/**
 * At once if the function answers at once.
 *
 * @param use - of the answer; what it throws stays as it is
 * @param failed - of what the function threw, or rejected with: what is thrown for it
 */
export function answerFrom<Result>(
  call: () => unknown,
  use: (answer: unknown) => Result,
  failed: (error: unknown) => Error,
): Result | Promise<Result> {
  let answer: unknown;
  let later: boolean;
  try {
    answer = call();
    later = isThenable(answer);
  } catch (error) {
    throw failed(error);
  }
  if (!later) return use(answer);
  return new Promise(resolve => resolve(answer)).then(use, error => {
    throw failed(error);
  });
}
