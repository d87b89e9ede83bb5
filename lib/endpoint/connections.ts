// What servers have in common, whatever they listen on and hand out. Each holds one: a class has one base.
import type { Status } from '../../types/binding.d.ts';
import { tlsError } from '../base/coded-error.ts';
import { type Resolvers, withResolvers } from '../base/with-resolvers.ts';
import { moveToLoop } from '../connection/operations.ts';
import type { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import { throwLater } from '../transport/dispatch.ts';
import { ServerHandshakes } from './server-handshakes.ts';

/** A server. What its methods throw, of listeners of the user's, is an uncaught exception, as in node. */
export interface ConnectionsOwner {
  /** The handshake is complete. */
  established(ssl: Ssl): void;
  /** The handshake failed, and not because somebody here closed the connection. */
  failed(ssl: Ssl, error: Error): void;
  ended?(ssl: Ssl): void;
  /** After {@link Connections.close}, when none is left; what it calls settles the promise. */
  drained(done: () => void): void;
}

export interface ConnectionsOptions {
  /** Milliseconds; undefined: no limit. */
  readonly handshakeTimeout: number | undefined;
  /** Whether connections move from their I/O thread to the loop after the handshake. */
  readonly dataOnLoop?: boolean;
}

/** The connections of a server: their handshakes, their number, and the wait for the last one. */
export class Connections {
  readonly #owner: ConnectionsOwner;
  readonly #all = new Set<Ssl>();
  readonly #handshakes: ServerHandshakes;
  /** close() has been called. */
  #closing: Resolvers<void> | null = null;
  /** Its promise has not been settled. */
  #waits = false;

  constructor(owner: ConnectionsOwner, { handshakeTimeout, dataOnLoop = false }: ConnectionsOptions) {
    this.#owner = owner;
    this.#handshakes = new ServerHandshakes(
      {
        succeeded: ssl => (dataOnLoop ? void this.#moveToLoop(ssl) : this.#handOut(ssl)),
        failed: (ssl, error) => this.#failed(ssl, error),
      },
      handshakeTimeout,
    );
  }

  /** Open ones, in their handshake or after it. */
  get size(): number {
    return this.#all.size;
  }

  /** Counts it until it has ended. */
  add(ssl: Ssl): void {
    this.#all.add(ssl);
    connectionOf(ssl).ended = this.#ended;
  }

  /** Begins its handshake. */
  begin(ssl: Ssl): void {
    this.#handshakes.begin(ssl);
  }

  /** Counts one whose handshake native code has begun. */
  begun(ssl: Ssl, op: number, status: Status): void {
    this.add(ssl);
    this.#handshakes.begun(ssl, op, status);
  }

  async #moveToLoop(ssl: Ssl): Promise<void> {
    try {
      await moveToLoop(connectionOf(ssl));
    } catch (error) {
      this.#failed(ssl, error as Error);
      return;
    }
    this.#handOut(ssl);
  }

  #handOut(ssl: Ssl): void {
    if (!ssl.closed) callSafely(() => this.#owner.established(ssl));
  }

  #failed(ssl: Ssl, error: Error): void {
    // Closed by the server's own wish, or by a user's.
    if (ssl.closed && (error as NodeJS.ErrnoException).code === 'ERR_TLS_CLOSED') return;
    callSafely(() => this.#owner.failed(ssl, error));
    ssl.close();
  }

  /** One for all connections. */
  readonly #ended = (ssl: object): void => {
    this.#all.delete(ssl as Ssl);
    this.#owner.ended?.(ssl as Ssl);
    this.#drain();
  };

  /** Resolves when the last one has ended. Idempotent. */
  close(): Promise<void> {
    if (this.#closing === null) {
      this.#closing = withResolvers();
      this.#waits = true;
      this.#drain();
    }
    return this.#closing.promise;
  }

  /** For a server that listens again. */
  reopen(): void {
    if (this.#waits) {
      throw tlsError('ERR_TLS_SERVER_CLOSING', 'the server waits for its last connection to end: await close() first');
    }
    this.#closing = null;
  }

  #drain(): void {
    if (this.#closing === null || this.#all.size > 0) return;
    const { resolve } = this.#closing;
    this.#owner.drained(() => {
      this.#waits = false;
      resolve();
    });
  }

  /** Destroys all, also those in their handshake. */
  destroyAll(): void {
    for (const ssl of [...this.#all]) ssl.close();
  }
}

function callSafely(action: () => void): void {
  try {
    action();
  } catch (error) {
    throwLater(error);
  }
}
