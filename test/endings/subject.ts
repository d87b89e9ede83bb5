// Ours in a case, in whichever way it is held.
import type { Duplex } from 'node:stream';
import { type OnReadOptions, type Ssl, TlsSocket, type TlsSocketOptions } from 'system-tls';
import { pattern } from '../support/bytes.ts';
import { turn } from '../support/wait.ts';
import type { Api, Case } from './axes.ts';
import type { Ledger } from './ledger.ts';

export interface Subject {
  /** The connection, where it is ours. */
  readonly ssl: Ssl | undefined;
  startReading(): void;
  write(length: number): void;
  /** Says close_notify, and waits for the peer's as far as the API can. */
  shutdown(): void;
  /** What the owner does who was told the end: ends its own half, if nobody else does, and closes. */
  finish(): Promise<void>;
  /** At once. */
  close(): void;
}

/** A TlsSocket, or one of node:tls. */
export class StreamSubject implements Subject {
  readonly #socket: Duplex;
  readonly #api: Api;
  readonly #ledger: Ledger;
  readonly ssl: Ssl | undefined;

  constructor(socket: Duplex, api: Api, ledger: Ledger) {
    this.#socket = socket;
    this.#api = api;
    this.#ledger = ledger;
    this.ssl = socket instanceof TlsSocket ? socket.ssl : undefined;
    socket.on('end', () => {
      ledger.event('end');
      ledger.end('end');
    });
    socket.on('error', (error: Error) => {
      ledger.error(error);
      ledger.end(error);
    });
    socket.on('finish', () => ledger.event('finish'));
    socket.on('close', () => {
      ledger.event('close');
      ledger.end(new Error('closed'));
    });
  }

  startReading(): void {
    const take = (chunk: Buffer) => this.#ledger.chunk(chunk);
    if (this.#api === 'data') this.#socket.on('data', take);
    else if (this.#api === 'iterate') void this.#ledger.follow('iteration', this.#iterate());
    else if (this.#api === 'onread') this.#socket.resume();
    else this.#readWithPauses();
  }

  async #iterate(): Promise<void> {
    for await (const chunk of this.#socket) this.#ledger.chunk(chunk as Buffer);
  }

  /** Paused again after each piece. */
  #readWithPauses(): void {
    this.#socket.on('data', (chunk: Buffer) => {
      this.#ledger.chunk(chunk);
      this.#socket.pause();
      void turn().then(() => this.#socket.resume());
    });
    this.#socket.resume();
  }

  write(length: number): void {
    const done = this.#ledger.operation(`write of ${length}`);
    this.#socket.write(pattern(length), error => {
      if (!error) this.#ledger.written += length;
      done(error);
    });
  }

  shutdown(): void {
    this.#socket.end(this.#ledger.operation('end()'));
  }

  /** A stream ends and closes by itself. */
  async finish(): Promise<void> {}

  close(): void {
    this.#socket.destroy();
  }
}

/** What a TlsSocket of this case is made with. */
export function socketOptions(each: Case, ledger: Ledger): TlsSocketOptions {
  const pauseOnConnect = each.api === 'paused' || (each.api === 'onread' && each.reads === 'late');
  return each.api === 'onread' ? { pauseOnConnect, onread: onread(ledger) } : { pauseOnConnect };
}

function onread(ledger: Ledger): OnReadOptions {
  return {
    buffer: Buffer.alloc(3000),
    callback: (length, buffer) => {
      ledger.chunk(buffer.subarray(0, length));
    },
  };
}

/** A plain Ssl. */
export class SslSubject implements Subject {
  readonly ssl: Ssl;
  readonly #api: Api;
  readonly #ledger: Ledger;

  constructor(ssl: Ssl, api: Api, ledger: Ledger) {
    this.ssl = ssl;
    this.#api = api;
    this.#ledger = ledger;
    ssl.on('close', () => {
      ledger.event('close');
    });
  }

  startReading(): void {
    void this.#read();
  }

  async #read(): Promise<void> {
    try {
      for (;;) {
        const done = this.#ledger.operation('read');
        const chunk = await this.#next().finally(done);
        if (chunk === null) break;
        this.#ledger.chunk(chunk);
      }
      this.#ledger.end('end');
    } catch (error) {
      this.#ledger.end(error as Error);
    }
  }

  async #next(): Promise<Uint8Array | null> {
    if (this.#api === 'read') return this.ssl.read();
    const memory = Buffer.alloc(3000);
    const length = await this.ssl.readInto(memory);
    return length === null ? null : memory.subarray(0, length);
  }

  write(length: number): void {
    void this.#ledger.follow(
      `write of ${length}`,
      this.ssl.write(pattern(length)).then(() => {
        this.#ledger.written += length;
      }),
    );
  }

  shutdown(): void {
    void this.#ledger.follow('shutdown({ wait })', this.ssl.shutdown({ wait: true }));
  }

  async finish(): Promise<void> {
    await this.#ledger.follow('the last shutdown()', this.ssl.shutdown());
    this.ssl.close();
  }

  close(): void {
    this.ssl.close();
  }
}
