// The handle of a socket that node makes for an accepted connection: node asks for it by _wrapHandle(), within the call that makes the socket.
import type { AcceptedSocket } from './accepted-socket.ts';
import { Handle } from './handle.ts';
import type { AnySocket } from './node-tls.ts';
import { type Context, contextOf } from './secure-context.ts';

export interface Accepted {
  readonly parent: AcceptedSocket;
  readonly secureContext: Handle['_secureContext'];
}

interface Made {
  readonly from: Accepted;
  handle: Handle | undefined;
}

let current: Made | undefined;

/** Calls `make`, in which node asks for one handle; gives that handle. */
export function socketOver(from: Accepted, make: () => void): Handle {
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
export function handleOfAccepted(socket: AnySocket): Handle | undefined {
  if (current === undefined || current.handle !== undefined) return undefined;
  const { parent, secureContext } = current.from;
  current.handle = new Handle(socket, parent, null, secureContext, contextOf(secureContext) as Context, true);
  return current.handle;
}
