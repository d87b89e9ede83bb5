import { tlsError } from '../base/coded-error.ts';
import { answerFrom, functionFailed } from './answer.ts';
import type { OnALPN } from './options.ts';
import type { CallbackRequest } from './request.ts';

/** Out of the wire format (RFC 7301 section 3.1). */
function protocolsOf(wire: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < wire.length; at += 1 + (wire[at] as number)) {
    found.push(wire.subarray(at + 1, at + 1 + (wire[at] as number)));
  }
  return found;
}

/**
 * The bytes of the protocol that the function chooses; none: none of them.
 *
 * @param where - the connection, for messages
 */
export function chooseProtocol(
  call: OnALPN,
  wire: Buffer,
  request: CallbackRequest & { readonly servername: string | null },
  where: string,
): Uint8Array | PromiseLike<Uint8Array> {
  const offered = protocolsOf(wire);
  const protocols = Object.freeze(offered.map(each => each.toString('latin1')));
  const failed = (error: unknown): Error =>
    functionFailed('ERR_TLS_ALPN_CALLBACK', `${where}: the function onALPN failed`, error);
  const use = (answer: unknown): Uint8Array => {
    if (answer === undefined || answer === null) return Buffer.alloc(0);
    const chosen = typeof answer === 'string' ? offered[protocols.indexOf(answer)] : undefined;
    if (chosen !== undefined) return chosen;
    const given = typeof answer === 'string' ? `'${answer}'` : typeof answer;
    const message = `onALPN gave ${given}, which the client did not offer: give one of ${protocols.join(', ')}`;
    throw failed(tlsError('ERR_TLS_ALPN_CALLBACK_INVALID_RESULT', message));
  };
  return answerFrom(() => call({ ...request, protocols }), use, failed);
}
