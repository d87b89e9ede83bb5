// Compiled, never run: what listeners of a TlsSocket get.
import type { KeyUpdateEvent, RenegotiateEvent, SslSession, TlsSocket } from 'system-tls';

export function listen(socket: TlsSocket): TlsSocket {
  socket.on('keyUpdate', event => event satisfies KeyUpdateEvent);
  socket.once('renegotiate', event => event satisfies RenegotiateEvent);
  socket.addListener('session', session => session satisfies SslSession);
  socket.prependListener('keylog', line => line satisfies Buffer);
  socket.on('error', error => error satisfies Error);
  socket.on('data', (chunk: Buffer) => chunk.length);
  socket.on('an event of the user’s own', (one: number, other: string) => [one, other]);

  // @ts-expect-error: no such member
  socket.on('keyUpdate', event => event.resumed);
  // @ts-expect-error: no such member
  socket.prependOnceListener('renegotiate', event => event.requested);
  // @ts-expect-error: a session, not its bytes
  socket.on('session', session => session.byteLength);
  // @ts-expect-error: bytes, not text
  socket.once('keylog', line => line.charCodeAt(0));
  return socket.on('timeout', () => undefined).setTimeout(1);
}
