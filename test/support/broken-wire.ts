// A TCP connection that leads through us, and breaks at the byte where it is told to.
import { once } from 'node:events';
import net from 'node:net';

export const directions = ['toServer', 'toClient'] as const;
export type Direction = (typeof directions)[number];

export interface Break {
  readonly direction: Direction;
  /** So many more bytes go in that direction. */
  readonly after: number;
  /** What both sides see then, on TCP. */
  readonly how: 'reset' | 'end';
}

const other = (direction: Direction): Direction => (direction === 'toServer' ? 'toClient' : 'toServer');

export class BrokenWire {
  readonly carried = { toServer: 0, toClient: 0 };
  /** Where the client connects to, once. */
  readonly port: number;
  /** Resolves when both halves are closed. */
  readonly closed: Promise<void>;
  readonly #listener: net.Server;
  /** By the direction of the bytes that are written to them. */
  readonly #halves: Partial<Record<Direction, net.Socket>> = {};
  readonly #stalled = new Set<Direction>();
  #left = { toServer: Number.POSITIVE_INFINITY, toClient: Number.POSITIVE_INFINITY };
  #how: Break['how'] = 'reset';
  #broken = false;

  private constructor(listener: net.Server, target: number) {
    this.#listener = listener;
    this.port = (listener.address() as net.AddressInfo).port;
    this.closed = this.#carry(target);
    this.closed.catch(() => {});
    open.add(this);
  }

  static async open(target: number): Promise<BrokenWire> {
    const listener = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return new BrokenWire(listener, target);
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** Counted from now on. */
  breakAt({ direction, after, how }: Break): void {
    this.#left = { toServer: Number.POSITIVE_INFINITY, toClient: Number.POSITIVE_INFINITY };
    this.#left[direction] = after;
    this.#how = how;
  }

  /** Nothing more is read of what goes there: a peer that is alive, and does not read. */
  stall(direction: Direction): void {
    this.#stalled.add(direction);
    this.#halves[other(direction)]?.pause();
  }

  break(how: Break['how']): void {
    this.#broken = true;
    this.#stalled.clear();
    for (const half of Object.values(this.#halves)) {
      if (how === 'reset') half.resetAndDestroy();
      // Whatever still comes is dropped.
      else half.end().resume();
    }
  }

  close(): void {
    this.#listener.close();
    for (const half of Object.values(this.#halves)) half.destroy();
  }

  async #carry(target: number): Promise<void> {
    const [near] = (await once(this.#listener, 'connection')) as [net.Socket];
    this.#listener.close();
    const far = net.connect({ port: target, host: '127.0.0.1', allowHalfOpen: true });
    this.#halves.toClient = near;
    this.#halves.toServer = far;
    const closed = [near, far].map(half => new Promise(resolve => half.once('close', resolve)));
    this.#join(near, far, 'toServer');
    this.#join(far, near, 'toClient');
    far.once('connect', () => {
      if (!this.#stalled.has('toServer')) near.resume();
    });
    await Promise.all(closed);
    open.delete(this);
  }

  #join(from: net.Socket, to: net.Socket, direction: Direction): void {
    from.on('data', chunk => this.#forward(chunk, from, to, direction));
    from.on('end', () => to.end());
    from.on('error', () => to.resetAndDestroy());
    to.on('drain', () => {
      if (!this.#stalled.has(direction)) from.resume();
    });
  }

  #forward(chunk: Buffer, from: net.Socket, to: net.Socket, direction: Direction): void {
    if (this.#broken) return;
    const part = chunk.subarray(0, this.#left[direction]);
    this.carried[direction] += part.length;
    this.#left[direction] -= part.length;
    if (part.length > 0 && !to.write(part)) from.pause();
    if (this.#left[direction] === 0) this.break(this.#how);
  }
}

const open = new Set<BrokenWire>();

afterEach('closes wires', () => {
  for (const wire of open) wire.close();
  open.clear();
});
