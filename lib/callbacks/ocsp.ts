// OCSP responses (RFC 6960): the one that a server staples, and the one that a client judges.
import { X509Certificate } from 'node:crypto';
import type { NativeStatusRequest } from '../../types/binding.d.ts';
import { invalidReturnValue } from '../base/coded-error.ts';
import { answerFrom, functionFailed } from './answer.ts';
import type { OnStatus, OnStatusRequest } from './options.ts';
import type { CallbackRequest } from './request.ts';

const [noResponse, accepted, refused] = [1, 1, 0] as const;

/**
 * @param where - the connection, for messages
 */
export function responseFor(
  call: OnStatusRequest,
  { certificate, issuer }: NativeStatusRequest,
  asked: CallbackRequest,
  where: string,
): Uint8Array | number | PromiseLike<Uint8Array | number> {
  const request = {
    ...asked,
    get certificate() {
      return new X509Certificate(certificate);
    },
    get issuer() {
      return issuer === null ? null : new X509Certificate(issuer);
    },
  };
  const failed = (error: unknown): Error =>
    functionFailed('ERR_TLS_STATUS_REQUEST_CALLBACK', `${where}: the function onStatusRequest failed`, error);
  const use = (answer: unknown): Uint8Array | number => {
    if (answer === undefined || answer === null) return noResponse;
    if (answer instanceof Uint8Array) return answer.length === 0 ? noResponse : answer;
    throw failed(invalidReturnValue('onStatusRequest', 'an OCSP response in DER, or null', answer));
  };
  return answerFrom(() => call(request), use, failed);
}

/**
 * @param where - the connection, for messages
 */
export function judgeStatus(
  call: OnStatus,
  response: Buffer | null,
  asked: CallbackRequest,
  where: string,
): number | PromiseLike<number> {
  const failed = (error: unknown): Error =>
    functionFailed('ERR_TLS_STATUS_CALLBACK', `${where}: the function onStatus failed`, error);
  const use = (answer: unknown): number => {
    if (typeof answer === 'boolean') return answer ? accepted : refused;
    throw failed(invalidReturnValue('onStatus', 'a boolean', answer));
  };
  return answerFrom(() => call(response, asked), use, failed);
}
