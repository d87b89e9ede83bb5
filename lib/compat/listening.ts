// Where a server of node's class listens, native code of ours does, on the descriptor that node's handle has bound: for servers
// on TCP whose context is ours. A worker of a cluster that gets its connections from the primary listens on no descriptor.
import { debug } from '../base/debug.ts';
import { AcceptedConnections, type ListeningHandle } from './accepted-connections.ts';
import { nodeHandles } from './node-handles.ts';
import type { AnyServer } from './node-tls.ts';
import { contextOf } from './secure-context.ts';

type Methods = Required<Pick<ListeningHandle, 'listen' | 'close' | 'ref' | 'unref'>>;

/** Those that listen on a handle now: of its last owner, which need not be the one that made it. */
const listening = new WeakMap<ListeningHandle, AcceptedConnections>();

function stop(handle: ListeningHandle): void {
  listening.get(handle)?.close();
  listening.delete(handle);
}

/** Undefined: a server of node's own has taken the handle, or of a context of node's own. */
function ownerOf(handle: ListeningHandle): AnyServer | undefined {
  const owner = (handle as unknown as Record<symbol, AnyServer | undefined>)[nodeHandles().owner];
  return owner !== undefined && contextOf(owner['_sharedCreds']) !== undefined ? owner : undefined;
}

/** 0, or libuv's number of an error. */
function listen(handle: ListeningHandle, backlog: number, nodes: Methods): number {
  stop(handle);
  const server = ownerOf(handle);
  if (server === undefined) return nodes.listen.call(handle, backlog);
  // bind(2) of libuv keeps EADDRINUSE to itself until somebody asks.
  const error = handle.getsockname({});
  if (error !== 0) return error;
  const accepted = new AcceptedConnections(server, handle);
  try {
    accepted.listen(backlog);
  } catch (error) {
    accepted.close();
    // Such as a pool that is closed: each connection fails then, and says why.
    debug('node accepts for a server of system-tls/tls: %s', error);
    return nodes.listen.call(handle, backlog);
  }
  listening.set(handle, accepted);
  return 0;
}

const taken = new WeakSet<object>();

/** Methods of the handle that say where connections arrive. Those that it had may be cluster's, which tell the primary. */
function takeOver(handle: ListeningHandle): void {
  if (taken.has(handle)) return;
  taken.add(handle);
  const { listen: listenByNode, close, ref, unref } = handle as ListeningHandle & Methods;
  const nodes: Methods = { listen: listenByNode, close, ref, unref };
  const methods: Methods = {
    listen: backlog => listen(handle, backlog, nodes),
    close(done) {
      stop(handle);
      nodes.close.call(handle, done);
    },
    ref() {
      listening.get(handle)?.ref();
      nodes.ref.call(handle);
    },
    unref() {
      listening.get(handle)?.unref();
      nodes.unref.call(handle);
    },
  };
  Object.assign(handle, methods);
}

function take(handle: unknown): void {
  if (handle instanceof nodeHandles().TCP) takeOver(handle as ListeningHandle);
}

function put(server: AnyServer, handle: unknown): void {
  Object.defineProperty(server, '_handle', { value: handle, writable: true, configurable: true, enumerable: true });
}

/** Calls `listen` of node's, which makes the server's handle, unless it has one, and listens at once. */
export function listenNatively(server: AnyServer, listen: () => unknown): unknown {
  const before = server['_handle'];
  if (before !== null) {
    take(before);
    return listen();
  }
  let made: unknown = null;
  Object.defineProperty(server, '_handle', {
    configurable: true,
    enumerable: true,
    get: () => made,
    set: (handle: unknown) => {
      made = handle;
      if (handle !== null) take(handle);
    },
  });
  try {
    return listen();
  } finally {
    put(server, made);
  }
}
