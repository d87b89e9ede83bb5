// Where a server of node's class listens, native code of ours does, on the descriptor that node's handle has bound: for servers
// on TCP whose context is ours. A worker of a cluster that gets its connections from the primary listens on no descriptor.
import { Arrivals, type ListeningHandle } from './arrivals.ts';
import { nodeHandles } from './node-handles.ts';
import type { AnyServer } from './node-tls.ts';

/** Methods of the handle that say where connections arrive. */
function takeOver(server: AnyServer, handle: ListeningHandle): void {
  const nodes = Object.getPrototypeOf(handle) as Required<ListeningHandle>;
  let arrivals: Arrivals | undefined;
  const methods: Pick<ListeningHandle, 'listen' | 'close' | 'ref' | 'unref'> = {
    listen(backlog) {
      // bind(2) of libuv keeps EADDRINUSE to itself until somebody asks.
      const error = handle.getsockname({});
      if (error !== 0) return error;
      const made = new Arrivals(server, handle);
      try {
        made.listen(backlog);
      } catch {
        made.close();
        return nodes.listen.call(handle, backlog);
      }
      arrivals = made;
      return 0;
    },
    close(done) {
      arrivals?.close();
      nodes.close.call(handle, done);
    },
    ref() {
      arrivals?.ref();
      nodes.ref.call(handle);
    },
    unref() {
      arrivals?.unref();
      nodes.unref.call(handle);
    },
  };
  Object.assign(handle, methods);
}

function take(server: AnyServer, handle: unknown): void {
  if (handle instanceof nodeHandles().TCP) takeOver(server, handle as ListeningHandle);
}

function put(server: AnyServer, handle: unknown): void {
  Object.defineProperty(server, '_handle', { value: handle, writable: true, configurable: true, enumerable: true });
}

/** Calls `listen` of node's, which makes the server's handle, unless it has one, and listens at once. */
export function listenNatively(server: AnyServer, listen: () => unknown): unknown {
  const before = server['_handle'];
  if (before !== null) {
    take(server, before);
    return listen();
  }
  let made: unknown = null;
  Object.defineProperty(server, '_handle', {
    configurable: true,
    enumerable: true,
    get: () => made,
    set: (handle: unknown) => {
      made = handle;
      if (handle !== null) take(server, handle);
    },
  });
  try {
    return listen();
  } finally {
    put(server, made);
  }
}
