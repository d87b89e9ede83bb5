// node's own handles of sockets, which it gives nobody: found out of sockets of its own that nobody connects.
import type { ParentHandle } from './handle.ts';
import { type AnySocket, nodeTls } from './node-tls.ts';
import { createByNode } from './secure-context.ts';

export type HandleClass = new (type: number) => ParentHandle;

/** node's classes TCP and Pipe, and the symbol by which a handle of theirs finds its socket. */
interface NodeHandles {
  readonly TCP: HandleClass;
  readonly Pipe: HandleClass;
  readonly owner: symbol;
}

/** TCP.SOCKET and Pipe.SOCKET of node's. */
export const socketType = 0;

let found: NodeHandles | undefined;

export function nodeHandles(): NodeHandles {
  if (found !== undefined) return found;
  const parents = [false, true].map(pipe => {
    const socket = new nodeTls.TLSSocket(undefined as never, { pipe, secureContext: createByNode() } as never);
    const parent = (socket as unknown as AnySocket)['_handle'] as { _parent: ParentHandle };
    socket.destroy();
    return parent._parent;
  });
  const [tcp, pipe] = parents as [ParentHandle, ParentHandle];
  const owner = Object.getOwnPropertySymbols(tcp).find(({ description }) => description === 'owner_symbol');
  if (owner === undefined) throw new Error(`node ${process.version} keeps the owner of a handle somewhere else`);
  found = { TCP: tcp.constructor as HandleClass, Pipe: pipe.constructor as HandleClass, owner };
  return found;
}

/** For a socket that connects later. */
export function unconnected(socket: AnySocket, pipe: boolean): ParentHandle {
  const { TCP, Pipe, owner } = nodeHandles();
  const handle = pipe ? new Pipe(socketType) : new TCP(socketType);
  Object.assign(handle, { [owner]: socket });
  return handle;
}
