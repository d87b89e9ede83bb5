// Where a server listens: names looked up, the address family that the machine has.
import type { NativeListener } from '../../types/binding.d.ts';
import { hostAndPort, numericAddress } from '../base/address.ts';
import { invalidArgValue } from '../base/coded-error.ts';
import { optionalBoolean, optionalInteger, optionalString, validateObject, validateSignal } from '../base/validate.ts';

/** Where and how to listen. */
export interface ListenOptions {
  /** Default 0: any that is free; see `address()`. */
  readonly port?: number | undefined;
  /** Name or address; default: all addresses, IPv6 and IPv4. */
  readonly host?: string | undefined;
  /** A Unix socket, instead of host and port. */
  readonly path?: string | undefined;
  /** A descriptor that is bound already, instead of host and port. */
  readonly fd?: number | undefined;
  /** Connections that may wait to be accepted; default 511. listen(2). */
  readonly backlog?: number | undefined;
  /** Only IPv6 on `'::'`; default false. */
  readonly ipv6Only?: boolean | undefined;
  /** Several processes may listen on the port: SO_REUSEPORT; default false. */
  readonly reusePort?: boolean | undefined;
  /** Closes the server when aborted. */
  readonly signal?: AbortSignal | undefined;
}

type NativeOptions = Parameters<NativeListener['listen']>[0];

const defaultBacklog = 511;
const maxInt32 = 2 ** 31 - 1;

/** What a machine without IPv6 answers. */
const noIpv6: ReadonlySet<unknown> = new Set(['EAFNOSUPPORT', 'EADDRNOTAVAIL', 'EINVAL']);

export interface Place {
  readonly native: NativeOptions;
  /** To try if the first is not available. */
  readonly fallback: NativeOptions | undefined;
  readonly label: string;
  readonly signal: AbortSignal | undefined;
}

export async function placeOf(options: ListenOptions): Promise<Place> {
  validateObject(options, 'options');
  const common = {
    backlog: optionalInteger(options.backlog, 'options.backlog', 1, maxInt32) ?? defaultBacklog,
    ipv6Only: optionalBoolean(options.ipv6Only, 'options.ipv6Only', false),
    reusePort: optionalBoolean(options.reusePort, 'options.reusePort', false),
  };
  const signal = validateSignal(options.signal, 'options.signal');
  const path = optionalString(options.path, 'options.path');
  if (path !== undefined) {
    if (path === '') throw invalidArgValue('options.path', 'must not be empty', path);
    return { native: { ...common, path }, fallback: undefined, label: path, signal };
  }
  const fd = optionalInteger(options.fd, 'options.fd', 0, maxInt32);
  if (fd !== undefined) return { native: { ...common, fd }, fallback: undefined, label: `descriptor ${fd}`, signal };
  const port = optionalInteger(options.port, 'options.port', 0, 65535) ?? 0;
  const host = optionalString(options.host, 'options.host');
  if (host === undefined || host === '') {
    const fallback = { ...common, port, address: '0.0.0.0' };
    return { native: { ...common, port, address: '::' }, fallback, label: `:::${port}`, signal };
  }
  return {
    native: { ...common, port, address: await numericAddress(host) },
    fallback: undefined,
    label: hostAndPort(host, port),
    signal,
  };
}

/** bind(2) and listen(2); the error names the place. */
export function listenAt(listener: NativeListener, { native, fallback, label }: Place): void {
  try {
    try {
      listener.listen(native);
    } catch (error) {
      if (fallback === undefined || !noIpv6.has((error as NodeJS.ErrnoException).code)) throw error;
      listener.listen(fallback);
    }
  } catch (error) {
    if (error instanceof Error && !error.message.includes(label))
      error.message = `Listening on ${label}: ${error.message}`;
    throw error;
  }
}
