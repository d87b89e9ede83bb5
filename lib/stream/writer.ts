// What a stream over a connection does with bytes that go out.
import { AsyncResource } from 'node:async_hooks';
import type { FileHandle } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import type { NativeConnection, NativeFile, Status as StatusType } from '../../types/binding.d.ts';
import { closedError, timeoutError, tlsError } from '../base/coded-error.ts';
import { Deadline } from '../base/deadline.ts';
import type { SendFileOptions } from '../connection/options.ts';
import { checkFilePart, type FilePart, openFile, sendFilePart } from '../connection/send-file.ts';
import { Hold } from '../native/constants.ts';
import { sendAtEndOfTurn } from '../transport/held-writes.ts';
import type { Connection, Pending } from '../transport/native-connection.ts';
import { bytesOf, type Piece } from './pieces.ts';
import { type Group, lengthOf, WriteGroups } from './write-groups.ts';
import { type WriteCallback, WriteTurns } from './write-turns.ts';

function startWrite(native: NativeConnection, op: number, group: Group, more: boolean): StatusType {
  const hold = more ? Hold.Always : Hold.Later;
  return typeof group === 'number' ? native.writeGathered(op, group, hold) : native.write(op, group, hold);
}

/** What it needs of the stream, and of those who watch over it. */
export interface WriterOwner {
  readonly connection: Connection;
  readonly stream: Pick<Duplex, 'write' | 'once' | 'destroy' | 'destroyed' | 'writableEnded'>;
  /** Something was handed to the connection, or taken by it: for owners with a timer of their own. */
  touch(): void;
  writeFailed(error: Error, callback: WriteCallback): void;
}

/** Callbacks of a write run where it was called, as far as AsyncLocalStorage is concerned, and not where its end was heard. */
class WriteScope extends AsyncResource {
  constructor() {
    super('SYSTEMTLSWRITE');
  }
}

/** `_write`, `_writev` and `_final` of a stream, and files in the order of its writes. */
export class Writer {
  readonly #owner: WriterOwner;
  /** Created lazily. */
  #turns: WriteTurns | undefined;
  #bytesWritten = 0;
  #handedOver = 0;

  constructor(owner: WriterOwner) {
    this.#owner = owner;
  }

  /** Clear bytes that the connection has taken. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  /** Clear bytes that the stream has given away, whether or not they were taken. */
  get handedOver(): number {
    return this.#handedOver;
  }

  write(chunk: Buffer | string, encoding: BufferEncoding, callback: WriteCallback): void {
    // SSL_write takes a length of 0 for an error; and it may mark a place in the order of writes.
    if (typeof chunk === 'string' || chunk.length === 0) this.writev([{ chunk, encoding }], callback);
    else {
      this.#handedOver += chunk.length;
      this.#sendGroup(chunk, callback);
    }
  }

  /** The common case, an answer that is taken at once, costs no allocation here. */
  #sendGroup(group: Group, callback: WriteCallback, more = false): void {
    const { connection } = this.#owner;
    const { native } = connection;
    const op = connection.nextOp();
    let done: boolean;
    try {
      connection.assertAlive();
      done = connection.started(startWrite(native, op, group, more));
      sendAtEndOfTurn();
    } catch (error) {
      this.#owner.writeFailed(error as Error, callback);
      return;
    }
    if (done) this.#written(lengthOf(group), callback);
    else this.#expectWrite(op, group, callback);
  }

  /** The pending operation holds `group`, which native code reads from. */
  #expectWrite(op: number, group: Group, callback: WriteCallback): void {
    const owner = this.#owner;
    owner.touch();
    const scope = new WriteScope();
    owner.connection.expect(op, {
      done: () => scope.runInAsyncScope(this.#written, this, lengthOf(group), callback),
      failed: error => scope.runInAsyncScope(owner.writeFailed, owner, error, callback),
    });
  }

  #written(length: number, callback: WriteCallback): void {
    this.#noteWritten(length);
    callback();
  }

  #noteWritten(length: number): void {
    this.#bytesWritten += length;
    this.#owner.touch();
  }

  writev(pieces: readonly Piece[], callback: WriteCallback): void {
    this.#handedOver += bytesOf(pieces);
    if (this.#turns === undefined) this.#send(pieces, callback);
    else this.#turns.send(pieces, (part, done) => this.#send(part, done), callback);
  }

  /** See {@link TlsSocket.sendFile}. */
  async sendFile(file: FileHandle | number, options?: SendFileOptions): Promise<number> {
    const { connection, stream } = this.#owner;
    const part = checkFilePart(file, options);
    const { signal, timeout } = part.limits;
    if (stream.destroyed) throw closedError(connection.description);
    if (stream.writableEnded) throw tlsError('ERR_STREAM_WRITE_AFTER_END', 'sendFile() was called after end()');
    const opened = openFile(part);
    const deadline = new Deadline(timeout, signal);
    try {
      return await this.#sendFile(opened, part, deadline.signal);
    } catch (error) {
      throw deadline.expired ? timeoutError(`sendFile of ${connection.description}`, timeout ?? 0) : error;
    } finally {
      deadline.clear();
      opened.close();
    }
  }

  async #sendFile(file: NativeFile, part: FilePart, signal: AbortSignal): Promise<number> {
    const { connection, stream } = this.#owner;
    this.#turns ??= new WriteTurns();
    const done = await this.#turns.take((marker, callback) => void stream.write(marker, callback), signal);
    try {
      const sent = await sendFilePart(connection, file, { ...part, limits: { signal, timeout: undefined } });
      this.#handedOver += sent;
      this.#noteWritten(sent);
      return sent;
    } finally {
      done();
    }
  }

  #send(pieces: readonly Piece[], callback: WriteCallback): void {
    const groups = new WriteGroups(pieces);
    const first = groups.next();
    if (first === undefined) {
      callback();
      return;
    }
    if (!groups.more) this.#sendGroup(first, callback);
    else this.#sendGroup(first, error => (error ? callback(error) : this.#sendGroups(groups, callback)), true);
  }

  /** One after the other: what is gathered is a copy, and a backlog may be large. */
  #sendGroups(groups: WriteGroups, callback: WriteCallback): void {
    // Most groups are taken at once: a loop, where callbacks that each start the next group would nest without bound.
    let looping = false;
    let goOn = false;
    const taken = (error?: Error | null): void => {
      goOn = !error;
      if (error) callback(error);
      else if (!looping) loop();
    };
    const loop = (): void => {
      looping = true;
      do {
        goOn = false;
        const group = groups.next();
        if (group === undefined) callback();
        else this.#sendGroup(group, taken, groups.more);
      } while (goOn);
      looping = false;
    };
    loop();
  }

  /** Says goodbye. */
  final(callback: WriteCallback): void {
    const { connection } = this.#owner;
    // Nobody is left to say goodbye to.
    if (connection.closed || connection.error !== null) callback();
    else {
      this.#run(
        error => this.#saidGoodbye(error, callback),
        op => connection.native.shutdown(op, false),
      );
    }
  }

  /** Before the handshake is complete there is no goodbye (SSL_shutdown(3)), and nothing was said that would need one. */
  #saidGoodbye(error: Error | null, callback: WriteCallback): void {
    const { stream } = this.#owner;
    const early = (error as NodeJS.ErrnoException | null)?.code === 'ERR_SSL_SHUTDOWN_WHILE_IN_INIT';
    if (early) stream.once('finish', () => stream.destroy());
    if (early || error === null) callback();
    else this.#owner.writeFailed(error, callback);
  }

  /** An operation without a promise, since there is one for each write. */
  #run(ended: (error: Error | null) => void, start: (op: number) => 0 | 1 | 2): void {
    const { connection } = this.#owner;
    const op = connection.nextOp();
    try {
      connection.assertAlive();
      if (connection.started(start(op))) ended(null);
      else this.#expectEnd(op, start, ended);
    } catch (error) {
      ended(error as Error);
    }
  }

  /** `start` holds the data, and the pending operation holds `start`. */
  #expectEnd(op: number, start: unknown, ended: (error: Error | null) => void): void {
    const scope = new WriteScope();
    const pending: Pending & { start: unknown } = {
      start,
      done: () => scope.runInAsyncScope(ended, null, null),
      failed: error => scope.runInAsyncScope(ended, null, error),
    };
    this.#owner.connection.expect(op, pending);
  }
}
