// The TypeScript side of one native connection: numbers its operations, routes its events, keeps it alive while
// something is under way. Streams and promises both stand on this; policy is theirs.
import { AsyncResource } from 'node:async_hooks';
import type {
  NativeAddress,
  NativeAnswer,
  NativeConnection,
  NativeConnectionOptions,
  NativeContext,
  NativeFailure,
  NativeIoPool,
  NativeSharedOptions,
  QuestionKind as QuestionKindType,
  Status as StatusType,
} from '../../types/binding.d.ts';
import { hostAndPort } from '../base/address.ts';
import { closedError, detachedTarget, tlsError } from '../base/coded-error.ts';
import { copyBytes } from '../base/copy-bytes.ts';
import { debug, debugging } from '../base/debug.ts';
import type { KeylogFile } from '../base/keylog-file.ts';
import { isThenable } from '../base/thenable.ts';
import { answerRefused } from '../callbacks/answer.ts';
import { toError, withAlert } from '../errors/errors.ts';
import { EventKind, internalError, Observe, QuestionKind, Status, verifyFailed } from '../native/constants.ts';
import { binding } from '../native/load-binding.ts';
import {
  batchHas,
  type DispatchTarget,
  eventsAreWaiting,
  holdUntilDispatched,
  keepAlive,
  nextId,
  register,
  unregister,
} from './dispatch.ts';
import type { DuplexBio } from './duplex-bio.ts';
import { PendingOperations } from './pending-operations.ts';
import { traced } from './trace.ts';

/** An operation that has not ended. Exactly one of the two is called, once. */
export interface Pending {
  /** Where the bytes of a read are wanted; not before it ends. */
  readonly target?: Uint8Array | undefined;
  /** The count or flag that native code gives; a read's bytes, or null for the peer's close_notify. */
  done(result: number | Buffer | null): void;
  failed(error: Error): void;
}

// Methods of those who are told: of classes that users see, hence symbols, and methods, since closures would cost every
// connection some hundred bytes.

/** `(error)`: comes once, after what was pending has failed. */
export const onFailed = Symbol('onFailed');
/** `(error)`: closed by us; comes once. `error` is why, if it was not the user's wish. */
export const onClosed = Symbol('onClosed');
/** `(kind, a, b, c)`: all events that only inform. */
export const onInform = Symbol('onInform');
/** `(kind, subject)`: the answer that a handshake waits for, now or later. What it throws ends the connection. */
export const onQuestion = Symbol('onQuestion');
/** `(bytes, offset, length)`: `bytes` must be copied. An offset of -1: the read buffer was filled. */
export const onData = Symbol('onData');
/** `()`: the peer's close_notify. */
export const onEnd = Symbol('onEnd');
/** `(error)`: nothing more can be sent, whether or not a write waits. */
export const onSendingFailed = Symbol('onSendingFailed');

interface Told {
  [onFailed](error: Error): void;
  [onClosed](error: Error | null): void;
}

/** Who is told what belongs to no single operation. */
export interface Sink extends Told {
  [onInform](kind: number, a: number, b: number, c: number): void;
  [onQuestion](kind: QuestionKindType, subject: unknown): NativeAnswer | PromiseLike<NativeAnswer>;
}

/** Who reads all that comes, without asking for each piece. */
export interface Flow extends Told {
  [onData](bytes: Uint8Array, offset: number, length: number): void;
  [onEnd](): void;
  [onSendingFailed](error: Error): void;
}

/** `(name, args)`: emits some of the events of its `Ssl` too. */
export const onForward = Symbol('onForward');

export interface Forwarder {
  [onForward](name: string, args: readonly unknown[]): void;
}

interface Question {
  readonly id: number;
  readonly kind: QuestionKindType;
}

/** What is answered where nobody could decide. */
const refusals: Readonly<Record<QuestionKindType, number>> = {
  [QuestionKind.Verify]: verifyFailed,
  [QuestionKind.ServerName]: internalError,
  [QuestionKind.ClientHello]: internalError,
  [QuestionKind.Protocol]: internalError,
  [QuestionKind.Certificate]: 0,
  [QuestionKind.StatusRequest]: 0,
  [QuestionKind.Status]: -1,
  [QuestionKind.Session]: 0,
  [QuestionKind.Psk]: internalError,
};

/** What a connection is made with. */
export interface ConnectionParameters {
  readonly server: boolean;
  readonly native: NativeConnectionOptions | NativeSharedOptions;
}

/** How the connections of a server begin. */
export interface Arrival {
  readonly noDelay: boolean;
  /** Seconds; -1: off. */
  readonly keepAlive: number;
  /** Whoever hears of the handshake reads, without a pause between. */
  readonly reads: boolean;
  /** See setStrictEnd(). */
  readonly strictEnd: boolean;
}

/** Of nearly all connections: one for all. */
const noDuplexes: readonly DuplexBio[] = Object.freeze([]);

export class Connection implements DispatchTarget {
  readonly id = nextId();
  readonly native: NativeConnection;
  readonly server: boolean;
  /** Only kept: threads of a pool that nobody holds end. */
  pool: NativeIoPool | undefined;
  sink: Sink | null = null;
  flow: Flow | null = null;
  /** Called once, when the event `'close'` is due: bookkeeping must not depend on listeners that users can remove. */
  ended: ((ssl: object) => void) | null = null;
  /** A socket. */
  forwarder: Forwarder | null = null;
  /** The last chance to ask the native connection for something. */
  beforeClose: (() => void) | null = null;
  /** Where its secrets go. */
  #keylog: KeylogFile | null = null;
  /** host:port or the like, for messages, if it is known better than by its address. */
  peerName = '';
  hasTransport = false;
  /** Its transport, if that is written in JavaScript; of two, the one that is read first. */
  duplexes: readonly DuplexBio[] = noDuplexes;
  // Events are emitted where the connection was made, as far as AsyncLocalStorage is concerned.
  readonly #scope = new AsyncResource('SYSTEMTLS');
  readonly #pending = new PendingOperations<Pending>();
  /** SSL_KEY_UPDATE requests that the peer has not answered, by the number of the operation; few connections have any. */
  #peerUpdates: PendingOperations<Pending> | undefined;
  /** Events that are recorded on demand, by who wants them. */
  #observedBySsl = 0;
  #observedBySocket = 0;
  #lastOp = 0;
  #flowing = false;
  #pinned = false;
  #held = false;
  #alive = false;
  #error: Error | null = null;
  /** The one that was asked last. */
  #question: Question | undefined;
  /** Why a question could not be answered. */
  #refusal: { readonly question: number; readonly error: Error } | undefined;
  /** What may turn out to be the failure of the whole connection. */
  #suspected: { readonly key: string; readonly error: Error } | undefined;
  #closed = false;

  constructor(context: NativeContext, { server, native }: ConnectionParameters, pool: NativeIoPool | undefined) {
    this.server = server;
    this.native = new binding.NativeConnection(context, this.id, native, pool);
    register(this);
    if (debugging) {
      this.#log(`made, ${pool === undefined ? 'on the loop' : 'on an I/O thread'}`);
      this.#observe();
    }
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** What killed the connection, if anything did. */
  get error(): Error | null {
    return this.#error;
  }

  /** For messages: 'client of localhost:443'. */
  get description(): string {
    const side = this.server ? 'TLS server connection' : 'TLS client connection';
    const peer = this.peerName || this.#remotePlace();
    if (peer === '') return side;
    return `${side} ${this.server ? 'from' : 'to'} ${peer}`;
  }

  /** What a transport written in JavaScript failed with: closer to the cause than what the connection makes of it. */
  get transportError(): Error | null {
    return this.duplexes.find(({ error }) => error !== null)?.error ?? null;
  }

  #remotePlace(): string {
    const remote = this.remoteAddress;
    return remote === null ? '' : hostAndPort(remote.address, remote.port);
  }

  /** The peer's, also when it is gone; null: it is not on the Internet. */
  get remoteAddress(): NativeAddress | null {
    return this.native.remoteAddress();
  }

  /** `sole`: nobody else will use the socket, even if it is not ours to close. */
  setFd(fd: number, close: boolean, sole: boolean): void {
    this.native.setFd(fd, close, sole);
    if (debugging) this.#log(`transport: descriptor ${fd}`);
    this.hasTransport = true;
    this.noteEvents();
  }

  /** What a listener has offered: transport, handshake and, with `reads`, flow. As {@link started}. */
  accept(op: number, fd: number, { noDelay, keepAlive, reads, strictEnd }: Arrival): StatusType {
    const status = this.native.accept(op, fd, noDelay, keepAlive, reads, strictEnd);
    this.#noteBegun(fd, reads);
    return status;
  }

  /** As {@link accept}, over a duplicate of the descriptor; its end may stand for the peer's close_notify. */
  begin(op: number, fd: number, reads: boolean): StatusType {
    const status = this.native.begin(op, fd, reads, false);
    this.#noteBegun(fd, reads);
    return status;
  }

  #noteBegun(fd: number, reads: boolean): void {
    if (debugging) this.#log(`transport: descriptor ${fd}`);
    this.hasTransport = true;
    this.#flowing = reads;
    this.noteEvents();
  }

  /** Refuses what can never succeed, without leaving a trace. */
  assertUsable(): void {
    this.assertAlive();
    if (!this.hasTransport) {
      throw tlsError('ERR_TLS_NO_TRANSPORT', `${this.description} has no transport: call setFd() or setBio() first`);
    }
  }

  /** Neither closed nor dead; what killed it is told again to everyone who asks. */
  assertAlive(): void {
    this.assertOpen();
    if (this.#error !== null) throw this.#error;
  }

  assertOpen(): void {
    if (this.#closed) throw closedError(this.description);
  }

  nextOp(): number {
    do this.#lastOp = this.#lastOp === 0x7fffffff ? 1 : this.#lastOp + 1;
    while (this.#pending.has(this.#lastOp) || this.#peerUpdates?.has(this.#lastOp));
    return this.#lastOp;
  }

  /** True: it is done. False: its end comes as an event, see {@link expect}. Throws if it failed. */
  started(status: StatusType): boolean {
    this.noteEvents();
    if (status === Status.Failed) throw this.takeError();
    return status === Status.Done;
  }

  expect(op: number, pending: Pending): void {
    this.#pending.set(op, pending);
    this.#keep();
  }

  forget(op: number): void {
    this.#pending.take(op);
    this.#keep();
  }

  expectPeerUpdate(op: number, pending: Pending): void {
    this.#peerUpdates ??= new PendingOperations();
    this.#peerUpdates.set(op, pending);
    this.#keep();
  }

  forgetPeerUpdate(op: number): void {
    this.#peerUpdates?.take(op);
    this.#keep();
  }

  /** Why the last native call failed. */
  takeError(): Error {
    const failure = this.native.takeFailure();
    // The end of the connection leaves an event behind; without one it was this call alone.
    return eventsAreWaiting() ? this.#suspect(failure) : this.#toError(failure);
  }

  startFlow(): void {
    if (this.#flowing || this.#closed || this.#error !== null) return;
    this.#flowing = true;
    this.native.startReading();
    this.noteEvents();
    this.#keep();
  }

  stopFlow(): void {
    if (!this.#flowing) return;
    this.#flowing = false;
    if (!this.#closed) this.native.stopReading();
    this.#keep();
  }

  /** For owners whose users expect them to live until they are closed, such as sockets. */
  pin(): void {
    this.#pinned = true;
    this.#keep();
  }

  /** Frees everything, at once; what is pending fails with ERR_TLS_CLOSED. */
  close(error: Error | null = null): void {
    if (this.#closed) return;
    if (debugging) this.#log(`closed${error === null ? '' : `: ${error.message}`}`);
    this.beforeClose?.();
    this.#closed = true;
    this.#flowing = false;
    this.#pinned = false;
    unregister(this);
    this.native.close();
    this.#failAll(() => closedError(this.description));
    const reason = error ?? this.#error;
    this.sink?.[onClosed](reason);
    this.flow?.[onClosed](reason);
  }

  /** Calls `action` in the asynchronous context in which the connection was made. */
  inScope<A extends unknown[]>(action: (...args: A) => void, self: unknown, ...args: A): void {
    this.#scope.runInAsyncScope(action, self, ...args);
  }

  /** What `who` wants to hear of: a mask of Observe. */
  observe(who: 'ssl' | 'socket', bit: number, listening: boolean): void {
    if (bit === 0 || this.#closed) return;
    const before = who === 'ssl' ? this.#observedBySsl : this.#observedBySocket;
    const now = listening ? before | bit : before & ~bit;
    if (who === 'ssl') this.#observedBySsl = now;
    else this.#observedBySocket = now;
    this.#observe();
  }

  #observe(): void {
    const here = (this.#keylog === null ? 0 : Observe.Keylog) | (debugging ? Observe.Info : 0);
    this.native.observe(this.#observedBySsl | this.#observedBySocket | here);
  }

  /** To be set before the handshake. */
  set keylog(file: KeylogFile | null) {
    this.#keylog = file;
    if (file !== null) this.#observe();
  }

  /** Only where `debugging`. */
  #log(what: string): void {
    debug('%s #%d: %s', this.description, this.id, what);
  }

  /** What the Ssl has emitted. */
  forward(name: string, args: readonly unknown[]): void {
    this.forwarder?.[onForward](name, args);
  }

  /** To be called after native calls that may have recorded events: they must find this object alive. */
  noteEvents(): void {
    if (this.#held || this.#closed || !eventsAreWaiting()) return;
    this.#held = true;
    holdUntilDispatched(this);
    this.#keep();
  }

  released(): void {
    this.#held = false;
    this.#suspected = undefined;
    this.noteEvents();
    this.#keep();
  }

  handle(kind: number, a: number, b: number, c: number, bytes: Uint8Array): void {
    this.#scope.runInAsyncScope(this.#route, this, kind, a, b, c, bytes);
  }

  #route(kind: number, a: number, b: number, c: number, bytes: Uint8Array): void {
    if (debugging) this.#trace(kind, a, b, c);
    switch (kind) {
      case EventKind.OpDone:
        this.#end(a, c * 2 ** 31 + b);
        break;
      case EventKind.OpFailed:
        // A key update that was made already may still wait for the peer's.
        (this.#pending.take(a) ?? this.#peerUpdates?.take(a))?.failed(
          this.#failureOf(binding.payload(b) as NativeFailure),
        );
        this.#keep();
        break;
      case EventKind.Data:
        if (a === 0) this.flow?.[onData](bytes, b, c);
        else this.#endRead(a, bytes, b, c);
        break;
      case EventKind.End:
        if (a === 0) this.flow?.[onEnd]();
        else this.#end(a, null);
        break;
      case EventKind.Exported:
        this.#end(a, binding.payload(b) as Buffer);
        break;
      case EventKind.Keylog:
        this.#keylog?.write(binding.payload(a) as string);
        this.sink?.[onInform](kind, a, b, c);
        break;
      case EventKind.PeerUpdated:
        this.#peerUpdates?.take(a)?.done(0);
        this.#keep();
        break;
      case EventKind.SendingFailed:
        this.flow?.[onSendingFailed](this.#suspect(binding.payload(a) as NativeFailure));
        break;
      case EventKind.Question:
        this.#ask({ id: a, kind: b as QuestionKindType }, binding.payload(c));
        break;
      case EventKind.Failed:
        this.#fail(this.#suspect(binding.payload(a) as NativeFailure));
        break;
      default:
        this.sink?.[onInform](kind, a, b, c);
    }
  }

  #trace(kind: number, a: number, b: number, c: number): void {
    const line = traced(this.native, kind, a, b, c);
    if (line !== undefined) this.#log(line);
  }

  #endRead(op: number, bytes: Uint8Array, offset: number, length: number): void {
    const lost = readEnds(this.#pending.take(op), bytes, offset, length);
    this.#keep();
    if (lost !== null) this.close(lost);
  }

  /** What it lets begin, a socket for one, may go on keeping the connection: so that is looked at last. */
  #end(op: number, result: number | Buffer | null): void {
    try {
      this.#pending.take(op)?.done(result);
    } finally {
      this.#keep();
    }
  }

  /** The answer may come at once, or when nobody waits for it any more. */
  #ask(question: Question, subject: unknown): void {
    const { id, kind } = question;
    this.#question = question;
    const refuse = (error: unknown): void => {
      this.#refusal = { question: id, error: error as Error };
      this.#answer(question, refusals[kind], true);
    };
    try {
      const answer = this.sink?.[onQuestion](kind, subject) ?? refusals[kind];
      if (isThenable(answer)) answer.then(later => this.#answer(question, later, false), refuse);
      else this.#answer(question, answer, false);
    } catch (error) {
      refuse(error);
    }
  }

  #answer({ id, kind }: Question, answer: NativeAnswer, failed: boolean): void {
    if (this.#closed || this.#error !== null) return;
    this.native.answer(id, kind, answer, failed);
    this.noteEvents();
  }

  #fail(error: Error): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#flowing = false;
    this.#failAll(() => error);
    this.#keep();
    this.sink?.[onFailed](error);
    this.flow?.[onFailed](error);
  }

  #failAll(makeError: () => Error): void {
    const all = [...this.#pending.takeAll(), ...(this.#peerUpdates?.takeAll() ?? [])];
    for (const pending of all) pending.failed(makeError());
  }

  #keep(): void {
    const waits = this.#pending.size > 0 || (this.#peerUpdates !== undefined && this.#peerUpdates.size > 0);
    const alive = (this.#held || this.#flowing || this.#pinned || waits) && !this.#closed;
    if (alive === this.#alive) return;
    this.#alive = alive;
    keepAlive(this, alive);
  }

  /** Of an operation: with others, if the connection ends in the same batch; otherwise its own. */
  #failureOf(failure: NativeFailure): Error {
    return batchHas(this.id, EventKind.Failed) ? this.#suspect(failure) : this.#toError(failure);
  }

  /** Who could not answer is the reason, and not the refusal that came of it. */
  #toError(failure: NativeFailure): Error {
    const refusal = this.#refusal;
    if (refusal !== undefined && failure.question === refusal.question) return withAlert(refusal.error, failure);
    const error = toError(failure, this.description);
    if (this.#question === undefined || failure.question !== this.#question.id) return error;
    return withAlert(answerRefused(this.#question.kind, this.description, error), failure);
  }

  /** The end of a connection takes many operations with it, and is still one failure: they all get the same Error. */
  #suspect(failure: NativeFailure): Error {
    const key = JSON.stringify(failure);
    const known = this.#suspected;
    if (known?.key === key && !isMisuse(known.error)) return known.error;
    const error = this.#toError(failure);
    const cause = this.transportError;
    if (cause !== null && error.cause === undefined) error.cause = cause;
    this.#suspected = { key, error };
    return error;
  }
}

/** Refusals of OpenSSL's that leave the connection as it was. */
const misuses: ReadonlySet<unknown> = new Set([
  'ERR_SSL_BAD_WRITE_RETRY',
  'ERR_SSL_DTLS_MESSAGE_TOO_BIG',
  'ERR_SSL_EXTENSION_NOT_RECEIVED',
  'ERR_SSL_INVALID_KEY_UPDATE_TYPE',
  'ERR_SSL_NOT_SERVER',
  'ERR_SSL_PROTOCOL_IS_SHUTDOWN',
  'ERR_SSL_SHUTDOWN_WHILE_IN_INIT',
  'ERR_SSL_STILL_IN_INIT',
  'ERR_SSL_WRONG_SSL_VERSION',
  'ERR_TLS_DTLS',
  'ERR_TLS_KTLS',
]);

/** Is it a refusal that leaves the connection as it was? */
export const isMisuse = (error: Error): boolean => misuses.has((error as NodeJS.ErrnoException).code);

/**
 * Native code on another thread leaves it to us to fill the target.
 *
 * @returns why bytes are lost, which nothing may be read behind; null: they are not
 */
function readEnds(pending: Pending | undefined, bytes: Uint8Array, offset: number, length: number): Error | null {
  if (pending === undefined) return null;
  const { target } = pending;
  if (target !== undefined && target.length < length) {
    const lost = detachedTarget();
    pending.failed(lost);
    return lost;
  }
  if (target === undefined) {
    pending.done(copyBytes(bytes, offset, length));
  } else {
    target.set(bytes.subarray(offset, offset + length));
    pending.done(length);
  }
  return null;
}
