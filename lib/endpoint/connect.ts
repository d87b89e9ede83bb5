import type { X509Certificate } from 'node:crypto';
import { type NetConnectOpts, Socket, type TcpNetConnectOpts } from 'node:net';
import { Duplex } from 'node:stream';
import { types } from 'node:util';
import { unlessAborted } from '../base/abort-listeners.ts';
import { hostAndPort, type Target as Names, targetOf as namesOf } from '../base/address.ts';
import {
  abortError,
  invalidArgType,
  invalidArgValue,
  invalidReturnValue,
  timeoutError,
  tlsError,
} from '../base/coded-error.ts';
import { Deadline } from '../base/deadline.ts';
import { isThenable } from '../base/thenable.ts';
import {
  optionalBoolean,
  optionalFunction,
  optionalInteger,
  optionalString,
  validateObject,
  validateTimeout,
} from '../base/validate.ts';
import { givenCallbacks } from '../callbacks/options.ts';
import type { SslListeners } from '../connection/events.ts';
import type { IoOption } from '../connection/io-pool.ts';
import type { OperationOptions } from '../connection/operations.ts';
import { checkLimits } from '../connection/operations.ts';
import type { SslOptions } from '../connection/options.ts';
import { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import type { SslContextOptions } from '../context/context.ts';
import { contextArgument, readyContext, SslContext } from '../context/context.ts';
import { assertMethodCarries } from '../context/methods.ts';
import { type SslSession, storedSession } from '../session/session.ts';
import { checkOnRead } from '../stream/receiver.ts';
import { TlsSocket, type TlsSocketOptions } from '../stream/tls-socket.ts';
import { Bio } from '../transport/bio.ts';
import { defaultHandshakeTimeout, performHandshake } from './handshake.ts';
import { connectTcp, isFresh, whenConnected } from './tcp-connect.ts';

/** Options of node:net's connect() that find the way to the peer. */
type RouteOptions = Partial<
  Pick<
    TcpNetConnectOpts,
    'localAddress' | 'localPort' | 'family' | 'hints' | 'lookup' | 'autoSelectFamily' | 'autoSelectFamilyAttemptTimeout'
  >
>;

/**
 * Where to connect to, and how. `signal` and `timeout` bound the whole: name, transport and handshake.
 */
export interface ConnectOptions extends SslContextOptions, TlsSocketOptions, RouteOptions, OperationOptions {
  /**
   * Name or IP address; default `'localhost'`. A name beyond ASCII is mapped by `url.domainToASCII()`; a dot at its end is
   * for the resolver alone.
   */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** A Unix socket, instead of host and port. */
  readonly path?: string | undefined;
  /**
   * A transport instead of host, port and path. A net.Socket that was not used yet is taken over (and destroyed: its
   * descriptor lives on), everything else is pumped.
   */
  readonly socket?: Duplex | undefined;
  /** Name to send to the server, default `host` if that is a name; `''` sends none. SSL_set_tlsext_host_name(3). */
  readonly servername?: string | undefined;
  /** A ready context, instead of the options that would make one. */
  readonly secureContext?: SslContext | undefined;
  /** To resume. Bytes that are no session, or were damaged, are left aside: the handshake is full then. */
  readonly session?: SslSession | NodeJS.ArrayBufferView | undefined;
  /**
   * Replaces the check of the name, which OpenSSL makes in the handshake. Called after it with the name and the
   * certificate; what it returns (an Error) or throws ends the connection. Anything else but undefined ends it too
   * (`ERR_INVALID_RETURN_VALUE`): it is no predicate, and cannot be asynchronous, for which there is `verify`.
   */
  readonly checkServerIdentity?: ((hostname: string, certificate: X509Certificate) => Error | undefined) | undefined;
  /** Milliseconds for the handshake alone (`ERR_TLS_HANDSHAKE_TIMEOUT`); default 120000, Infinity for no limit. */
  readonly handshakeTimeout?: number | undefined;
  /** TCP_NODELAY; default true: records are put together before they are sent. */
  readonly noDelay?: boolean | undefined;
  /** SO_KEEPALIVE; default false. */
  readonly keepAlive?: boolean | undefined;
  /** Milliseconds. */
  readonly keepAliveInitialDelay?: number | undefined;
  /** The connection lives on a thread of this pool (true: of {@link IoPool.shared}); default: on the loop. With a `socket`: a fresh net.Socket only. */
  readonly io?: IoOption;
  /** See {@link SslOptions.ktls}. */
  readonly ktls?: SslOptions['ktls'];
  /** See {@link SslOptions.dynamicRecordSizing}. */
  readonly dynamicRecordSizing?: SslOptions['dynamicRecordSizing'];
  /** Listeners that hear the handshake too. */
  readonly on?: SslListeners | undefined;
}

interface Target extends Names {
  /** For messages. */
  readonly label: string;
}

function targetOf(options: ConnectOptions): Target {
  const names = namesOf(options);
  const host = options.host ?? names.host;
  const label = options.path ?? (options.port === undefined ? host : hostAndPort(host, options.port));
  return { ...names, label };
}

/** Who is asked for a passphrase may never answer. */
async function makeContext(options: ConnectOptions, signal: AbortSignal): Promise<SslContext> {
  if (typeof options.passphrase !== 'function') return new SslContext(options);
  if (options.signal?.aborted) throw abortError(options.signal);
  return unlessAborted(SslContext.create(options), signal);
}

async function makeSsl(options: ConnectOptions, target: Target, signal: AbortSignal): Promise<Ssl> {
  const context = readyContext(options) ?? (await makeContext(options, signal));
  assertMethodCarries(contextArgument(context, 'options.secureContext').policy.method, 'stream', 'connect()');
  const ssl = new Ssl(context, {
    side: 'client',
    servername: target.servername,
    host: options.checkServerIdentity === undefined ? target.host : false,
    // A ready context has not seen these options.
    rejectUnauthorized: options.rejectUnauthorized,
    verifyMode: options.verifyMode,
    verify: options.verify,
    verifyCallback: options.verifyCallback,
    verifyId: options.verifyId,
    ...(options.secureContext && { ALPNProtocols: options.ALPNProtocols, ...givenCallbacks(options) }),
    session: storedSession(options.session),
    io: options.io,
    ktls: options.ktls,
    dynamicRecordSizing: options.dynamicRecordSizing,
    on: options.on,
  });
  connectionOf(ssl).peerName = target.label;
  return ssl;
}

/** Gives `ssl` its transport. */
async function openTransport(ssl: Ssl, options: ConnectOptions, target: Target, signal: AbortSignal): Promise<void> {
  // A duplicate, of a socket that node destroys: nobody else has it then.
  const take = (fd: number): void => connectionOf(ssl).setFd(fd, false, true);
  const { socket } = options;
  if (socket === undefined || socket === null) {
    await connectTcp(routeOf(options, target.lookup), signal, take);
    return;
  }
  if (!(socket instanceof Duplex)) throw invalidArgType('options.socket', 'a stream.Duplex', socket);
  if (socket.destroyed) throw tlsError('ERR_TLS_CLOSED', '"options.socket" is closed');
  if (socket instanceof Socket && isFresh(socket)) {
    await whenConnected(socket, signal, take);
    return;
  }
  const bio = Bio.duplex(socket, { close: true });
  try {
    ssl.setBio(bio, bio);
  } catch (error) {
    bio.close();
    throw error;
  }
}

function routeOf(options: ConnectOptions, host: string): NetConnectOpts {
  const path = optionalString(options.path, 'options.path');
  if (path !== undefined) return { path };
  if (options.port === undefined)
    throw invalidArgType('options.port', 'a number, unless there is a path or socket', undefined);
  const { port, localAddress, localPort, family, hints, lookup, autoSelectFamily, autoSelectFamilyAttemptTimeout } =
    options;
  const given = { localAddress, localPort, family, hints, lookup, autoSelectFamily, autoSelectFamilyAttemptTimeout };
  const route = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  return { host, port, ...route };
}

/** node:net names an address where it failed, not the name that the user gave; several failures it does not name at all. */
function located(error: unknown, label: string): unknown {
  if (!(error instanceof Error) || error.message.includes(label) || error instanceof TypeError) return error;
  const inner = error instanceof AggregateError ? error.errors.map(each => String(each.message)).join('; ') : '';
  error.message = `Connecting to ${label}: ${error.message || inner}`;
  return error;
}

const insists = ({ rejectUnauthorized, verifyMode }: ConnectOptions): boolean =>
  rejectUnauthorized !== false && verifyMode !== 'NONE';

function checkIdentity(ssl: Ssl, options: ConnectOptions, host: string): void {
  const check = options.checkServerIdentity;
  const certificate = check === undefined ? null : ssl.peerCertificate;
  if (check === undefined || certificate === null) return;
  const given = givenBy(check, host, certificate);
  if (given === undefined || given === null) return;
  // Its rejection is no business of the process.
  if (isThenable(given)) given.then(undefined, () => undefined);
  if (!insists(options)) return;
  if (isError(given)) throw given;
  throw invalidReturnValue('checkServerIdentity', 'an Error, or undefined if it finds nothing wrong', given);
}

function givenBy(
  check: NonNullable<ConnectOptions['checkServerIdentity']>,
  host: string,
  certificate: X509Certificate,
): unknown {
  try {
    return check(host, certificate);
  } catch (thrown) {
    if (isError(thrown)) throw thrown;
    throw tlsError('ERR_TLS_VERIFY_CALLBACK', `the function checkServerIdentity failed: ${String(thrown)}`, {
      cause: thrown,
    });
  }
}

/** Of this realm or another. */
const isError = (value: unknown): value is Error => value instanceof Error || types.isNativeError(value);

/** What is used only when the connection is there, but would be wrong all the same. */
function checkSocketOptions(options: ConnectOptions): void {
  for (const name of ['allowHalfOpen', 'pauseOnConnect', 'strictEnd', 'noDelay', 'keepAlive'] as const) {
    optionalBoolean(options[name], `options.${name}`, false);
  }
  optionalInteger(options.keepAliveInitialDelay, 'options.keepAliveInitialDelay', 0, 2 ** 31 - 1);
  if (options.path === '') throw invalidArgValue('options.path', 'must not be empty', options.path);
}

function configureSocket(ssl: Ssl, options: ConnectOptions): void {
  const { native } = connectionOf(ssl);
  if (optionalBoolean(options.noDelay, 'options.noDelay', true)) native.setNoDelay(true);
  if (optionalBoolean(options.keepAlive, 'options.keepAlive', false)) {
    native.setKeepAlive(true, Math.floor((options.keepAliveInitialDelay ?? 0) / 1000));
  }
}

/**
 * Connects to a TLS server.
 *
 * @returns the socket, after the handshake and with the server's certificate checked
 * @throws what went wrong first: an error of DNS or TCP with node's own code (`ECONNREFUSED`), an OpenSslError of the
 * handshake (`CERT_HAS_EXPIRED`), `ERR_TLS_TIMEOUT`, `ERR_TLS_HANDSHAKE_TIMEOUT`, `ABORT_ERR`. Its message names the host
 */
export async function connect(options: ConnectOptions): Promise<TlsSocket> {
  validateObject(options, 'options');
  const { signal, timeout } = checkLimits(options);
  const handshakeTimeout = validateTimeout(
    options.handshakeTimeout ?? defaultHandshakeTimeout,
    'options.handshakeTimeout',
  );
  optionalFunction(options.checkServerIdentity, 'options.checkServerIdentity');
  checkOnRead(options.onread);
  checkSocketOptions(options);
  const target = targetOf(options);
  const deadline = new Deadline(timeout, signal);
  /** What `error` stands for, if our limits caused it. */
  const limited = (error: unknown): unknown => {
    if (deadline.expired) return timeoutError(`Connecting to ${target.label}`, timeout ?? 0);
    return signal?.aborted ? abortError(signal) : error;
  };
  const ssl = await makeSsl(options, target, deadline.signal).catch((error: unknown) => {
    deadline.clear();
    // Wrong options are told, whatever else is the matter.
    throw deadline.signal.aborted ? limited(error) : error;
  });
  try {
    await openTransport(ssl, options, target, deadline.signal);
    configureSocket(ssl, options);
    await performHandshake(ssl, handshakeTimeout, deadline.signal);
    checkIdentity(ssl, options, target.host);
    return new TlsSocket(ssl, options);
  } catch (error) {
    ssl.close();
    const { transportError, duplexes } = connectionOf(ssl);
    const cause = transportError ?? error;
    for (const duplex of duplexes) duplex.close(false);
    throw limited(located(cause, target.label));
  } finally {
    deadline.clear();
  }
}
