// The handshakes of a server: a small object for each, neither promise nor timer, since there are thousands a second.

import type { Status } from '../../types/binding.d.ts';
import { timeoutError } from '../base/coded-error.ts';
import { handshakeTimeoutError } from '../base/deadline.ts';
import type { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import { Cancelled } from '../native/constants.ts';
import type { Connection, Pending } from '../transport/native-connection.ts';

export interface HandshakeOwner {
  /** Called from inside the event, so that the connection need not be kept alive for the moment between. */
  succeeded(ssl: Ssl): void;
  /** Called when all that belongs to the failure has been told. */
  failed(ssl: Ssl, error: Error): void;
  /** Called in the place of `failed` when the time is over; the handshake goes on. */
  expired?(ssl: Ssl): void;
}

class Handshake implements Pending {
  readonly ssl: Ssl;
  readonly connection: Connection;
  readonly op: number;
  readonly deadline: number;
  readonly #all: ServerHandshakes;

  constructor(all: ServerHandshakes, ssl: Ssl, connection: Connection, op: number, deadline: number) {
    this.#all = all;
    this.ssl = ssl;
    this.connection = connection;
    this.op = op;
    this.deadline = deadline;
  }

  done(): void {
    this.#all.done(this);
  }

  failed(error: Error): void {
    this.#all.failed(this, error);
  }
}

export class ServerHandshakes {
  readonly #owner: HandshakeOwner;
  /** Milliseconds; undefined: no limit. */
  readonly #timeout: number | undefined;
  /** In the order in which they began: all have the same time, so the first is the first to run out of it. */
  readonly #running = new Set<Handshake>();
  #timer: NodeJS.Timeout | undefined;

  constructor(owner: HandshakeOwner, timeout: number | undefined) {
    this.#owner = owner;
    this.#timeout = timeout;
  }

  begin(ssl: Ssl): void {
    const connection = connectionOf(ssl);
    try {
      connection.assertUsable();
      const op = connection.nextOp();
      this.begun(ssl, op, connection.native.handshake(op));
    } catch (error) {
      this.#fail(ssl, error as Error);
    }
  }

  /** As {@link begin}, for one that native code has begun already. */
  begun(ssl: Ssl, op: number, status: Status): void {
    const connection = connectionOf(ssl);
    try {
      if (connection.started(status)) {
        this.#owner.succeeded(ssl);
        return;
      }
      const timeout = this.#timeout;
      const handshake = new Handshake(
        this,
        ssl,
        connection,
        op,
        timeout === undefined ? 0 : performance.now() + timeout,
      );
      connection.expect(op, handshake);
      if (timeout === undefined) return;
      this.#running.add(handshake);
      this.#timer ??= this.#expireIn(timeout);
    } catch (error) {
      this.#fail(ssl, error as Error);
    }
  }

  done(handshake: Handshake): void {
    this.#running.delete(handshake);
    this.#owner.succeeded(handshake.ssl);
  }

  failed(handshake: Handshake, error: Error): void {
    this.#running.delete(handshake);
    this.#fail(handshake.ssl, error);
  }

  /** The end of the connection, an event of its own, comes first. */
  #fail(ssl: Ssl, error: Error): void {
    queueMicrotask(() => this.#owner.failed(ssl, error));
  }

  /** Keeps no process running: its connections do. */
  #expireIn(milliseconds: number): NodeJS.Timeout {
    return setTimeout(() => this.#expire(), milliseconds).unref();
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const handshake of this.#running) {
      // Timers can be early by a part of a millisecond.
      if (handshake.deadline > now + 1) {
        this.#timer = this.#expireIn(handshake.deadline - now);
        return;
      }
      this.#running.delete(handshake);
      this.#giveUp(handshake);
    }
  }

  #giveUp({ ssl, connection, op }: Handshake): void {
    if (connection.closed) return;
    if (this.#owner.expired !== undefined) {
      this.#owner.expired(ssl);
      return;
    }
    const outcome = connection.native.cancel(op);
    // Its end is recorded already, and the event on its way.
    if (outcome === Cancelled.Unknown) return;
    connection.forget(op);
    const { description } = connection;
    const timeout = this.#timeout ?? 0;
    const cause = timeoutError(`handshake of ${description}`, timeout);
    if (outcome === Cancelled.MustClose) connection.close(cause);
    this.#fail(ssl, handshakeTimeoutError(description, timeout, cause));
  }
}
