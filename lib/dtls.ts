import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { contextArgument, SslContext, type SslContextOptions } from './context.ts';
import { abortError, invalidArgType, timeoutError } from './internal/coded-error.ts';
import { Deadline } from './internal/deadline.ts';
import { defaultHandshakeTimeout, performHandshake } from './internal/handshake.ts';
import { binding } from './internal/load-binding.ts';
import { assertMethodCarries } from './internal/methods.ts';
import { checkLimits, type OperationOptions } from './internal/operations.ts';
import {
  optionalInteger,
  optionalString,
  validateInteger,
  validateObject,
  validateText,
  validateTimeout,
} from './internal/validate.ts';
import type { IoPool } from './io-pool.ts';
import type { SslSession } from './session.ts';
import { Ssl } from './ssl.ts';
import type { SslListeners } from './ssl-events.ts';
import { connectionOf } from './ssl-state.ts';

/** Where to connect to over UDP, and how. `signal` and `timeout` bound the whole: name and handshake. */
export interface ConnectDtlsOptions extends SslContextOptions, OperationOptions {
  /** Name or IP address; default `'localhost'`. */
  readonly host?: string | undefined;
  readonly port: number;
  /** 4 or 6, for a name that has addresses of both; default: the first. */
  readonly family?: 4 | 6 | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
  /** Name to send to the server, default `host` if that is a name; `''` sends none. SSL_set_tlsext_host_name(3). */
  readonly servername?: string | undefined;
  /** A ready context, of a method of DTLS, instead of the options that would make one. */
  readonly secureContext?: SslContext | undefined;
  /** To resume. */
  readonly session?: SslSession | NodeJS.ArrayBufferView | undefined;
  /** Milliseconds for the handshake alone (`ERR_TLS_HANDSHAKE_TIMEOUT`); default 120000, Infinity for no limit. */
  readonly handshakeTimeout?: number | undefined;
  /** See {@link SslOptions.mtu}. */
  readonly mtu?: number | undefined;
  /** The connection lives on a thread of this pool; default: on the loop. */
  readonly io?: IoPool | undefined;
  /** Listeners that hear the handshake too. */
  readonly on?: SslListeners | undefined;
}

async function addressOf(host: string, family: 4 | 6 | undefined): Promise<string> {
  if (isIP(host) !== 0) return host;
  return (await lookup(validateText(host, 'options.host'), { family: family ?? 0 })).address;
}

function makeContext(options: ConnectDtlsOptions): SslContext {
  const { secureContext } = options;
  if (secureContext === undefined || secureContext === null) {
    return new SslContext({ ...options, method: options.method ?? 'DTLS_client' });
  }
  if (secureContext instanceof SslContext) return secureContext;
  throw invalidArgType('options.secureContext', 'an SslContext', secureContext);
}

function makeSsl(options: ConnectDtlsOptions, host: string): Ssl {
  const context = makeContext(options);
  assertMethodCarries(contextArgument(context, 'options.secureContext').policy.method, 'messages', 'connectDtls()');
  const named = optionalString(options.servername, 'options.servername') ?? (isIP(host) === 0 ? host : undefined);
  const servername = named === '' ? undefined : named;
  const { rejectUnauthorized, verifyMode, session, io, mtu, on } = options;
  return new Ssl(context, {
    ...{ side: 'client', servername, host: servername ?? host },
    ...{ rejectUnauthorized, verifyMode, session, io, mtu, on },
  });
}

/** Rejects as soon as `signal` is aborted: the system's resolver cannot be stopped. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  return Promise.race([promise, aborted]);
}

/**
 * Connects to a server of DTLS over UDP. Each {@link Ssl.write} is one message in one datagram, which may be lost or
 * overtaken by others, and each {@link Ssl.read} gives one.
 *
 * @returns the connection, after the handshake and with the server's certificate checked
 * @throws what went wrong first: `ECONNREFUSED` if nobody listens there, an OpenSslError of the handshake,
 * `ERR_TLS_HANDSHAKE_TIMEOUT` if the peer is silent, `ERR_TLS_TIMEOUT`, `ABORT_ERR`
 */
export async function connectDtls(options: ConnectDtlsOptions): Promise<Ssl> {
  validateObject(options, 'options');
  const { signal, timeout } = checkLimits(options);
  const handshakeTimeout = validateTimeout(
    options.handshakeTimeout ?? defaultHandshakeTimeout,
    'options.handshakeTimeout',
  );
  validateInteger(options.port, 'options.port', 1, 65535);
  const localPort = optionalInteger(options.localPort, 'options.localPort', 0, 65535);
  const localAddress = optionalString(options.localAddress, 'options.localAddress');
  const host = optionalString(options.host, 'options.host') || 'localhost';
  const ssl = makeSsl(options, host);
  connectionOf(ssl).peerName = host.includes(':') ? `[${host}]:${options.port}` : `${host}:${options.port}`;
  const deadline = new Deadline(timeout, signal);
  try {
    const address = await unlessAborted(addressOf(host, options.family), deadline.signal);
    const fd = binding.connectDatagram({
      ...{ address, port: options.port },
      ...(localAddress !== undefined && { localAddress }),
      ...(localPort !== undefined && { localPort }),
    });
    ssl.setFd(fd, { close: true });
    await performHandshake(ssl, handshakeTimeout, deadline.signal);
    return ssl;
  } catch (error) {
    ssl.close();
    if (deadline.expired) throw timeoutError(`Connecting to ${host}:${options.port}`, timeout ?? 0);
    throw signal?.aborted ? abortError(signal) : error;
  } finally {
    deadline.clear();
  }
}
