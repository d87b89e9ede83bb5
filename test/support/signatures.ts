// What certificates sign with in a handshake: the schemes of RFC 8446 section 4.2.3, by the names of SSL_CTX_set1_sigalgs_list(3).
import type { MessageEvent, SslListeners } from 'system-tls';

const handshake = 22;
const serverKeyExchange = 12;
const certificateVerify = 15;
/** The type of an ECDHE key by the name of its group: RFC 8422 section 5.4. */
const namedCurve = 3;

const schemes: ReadonlyMap<number, string> = new Map([
  [0x0401, 'RSA+SHA256'],
  [0x0403, 'ECDSA+SHA256'],
  [0x0503, 'ECDSA+SHA384'],
  [0x0804, 'RSA-PSS+SHA256'],
  [0x0805, 'RSA-PSS+SHA384'],
  [0x0806, 'RSA-PSS+SHA512'],
  [0x0807, 'ed25519'],
  [0x0808, 'ed448'],
]);

/** Length of the header of a message, by the version that says in a message what it signs with. */
const headers: ReadonlyMap<number, number> = new Map([
  [0x0303, 4],
  [0x0304, 4],
  [0xfefd, 12],
]);

/** Where the scheme is in a message that has one; undefined: it has none. */
function schemeAt({ contentType, version, data }: MessageEvent): number | undefined {
  const body = headers.get(version);
  if (contentType !== handshake || body === undefined) return undefined;
  if (data[0] === certificateVerify) return body;
  // Of TLS 1.2: type, group and key, in front of the signature.
  if (data[0] !== serverKeyExchange || data[body] !== namedCurve) return undefined;
  return body + 4 + (data[body + 3] ?? 0);
}

/** What the peer has signed with, each time. TLS 1.0 and 1.1 do not say it. */
export function signatures(): { signed: string[]; on: SslListeners } {
  const signed: string[] = [];
  const message = (event: MessageEvent) => {
    const at = event.direction === 'received' ? schemeAt(event) : undefined;
    if (at === undefined) return;
    const scheme = event.data.readUInt16BE(at);
    signed.push(schemes.get(scheme) ?? scheme.toString(16));
  };
  return { signed, on: { message } };
}
