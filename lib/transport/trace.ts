// Native events as lines of NODE_DEBUG.
import type { NativeConnection, NativeFailure, QuestionKind as QuestionKindType } from '../../types/binding.d.ts';
import { alertLevel, alertName } from '../errors/alerts.ts';
import { EventKind, QuestionKind } from '../native/constants.ts';
import { binding } from '../native/load-binding.ts';

/** SSL_CB_LOOP, SSL_CB_HANDSHAKE_START, SSL_CB_HANDSHAKE_DONE of SSL_CTX_set_info_callback(3). */
const [loop, handshakeStart, handshakeDone] = [0x01, 0x10, 0x20] as const;

function negotiated({ version, cipher, alpnProtocol, servername, sessionReused }: NativeConnection): string {
  const parts = [
    cipher?.version ?? version,
    cipher?.name,
    alpnProtocol === null ? undefined : `ALPN ${alpnProtocol}`,
    servername === null ? undefined : `name ${servername}`,
    sessionReused ? 'resumed' : 'full',
  ];
  return parts.filter(part => part !== undefined).join(', ');
}

function info(native: NativeConnection, where: number, state: unknown): string | undefined {
  if ((where & handshakeStart) !== 0) return 'handshake begins';
  if ((where & handshakeDone) !== 0) return `handshake done: ${negotiated(native)}`;
  return (where & loop) !== 0 ? `state: ${state}` : undefined;
}

const questions: Readonly<Record<QuestionKindType, string>> = {
  [QuestionKind.Verify]: 'whether the peer is accepted',
  [QuestionKind.ServerName]: 'for the context of a name',
  [QuestionKind.ClientHello]: 'about the ClientHello',
  [QuestionKind.Protocol]: 'for the protocol',
  [QuestionKind.Certificate]: 'for its certificate',
  [QuestionKind.StatusRequest]: 'for the OCSP response to staple',
  [QuestionKind.Status]: 'whether the OCSP response is accepted',
  [QuestionKind.Session]: 'for a session to resume',
  [QuestionKind.Psk]: 'for a pre-shared key',
};

const failure = (payload: unknown): string => {
  const { code, message, errors } = payload as NativeFailure;
  return [code, message, errors.at(-1)?.reason].filter(part => part !== undefined).join(': ');
};

/** Undefined: nothing to tell. */
export function traced(native: NativeConnection, kind: number, a: number, b: number, c: number): string | undefined {
  switch (kind) {
    case EventKind.Info:
      return info(native, a, binding.payload(c));
    case EventKind.Alert:
      return `alert ${a === 1 ? 'received' : 'sent'}: ${alertLevel(b)} ${alertName(c)}`;
    case EventKind.KeyUpdate:
      return `key update ${a === 1 ? 'received' : 'sent'}${b === 1 ? ', requests one' : ''}`;
    case EventKind.Renegotiated:
      return `renegotiated: ${negotiated(native)}`;
    case EventKind.End:
      return a === 0 ? "the peer's close_notify" : undefined;
    case EventKind.Question:
      return `asks ${questions[b as QuestionKindType]}`;
    case EventKind.SendingFailed:
      return `nothing more can be sent: ${failure(binding.payload(a))}`;
    case EventKind.Failed:
      return `failed: ${failure(binding.payload(a))}`;
    default:
      return undefined;
  }
}
