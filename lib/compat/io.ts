// Where connections live: the option `io` of a socket, its server or its agent, else SYSTEM_TLS_IO_THREADS in the environment.
import { invalidArgType } from '../base/coded-error.ts';
import { type IoOption, IoPool } from '../connection/io-pool.ts';
import { threadsByEnvironment } from '../connection/threads-by-environment.ts';
import { type AnySocket, symbolNamed } from './node-tls.ts';

export type { IoOption };

/** What the option `io` is added to. */
export interface WithIo {
  /**
   * Where the connection lives: on threads of this pool; true: of `IoPool.shared`; false: on the loop. Default: the shared
   * one if SYSTEM_TLS_IO_THREADS is set. What goes over a stream of JavaScript lives on the loop in any case.
   */
  readonly io?: IoOption;
}

/** Looked at when this is imported: what is wrong with it is said before anything connects. */
const onThreads = threadsByEnvironment() !== undefined;

/** A closed pool passes: only the connection that comes to it fails. */
export function checkedIo({ io }: { readonly io?: unknown }): IoOption {
  if (io === undefined || io === null || typeof io === 'boolean' || io instanceof IoPool) return io;
  throw invalidArgType('options.io', 'an IoPool, true or false', io);
}

const ofServers = new WeakMap<object, IoOption>();

/** For the sockets that it accepts from now on; without the option it keeps what it has. */
export function keepIo(server: object, options: object): void {
  if ('io' in options) ofServers.set(server, checkedIo(options));
}

let connectOptions: symbol | undefined;

/** Options of tls.connect(), of which node hands some on to the socket. */
function optionsOfConnect(socket: AnySocket): { readonly io?: unknown } {
  connectOptions ??= symbolNamed(socket, 'connect-options');
  const options = connectOptions === undefined ? undefined : socket[connectOptions];
  return (options as { readonly io?: unknown } | undefined) ?? {};
}

function ioOf(socket: AnySocket): IoOption {
  const { io, isServer, server } = socket['_tlsOptions'] as { io?: IoOption; isServer?: boolean; server?: object };
  if (io !== undefined && io !== null) return io;
  if (!isServer) return checkedIo(optionsOfConnect(socket));
  return server === undefined ? undefined : ofServers.get(server);
}

function placeOf(io: IoOption): IoPool | undefined {
  const place = io ?? onThreads;
  if (typeof place !== 'boolean') return place;
  return place ? IoPool.shared : undefined;
}

/** For what a server accepts now. */
export function poolOfServer(server: object): IoPool | undefined {
  return placeOf(ofServers.get(server));
}

/** Undefined: the socket lives on the loop. */
export function poolOf(socket: AnySocket): IoPool | undefined {
  return placeOf(ioOf(socket));
}

/** Of pools, for names. */
const numbers = new WeakMap<IoPool, number>();
let count = 0;

/** What an agent adds to the name under which it keeps sockets: a request gets none that lives elsewhere. */
export function nameOfIo(options: object | undefined): string {
  const io = options === undefined ? undefined : checkedIo(options);
  if (io === undefined || io === null) return '';
  if (typeof io === 'boolean') return `:io=${io}`;
  const number = numbers.get(io) ?? count++;
  numbers.set(io, number);
  return `:io=${number}`;
}
