// A stream of node's C++ that JavaScript drives (JSStream), for http2: its C++ takes the handle of a socket, and reads and
// writes it without JavaScript. Node makes such a handle for a TLS socket over a stream of JavaScript, which is where the class
// comes from.
import { Duplex } from 'node:stream';
import type { WriteCallback } from '../stream/write-turns.ts';
import { throwLater } from '../transport/dispatch.ts';
import { HandleFacts } from './facts.ts';
import { Handle, type ShutdownRequest } from './handle.ts';
import { NodeHandle } from './node-handle.ts';
import { type AnySocket, nodeTls } from './node-tls.ts';
import { createByNode } from './secure-context.ts';

interface JsStream {
  readBuffer(data: Uint8Array): void;
  emitEOF(): void;
  finishWrite(request: object, status: number): void;
  finishShutdown(request: object, status: number): void;
}
type JsStreamClass = new () => JsStream;

const canceled = -125;

let streamClass: JsStreamClass | undefined;

function jsStreamClass(): JsStreamClass {
  if (streamClass !== undefined) return streamClass;
  const duplex = new Duplex({ read() {}, write: (_chunk, _encoding, callback) => callback() });
  const socket = new nodeTls.TLSSocket(duplex, { secureContext: createByNode() }).on('error', () => {});
  const { _parent } = (socket as unknown as AnySocket)['_handle'] as { _parent: object };
  streamClass = _parent.constructor as JsStreamClass;
  socket.destroy();
  return streamClass;
}

/** The handle of ours under a stream. */
const ours = Symbol('handle');

export function handleUnder(handle: unknown): Handle | undefined {
  if (handle instanceof Handle) return handle;
  return typeof handle === 'object' && handle !== null ? (handle as { [ours]?: Handle })[ours] : undefined;
}

/** What node's own class does: data, and its counters. */
const itsOwn: ReadonlySet<string> = new Set([
  'constructor',
  'readStart',
  'readStop',
  'shutdown',
  'useUserBuffer',
  'write',
  'fd',
  'isStreamBase',
  'bytesRead',
  'bytesWritten',
]);

let prototype: object | undefined;

/** All else is asked of the handle. */
function streamPrototype(): object {
  if (prototype !== undefined) return prototype;
  const made = Object.create(jsStreamClass().prototype as object) as object;
  const named = [NodeHandle, HandleFacts, Handle]
    .map(({ prototype }) => prototype)
    .flatMap(each => Object.entries(Object.getOwnPropertyDescriptors(each)));
  for (const [name, { value }] of named) {
    if (itsOwn.has(name) || typeof value !== 'function') continue;
    Object.defineProperty(made, name, {
      configurable: true,
      value(this: { [ours]: Handle }, ...args: unknown[]): unknown {
        const handle = this[ours] as unknown as Record<string, (...args: unknown[]) => unknown>;
        return handle[name]?.(...args);
      },
    });
  }
  prototype = made;
  return made;
}

/** Writes of C++'s, and the word that they are over. */
class Writes {
  readonly #stream: JsStream;
  readonly #handle: Handle;
  /** Whoever hears that one is over may write the next; told inside of that, C++ would read one piece of data twice. */
  #telling = false;

  constructor(stream: JsStream, handle: Handle) {
    this.#stream = stream;
    this.#handle = handle;
  }

  /**
   * Most are taken at once, and told before this returns: a write that is under way makes http2 stop reading until then.
   * C++ keeps the request alive as long as it uses it.
   */
  write(request: object, buffers: readonly Buffer[]): void {
    let under = true;
    let taken = false;
    const done: WriteCallback = error => {
      if (under && !error && !this.#telling) taken = true;
      else setImmediate(() => this.#tell(request, error ? canceled : 0));
    };
    this.#handle.write(
      buffers.map(chunk => ({ chunk, encoding: 'latin1' })),
      done,
    );
    under = false;
    if (taken) this.#tellAtOnce(request);
  }

  /** A callback of a user's that throws must not make C++ take the write for one that failed, which ends the process. */
  #tellAtOnce(request: object): void {
    try {
      this.#tell(request, 0);
    } catch (error) {
      throwLater(error);
    }
  }

  #tell(request: object, status: number): void {
    this.#telling = true;
    try {
      this.#stream.finishWrite(request, status);
    } finally {
      this.#telling = false;
    }
  }
}

/** Puts such a stream in the place of the handle; gives who is to hear of data. */
export function streamOver(handle: Handle, owner: symbol): JsStream {
  const stream = new (jsStreamClass())();
  const writes = new Writes(stream, handle);
  Object.setPrototypeOf(stream, streamPrototype());
  Object.assign(stream, {
    [ours]: handle,
    [owner]: handle.socket,
    onread: handle.onread,
    reading: handle.reading,
    _parent: handle._parent,
    _parentWrap: handle._parentWrap,
    _secureContext: handle._secureContext,
    isClosing: () => handle.socket.destroyed,
    onreadstart: () => handle.readStart(),
    onreadstop: () => handle.readStop(),
    onshutdown: (request: object) => {
      const told: ShutdownRequest = { oncomplete: status => stream.finishShutdown(request, status) };
      return handle.shutdown(told) === 0 ? 0 : canceled;
    },
    onwrite: (request: object, buffers: readonly Buffer[]) => {
      writes.write(request, buffers);
      return 0;
    },
  });
  return stream;
}
