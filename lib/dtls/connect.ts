import { unlessAborted } from '../base/abort-listeners.ts';
import { hostAndPort, numericAddress, type Target, targetOf } from '../base/address.ts';
import { abortError, timeoutError } from '../base/coded-error.ts';
import { Deadline } from '../base/deadline.ts';
import { optionalInteger, optionalString, validateInteger, validateObject, validateTimeout } from '../base/validate.ts';
import { givenCallbacks } from '../callbacks/options.ts';
import type { SslListeners } from '../connection/events.ts';
import type { IoOption } from '../connection/io-pool.ts';
import { checkLimits, type OperationOptions } from '../connection/operations.ts';
import { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import type { SslContextOptions } from '../context/context.ts';
import { contextArgument, readyContext, SslContext } from '../context/context.ts';
import { assertMethodCarries } from '../context/methods.ts';
import { defaultHandshakeTimeout, performHandshake } from '../endpoint/handshake.ts';
import { binding } from '../native/load-binding.ts';
import { type SslSession, storedSession } from '../session/session.ts';

/** Where to connect to over UDP, and how. `signal` and `timeout` bound the whole: name and handshake. */
export interface ConnectDtlsOptions extends SslContextOptions, OperationOptions {
  /** Name or IP address; default `'localhost'`. See {@link ConnectOptions.host}. */
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
  /** To resume. Bytes that are no session, or were damaged, are left aside: the handshake is full then. */
  readonly session?: SslSession | NodeJS.ArrayBufferView | undefined;
  /** Milliseconds for the handshake alone (`ERR_TLS_HANDSHAKE_TIMEOUT`); default 120000, Infinity for no limit. */
  readonly handshakeTimeout?: number | undefined;
  /** See {@link SslOptions.mtu}. */
  readonly mtu?: number | undefined;
  /** The connection lives on a thread of this pool (true: of {@link IoPool.shared}); default: on the loop. */
  readonly io?: IoOption;
  /** Listeners that hear the handshake too. */
  readonly on?: SslListeners | undefined;
}

function makeSsl(options: ConnectDtlsOptions, { host, servername }: Target): Ssl {
  const context = readyContext(options) ?? new SslContext({ ...options, method: options.method ?? 'DTLS_client' });
  assertMethodCarries(contextArgument(context, 'options.secureContext').policy.method, 'messages', 'connectDtls()');
  const { rejectUnauthorized, verifyMode, verify, verifyCallback, verifyId, session, io, mtu, on } = options;
  return new Ssl(context, {
    ...{ side: 'client', servername, host },
    ...{ rejectUnauthorized, verifyMode, verify, verifyCallback, verifyId },
    // A ready context has not seen these options.
    ...(options.secureContext && { ALPNProtocols: options.ALPNProtocols, ...givenCallbacks(options) }),
    ...{ session: storedSession(session), io, mtu, on },
  });
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
  const target = targetOf(options);
  const ssl = makeSsl(options, target);
  const label = hostAndPort(options.host ?? target.host, options.port);
  connectionOf(ssl).peerName = label;
  const deadline = new Deadline(timeout, signal);
  try {
    // The system's resolver cannot be stopped.
    const address = await unlessAborted(numericAddress(target.lookup, options.family), deadline.signal);
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
    if (deadline.expired) throw timeoutError(`Connecting to ${label}`, timeout ?? 0);
    throw signal?.aborted ? abortError(signal) : error;
  } finally {
    deadline.clear();
  }
}
