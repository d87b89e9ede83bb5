// The peer's end of a transport, in raw bytes: what a program with a descriptor of its own can do to us.
import { once } from 'node:events';
import net from 'node:net';
import type { Bio } from 'system-tls';

export interface Wire {
  /** Hears what ours sent; what came before is kept for it. */
  listen(take: (bytes: Buffer) => void): void;
  /** Resolves when the transport took all of it. */
  write(bytes: Buffer): Promise<void>;
  /** From now on nothing is taken from the transport any more. */
  stopReading(): void;
  /** FIN, and reading goes on: shutdown(2) with SHUT_WR. */
  finish(): void;
  /** FIN, or RST if something of ours is unread: close(2). */
  close(): void;
  /** RST: close(2) with SO_LINGER and a time of 0. */
  reset(): void;
  /** Whether ours ended its sending half, or all of it. */
  readonly farEnded: Promise<void>;
}

export class TcpWire implements Wire {
  readonly #socket: net.Socket;
  readonly farEnded: Promise<void>;

  /** @param socket - with allowHalfOpen, not read yet */
  constructor(socket: net.Socket) {
    this.#socket = socket;
    // With Nagle's algorithm the last bytes would wait for an acknowledgement, and a reset would drop them: they
    // would never have left the peer.
    socket.setNoDelay(true);
    socket.on('error', () => {});
    this.farEnded = new Promise(resolve => void socket.once('end', resolve).once('close', () => resolve()));
  }

  listen(take: (bytes: Buffer) => void): void {
    this.#socket.on('data', take).resume();
  }

  write(bytes: Buffer): Promise<void> {
    return new Promise(resolve => void this.#socket.write(bytes, () => resolve()));
  }

  stopReading(): void {
    this.#socket.pause();
  }

  finish(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }
}

/** One end of a BIO pair. It has no RST: who closes it neither sends nor takes anything any more. */
export class BioWire implements Wire {
  readonly #bio: Bio;
  readonly #ended: () => void;
  readonly farEnded: Promise<void>;
  #take: ((bytes: Buffer) => void) | undefined;
  #gone = false;

  constructor(bio: Bio) {
    this.#bio = bio;
    let ended = () => {};
    this.farEnded = new Promise(resolve => {
      ended = resolve;
    });
    this.#ended = () => {
      this.#gone = true;
      ended();
    };
    bio.on('readable', () => this.#read());
  }

  listen(take: (bytes: Buffer) => void): void {
    this.#take = take;
    this.#read();
  }

  #read(): void {
    while (this.#take !== undefined && !this.#bio.closed) {
      const bytes = this.#bio.read();
      if (bytes === null) return;
      if (bytes.length === 0) this.#ended();
      if (bytes.length === 0) return;
      this.#take(bytes);
    }
  }

  async write(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length && !this.#bio.closed; ) {
      const taken = this.#bio.write(bytes.subarray(at));
      at += taken;
      // Who is gone takes nothing any more.
      if (taken === 0) await Promise.race([once(this.#bio, 'drain'), this.farEnded]);
      if (taken === 0 && this.#gone) return;
    }
  }

  stopReading(): void {
    this.#take = undefined;
  }

  finish(): void {
    if (!this.#bio.closed) this.#bio.end();
  }

  close(): void {
    this.finish();
    this.#bio.close();
    this.#ended();
  }

  reset(): void {
    this.close();
  }
}

/** Two ends of a TCP connection that node does not read. */
export async function tcpPair(): Promise<[near: net.Socket, far: net.Socket]> {
  const listener = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const near = new net.Socket();
  near.pause();
  near.connect((listener.address() as net.AddressInfo).port, '127.0.0.1');
  const [[far]] = await Promise.all([once(listener, 'connection') as Promise<[net.Socket]>, once(near, 'connect')]);
  listener.close();
  near.on('error', () => {});
  return [near, far];
}

/** The peer's end of a connection to a server of ours. */
export async function tcpTo(port: number): Promise<net.Socket> {
  const socket = new net.Socket({ allowHalfOpen: true });
  socket.pause();
  socket.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** A listener for one connection of a client of ours. */
export async function tcpListener(): Promise<{ port: number; accepted: Promise<net.Socket>; close(): void }> {
  const listener = net.createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const accepted = (once(listener, 'connection') as Promise<[net.Socket]>).then(([socket]) => {
    listener.close();
    return socket;
  });
  return { port: (listener.address() as net.AddressInfo).port, accepted, close: () => listener.close() };
}
