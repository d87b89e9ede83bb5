// A connected TCP or Unix socket, as a descriptor. node:net does the work: DNS, happy eyeballs, local addresses.
import { type NetConnectOpts, connect as netConnect, Socket } from 'node:net';
import { abortError, tlsError } from '../base/coded-error.ts';

/** What the descriptor of a net.Socket can be read from; there is no public way. */
interface WithHandle {
  readonly _handle?: { readonly fd?: number } | null;
}

export function descriptorOf(socket: Socket): number | undefined {
  const fd = (socket as unknown as WithHandle)._handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}

/** Whether nothing was read or written yet, so that the bytes of the connection are still all in the kernel. */
export function isFresh(socket: Socket): boolean {
  return (
    Object.getPrototypeOf(socket) === Socket.prototype &&
    !socket.destroyed &&
    socket.bytesRead === 0 &&
    socket.bytesWritten === 0 &&
    socket.writableLength === 0 &&
    !socket.readableEnded
  );
}

/**
 * Duplicates the descriptor of a connected socket through `take`, and destroys the socket, before it can read: two
 * owners of one connection would take bytes from each other.
 */
export function takeOver(socket: Socket, take: (fd: number) => void): void {
  const fd = descriptorOf(socket);
  try {
    if (fd === undefined)
      throw tlsError('ERR_TLS_NO_DESCRIPTOR', 'the socket has no descriptor that could be taken over');
    take(fd);
  } finally {
    socket.destroy();
  }
}

/** Resolves when `take` has got the descriptor. */
export async function connectTcp(
  options: NetConnectOpts,
  signal: AbortSignal | undefined,
  take: (fd: number) => void,
): Promise<void> {
  const socket = netConnect(options);
  // Else node would begin to read in the same turn.
  socket.pause();
  await whenConnected(socket, signal, take);
}

/** For a socket that is connecting, or is connected already. */
export function whenConnected(
  socket: Socket,
  signal: AbortSignal | undefined,
  take: (fd: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error: Error | null): void => {
      signal?.removeEventListener('abort', onAbort);
      socket.removeListener('connect', onConnect).removeListener('error', settle).removeListener('close', onClose);
      // What a socket that nobody wants any more has to say.
      socket.on('error', () => undefined);
      if (error === null) resolve();
      else {
        socket.destroy();
        reject(error);
      }
    };
    const onClose = (): void => settle(tlsError('ERR_TLS_CLOSED', 'the socket was closed before it was connected'));
    const onAbort = (): void => settle(abortError(signal as AbortSignal));
    const onConnect = (): void => {
      try {
        takeOver(socket, take);
        settle(null);
      } catch (error) {
        settle(error as Error);
      }
    };
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.on('error', settle).on('close', onClose);
    if (socket.connecting) socket.once('connect', onConnect);
    else onConnect();
  });
}
