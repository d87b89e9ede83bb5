// A listening socket: hands over descriptors of accepted connections.
import { AsyncResource } from 'node:async_hooks';
import type { NativeAddress, NativeFailure, NativeIoPool, NativeListener } from '../../types/binding.d.ts';
import { toError } from '../errors/errors.ts';
import { EventKind } from '../native/constants.ts';
import { binding } from '../native/load-binding.ts';
import { type DispatchTarget, keepAlive, nextId, register, unregister } from '../transport/dispatch.ts';
import { listenAt, type Place } from './listen.ts';

export interface AcceptorEvents {
  /** The descriptor goes to a connection's setFd(), or to {@link Acceptor.refuse}; else it is closed with the acceptor. */
  accepted(fd: number): void;
  failed(error: Error): void;
}

export class Acceptor implements DispatchTarget {
  readonly id = nextId();
  readonly #native: NativeListener;
  readonly #events: AcceptorEvents;
  // Connections belong to the context in which listening began.
  readonly #scope = new AsyncResource('SYSTEMTLSLISTENER');

  /** @param io - where it accepts; default: on the loop */
  constructor(events: AcceptorEvents, io: NativeIoPool | undefined) {
    this.#events = events;
    this.#native = new binding.NativeListener(this.id, io);
    register(this);
  }

  listen(place: Place): void {
    listenAt(this.#native, place);
    keepAlive(this, true);
  }

  address(): NativeAddress | string | null {
    return this.#native.address();
  }

  close(): void {
    unregister(this);
    this.#native.close();
  }

  refuse(fd: number): void {
    this.#native.refuse(fd);
  }

  /** The descriptor is the caller's, unless it is closed already: false. */
  giveUp(fd: number): boolean {
    return this.#native.giveUp(fd);
  }

  ref(): void {
    this.#native.ref();
  }

  unref(): void {
    this.#native.unref();
  }

  released(): void {}

  handle(kind: number, a: number): void {
    if (kind === EventKind.Accepted) this.#scope.runInAsyncScope(this.#events.accepted, this.#events, a);
    if (kind !== EventKind.AcceptFailed) return;
    const error = toError(binding.payload(a) as NativeFailure, 'TLS server');
    this.#scope.runInAsyncScope(this.#events.failed, this.#events, error);
  }
}
