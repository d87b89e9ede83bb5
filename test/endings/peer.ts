// A peer: its TLS and its end of the transport, and what it does last.
import { deferred } from '../support/wait.ts';
import type { Case, PeerEnd } from './axes.ts';
import { type Engine, makeEngine } from './engine.ts';
import type { Wire } from './wire.ts';

/** A record of TLS without encryption, as in the middle of a handshake. */
const plainCloseNotify = Buffer.from([21, 3, 3, 0, 2, 1, 0]);

const saysGoodbye: ReadonlySet<PeerEnd> = new Set(['close', 'unread', 'close-rst', 'half']);

export class Peer {
  readonly engine: Engine;
  readonly wire: Wire;
  readonly #case: Case;
  /** Records that are not on the wire yet. */
  #withheld: Buffer[] = [];
  /** Bytes of ours that the engine has not seen. */
  #held: Buffer[] = [];
  #withholds = false;
  #holds = false;
  #flights = 0;
  #sentLast = false;
  #reach: ((flight: number) => void) | undefined;
  readonly #spoke = deferred<void>();
  /** Bytes that the transport was given. */
  sent = 0;
  /** Whether its close_notify was sent whole. */
  saidGoodbye = false;

  constructor(each: Case, wire: Wire, own: boolean) {
    this.#case = each;
    this.wire = wire;
    // A client speaks as soon as it is made.
    this.#withholds = each.at === 'handshake';
    this.engine = makeEngine(each, bytes => this.#output(bytes), own);
    wire.listen(bytes => this.#input(bytes));
  }

  #output(bytes: Buffer): void {
    this.#sentLast = true;
    this.#spoke.resolve();
    if (this.#withholds) this.#withheld.push(bytes);
    else void this.#send(bytes);
  }

  #send(bytes: Buffer): Promise<void> {
    this.sent += bytes.length;
    return this.wire.write(bytes);
  }

  /** Resolves when the engine has said its first word. */
  get spoke(): Promise<void> {
    return this.#spoke.promise;
  }

  /** A flight of ours is what comes after something of the peer's. The client's first one has nothing before it. */
  #input(bytes: Buffer): void {
    if (this.#sentLast || this.#flights === 0) {
      this.#flights++;
      this.#reach?.(this.#flights);
    }
    this.#sentLast = false;
    if (this.#holds) this.#held.push(bytes);
    else this.engine.feed(bytes);
  }

  /** Before the engine sees the first byte of that flight of ours, counted from 1. */
  onFlight(wanted: number, act: () => void): void {
    this.#reach = flight => {
      if (flight === wanted) act();
    };
  }

  /** The engine sees nothing more of ours; `unread`: nor does the peer's program take it from the transport. */
  hold(): void {
    this.#holds = true;
    if (this.#case.peer === 'unread') this.wire.stopReading();
  }

  release(): void {
    this.#holds = false;
    for (const bytes of this.#held.splice(0)) this.engine.feed(bytes);
  }

  /** What the engine says is kept back, until it is sent in one piece. */
  withhold(): void {
    this.#withholds = true;
  }

  /** All at once; `part` of it only. */
  async flush(part = 1): Promise<void> {
    this.#withholds = false;
    const bytes = Buffer.concat(this.#withheld.splice(0));
    const cut = bytes.subarray(0, Math.floor(bytes.length * part));
    if (cut.length > 0) await this.#send(cut);
  }

  /** The last data and what belongs to the end, in one piece as far as the engine makes it one. */
  async sayLast(data: Buffer): Promise<void> {
    this.withhold();
    if (data.length > 0) await this.engine.write(data);
    if (saysGoodbye.has(this.#case.peer)) {
      await this.engine.closeNotify();
      this.saidGoodbye = true;
    }
    await this.#end(this.flush());
  }

  /** In the middle of a handshake, where the engine cannot say goodbye. */
  async breakOff(plain: boolean): Promise<void> {
    const goodbye = plain && saysGoodbye.has(this.#case.peer);
    await this.#end(goodbye ? this.#send(plainCloseNotify) : Promise.resolve());
  }

  /** RST right behind the bytes: the kernel has them, and so has ours. */
  async #end(sent: Promise<void>): Promise<void> {
    switch (this.#case.peer) {
      case 'close':
      case 'fin':
      case 'unread':
        await sent;
        return this.wire.close();
      case 'rst':
      case 'close-rst':
        await sent;
        return this.wire.reset();
      case 'half':
      case 'half-fin':
        await sent;
        this.wire.finish();
        return this.release();
      case 'silent':
        return sent;
    }
  }

  destroy(): void {
    this.wire.close();
    this.engine.destroy();
  }
}
