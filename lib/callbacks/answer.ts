// What a function of the application's answers, at once or later, and what becomes of its failure.
import { tlsError } from '../base/coded-error.ts';
import { isThenable } from '../base/thenable.ts';
import { QuestionKind } from '../native/constants.ts';

/** Code and function of the questions whose answers OpenSSL may refuse. */
const refusable: ReadonlyMap<number, readonly [code: string, name: string]> = new Map([
  [QuestionKind.ClientHello, ['ERR_TLS_CLIENT_HELLO_CALLBACK', 'onClientHello']],
  [QuestionKind.Certificate, ['ERR_TLS_CERTIFICATE_CALLBACK', 'onCertificate']],
  [QuestionKind.StatusRequest, ['ERR_TLS_STATUS_REQUEST_CALLBACK', 'onStatusRequest']],
]);

/**
 * What becomes of an answer that could be given, and that OpenSSL refuses.
 *
 * @param where - the connection, for messages
 */
export function answerRefused(kind: number, where: string, error: Error): Error {
  const [code, name] = refusable.get(kind) ?? [];
  if (code === undefined) return error;
  return functionFailed(code, `${where}: what the function ${name} gave is refused`, error);
}

/** Of anything that can be thrown. */
export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** @param what - the function, and that it failed, for the message */
export function functionFailed(code: string, what: string, error: unknown): Error {
  return tlsError(code, `${what}: ${reasonOf(error)}`, { cause: error });
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
