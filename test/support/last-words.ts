// A client of node:tls that says its last words and is gone, without having read what the server said after the handshake.
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { certificates } from './certificates.ts';

export interface LastWords {
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3';
  /** What TCP ends with; the reset is that of a close with bytes unread if absent. */
  readonly reset?: boolean;
  /** Whether close_notify follows the words; default true. */
  readonly goodbye?: boolean;
}

/** Resolves when its TCP connection is closed. */
export async function sayLastWords(
  port: number,
  words: string | Uint8Array,
  { maxVersion = 'TLSv1.3', reset = false, goodbye = true }: LastWords = {},
): Promise<void> {
  const raw = net.connect(port, '127.0.0.1').on('error', () => {});
  const closed = new Promise(resolve => raw.once('close', resolve));
  const held: Uint8Array[] = [];
  let holds = false;
  const gate = new Duplex({
    read() {},
    write(chunk: Uint8Array, _encoding, done) {
      if (holds) held.push(chunk);
      else raw.write(chunk);
      // With TLS 1.3 the client's Finished goes with the words.
      holds ||= maxVersion === 'TLSv1.3';
      done();
    },
  });
  raw.on('data', chunk => gate.push(chunk));
  const ca = certificates().ca.cert;
  const socket = tls.connect({ socket: gate, ca, servername: 'localhost', maxVersion }).on('error', () => {});
  await once(socket, 'secureConnect');
  holds = true;
  await new Promise<unknown>(resolve => socket.write(words, resolve));
  if (goodbye) {
    socket.end();
    await once(gate, 'finish');
  }
  await new Promise<unknown>(resolve => raw.write(Buffer.concat(held), resolve));
  if (reset) raw.resetAndDestroy();
  else raw.destroy();
  await closed;
  socket.destroy();
}
