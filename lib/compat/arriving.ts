// Node makes a socket for a connection that native code has accepted: what its handle is to be made of, as long as that takes.
import type { AcceptedSocket } from './accepted-socket.ts';
import { Handle } from './handle.ts';
import type { AnySocket } from './node-tls.ts';
import { type Context, contextOf } from './secure-context.ts';

export interface Arriving {
  readonly parent: AcceptedSocket;
  readonly secureContext: Handle['_secureContext'];
}

interface Made {
  readonly from: Arriving;
  handle: Handle | undefined;
}

let current: Made | undefined;

/** Calls `make`, in which node asks for one handle; gives that handle. */
export function arrive(from: Arriving, make: () => void): Handle {
  const made: Made = { from, handle: undefined };
  current = made;
  try {
    make();
  } finally {
    current = undefined;
  }
  if (made.handle === undefined) throw new Error(`node ${process.version} makes no TLSSocket for a connection`);
  return made.handle;
}

/** Undefined: node makes the socket for something else. */
export function handleArriving(socket: AnySocket): Handle | undefined {
  if (current === undefined || current.handle !== undefined) return undefined;
  const { parent, secureContext } = current.from;
  current.handle = new Handle(socket, parent, null, secureContext, contextOf(secureContext) as Context, true);
  return current.handle;
}
