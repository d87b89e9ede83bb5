import type { Socket } from 'node:dgram';
import type { FileHandle } from 'node:fs/promises';
import type { NativeAnswer, NativeSession, QuestionKind as QuestionKindType } from '../../types/binding.d.ts';
import { invalidArgValue } from '../base/coded-error.ts';
import { debug, debugging } from '../base/debug.ts';
import { asBytes, asTarget, optionalBoolean, validateInteger, validateObject } from '../base/validate.ts';
import { listenersChanged } from '../base/watch-listeners.ts';
import { keepsSessions } from '../callbacks/options.ts';
import {
  assertCanWait,
  givenPolicy,
  type VerifyOptions,
  type VerifyPolicy,
  verifyContinue,
  verifyMode,
  verifyPolicy,
} from '../callbacks/verify-mode.ts';
import { cipherLists } from '../context/ciphers.ts';
import {
  type ContextInternals,
  contextArgument,
  type HandshakeCallbacks,
  type SslContext,
} from '../context/context.ts';
import {
  type CertificateOption,
  type CredentialOptions,
  type KeyOption,
  nativeCredentials,
} from '../context/credentials.ts';
import { assertMethodCarries } from '../context/methods.ts';
import { sendFragment } from '../context/options.ts';
import type { Passphrase } from '../context/passphrase.ts';
import { Hold, ReadStatus } from '../native/constants.ts';
import {
  assertSessionFits,
  originAtLevel,
  originUnder,
  policyMismatch,
  type SessionOrigin,
  SessionOrigins,
} from '../session/policy.ts';
import { makeSession, SslSession, sessionArgument } from '../session/session.ts';
import { type Bio, bioArgument } from '../transport/bio.ts';
import { assertNoTransport, assertSide, claimBios } from '../transport/checks.ts';
import { type DatagramPeer, useDatagramSocket } from '../transport/datagram-socket.ts';
import {
  type Connection,
  onClosed,
  onFailed,
  onInform,
  onQuestion,
  type Sink,
} from '../transport/native-connection.ts';
import type { SslListeners } from './events.ts';
import { informed, observeMask } from './inform.ts';
import { nativePool } from './io-pool.ts';
import { checkLimits, expectPeerUpdate, type Limits, type OperationOptions, run, waitFor } from './operations.ts';
import type {
  KeyUpdateOptions,
  KeyUpdateResult,
  ReadOptions,
  RenegotiateOptions,
  RequestClientCertificateOptions,
  SendFileOptions,
  SetFdOptions,
  ShutdownOptions,
  ShutdownState,
  SslOptions,
} from './options.ts';
import { Questions } from './questions.ts';
import { checkFilePart, openFile, sendFilePart } from './send-file.ts';
import { type Choice, Choices, choicesOf, namesOfContext, type ServerNames } from './server-names.ts';
import { ConnectionSettings, type InternalOptions, sessionPolicy } from './settings.ts';
import { connectionOf, SslState, shutdownFlags } from './state.ts';

declare module '../callbacks/request.ts' {
  interface CallbackRequest {
    /** The connection. Its handshake waits: what is called on it waits too. */
    readonly ssl: Ssl;
  }
}

const defaultReadSize = 65536;
const maxReadSize = 2 ** 30;
/** A ticket has 65,280 bytes, with a client's certificate among them. */
const maxTicketAppData = 16_384;
/** A peer may ignore a request to renegotiate: milliseconds after which we stop hoping. */
const defaultPeerTimeout = 10_000;
/** Milliseconds that asynchronous disposal gives the transport to take our close_notify. */
const disposeTimeout = 2_000;

const updateTypes: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  ['none', -1],
  ['not-requested', 0],
  ['requested', 1],
  [-1, -1],
  [0, 0],
  [1, 1],
]);

/**
 * One TLS connection on either side: SSL.
 *
 * Operations run in call order, reads among themselves; all may be called at any time, also from event listeners, and
 * queue. The handshake is performed by the first operation that needs it. A connection that failed stays so: all
 * that is called afterwards rejects with the same error.
 *
 * Events: see {@link SslEvents}; there is no `'error'`. Messages, info, key log and sessions are recorded only while
 * somebody listens: give listeners in the option `on` to hear the handshake from its beginning.
 *
 * A connection with nothing under way that nobody refers to is collected; {@link close} frees it at once.
 */
export class Ssl extends SslState implements Sink {
  readonly #context: SslContext;
  readonly #names: ServerNames | undefined;
  readonly #callbacks: HandshakeCallbacks;
  #questions: Questions | undefined;
  /** setVerify() was called: a change of contexts brings no other verification. */
  #verifiesItself = false;
  readonly #verify: VerifyPolicy;
  /** Its own options speak of verification, and onClientHello may change contexts: which brings no other then. */
  readonly #saysVerification: boolean;
  /** Of sessions that are made here. */
  readonly #origins: SessionOrigins;
  /** Of the session that is to be resumed. */
  #resumed: SessionOrigin | undefined;
  #closeEmitted = false;

  /**
   * SSL_new(3).
   *
   * @param internal - what these options come to with this context, or options beside them
   * @param names - internal, with what they come to: what it may be switched to
   * @throws TypeError `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE`; Error `ERR_TLS_WRONG_SIDE` if the context's method
   * is for the other side; what is wrong with an own certificate or key, as the constructor of {@link SslContext}
   */
  constructor(
    context: SslContext,
    options: SslOptions,
    internal?: ConnectionSettings | InternalOptions,
    names?: ServerNames,
  ) {
    const internals = contextArgument(context, 'context');
    const [shared, own] = internal instanceof ConnectionSettings ? [internal, undefined] : [undefined, internal];
    const known = shared === undefined ? ownNames(internals, options) : names;
    const settings =
      shared ?? new ConnectionSettings(internals, options, known ? { ...own, serverNames: known.native } : own);
    const pool = nativePool(options.io, 'options.io');
    super(internals.native, settings, pool);
    const connection = connectionOf(this);
    connection.pool = pool;
    connection.sink = this;
    connection.keylog = internals.policy.keylog;
    connection.peerName = settings.host ?? '';
    this.#context = context;
    this.#names = known;
    this.#verify = settings.verify;
    const asksHello = settings.callbacks.onClientHello;
    this.#saysVerification = shared === undefined && Boolean(asksHello) && Object.keys(givenPolicy(options)).length > 0;
    this.#callbacks = settings.callbacks;
    this.#origins = new SessionOrigins(settings.origin);
    addListeners(this, settings.on);
    if (options.session !== undefined && options.session !== null) this.setSession(options.session);
  }

  /** The context in use: the one that it was made with, or that of the name that the client sent. SSL_get_SSL_CTX(3). */
  get context(): SslContext {
    const connection = connectionOf(this);
    return this.#choice(connection)?.context ?? this.#context;
  }

  /** What the context has been switched to, if it has. */
  #choice({ native }: Connection): Choice | undefined {
    const given = this.#questions?.given;
    const tag = this.#names === undefined && given === undefined ? 0 : native.contextTag;
    if (tag === 0) return undefined;
    return given?.native.tag === tag ? given : this.#names?.withTag(tag);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Transport

  /**
   * Uses a connected stream socket, or with DTLS a connected datagram socket: SSL_set_fd(3).
   *
   * @throws Error `EPROTOTYPE` for what is no such socket, `ENOTCONN` for a datagram socket without a peer, `ERR_TLS_HAS_TRANSPORT` the second time
   */
  setFd(fd: number, options: SetFdOptions = {}): void {
    const connection = connectionOf(this);
    validateInteger(fd, 'fd', 0, 2 ** 31 - 1);
    validateObject(options, 'options');
    const close = optionalBoolean(options.close, 'options.close', false);
    assertNoTransport(connection);
    connection.setFd(fd, close, close);
  }

  /**
   * Uses a socket of node:dgram, DTLS only: what comes from that peer, and nothing else. The socket stays its owner's,
   * and may serve others; if it closes, the connection ends with `ERR_SSL_UNEXPECTED_EOF`.
   *
   * @param peer - absent: the one that the socket is connected to
   */
  setDatagramSocket(socket: Socket, peer?: DatagramPeer): void {
    const connection = connectionOf(this);
    assertMethodCarries(contextArgument(this.#context, 'context').policy.method, 'messages', 'setDatagramSocket()');
    useDatagramSocket(connection, this.setBio.bind(this), socket, peer);
  }

  /**
   * Uses any transport; both may be the same Bio: SSL_set_bio(3). With DTLS each datagram goes through behind two bytes
   * with its length, the higher one first.
   */
  setBio(read: Bio, write: Bio): void {
    const connection = connectionOf(this);
    const from = bioArgument(read, 'read');
    const to = bioArgument(write, 'write');
    if (from.socket !== undefined || to.socket !== undefined) {
      if (from.socket === undefined || from !== to) {
        throw invalidArgValue('write', 'must be the same socket Bio as "read"', write);
      }
      this.setFd(from.socket.fd, { close: from.socket.close });
      return;
    }
    assertNoTransport(connection);
    claimBios(connection, from, to);
    connection.native.setBio(from.native, to.native);
    if (debugging) debug('%s #%d: transport: BIOs', connection.description, connection.id);
    connection.hasTransport = true;
    connection.duplexes = [from.duplex, to.duplex].filter(each => each !== undefined);
    connection.noteEvents();
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Handshake and data

  /** A client's handshake: SSL_connect(3). Resolves at once if it was done. `ERR_TLS_WRONG_SIDE` on a server. */
  async connect(options?: OperationOptions): Promise<void> {
    assertSide(connectionOf(this), false, 'connect()');
    return this.handshake(options);
  }

  /** A server's handshake: SSL_accept(3). `ERR_TLS_WRONG_SIDE` on a client. */
  async accept(options?: OperationOptions): Promise<void> {
    assertSide(connectionOf(this), true, 'accept()');
    return this.handshake(options);
  }

  /** The handshake of either side: SSL_do_handshake(3). */
  async handshake(options?: OperationOptions): Promise<void> {
    const connection = connectionOf(this);
    await run(connection, 'handshake', checkLimits(options), op => connection.native.handshake(op));
  }

  /**
   * Waits for data: SSL_read_ex(3).
   *
   * @returns some bytes; null after the peer's close_notify
   * @throws OpenSslError `ERR_SSL_UNEXPECTED_EOF` if the transport ended without close_notify
   */
  async read(options?: ReadOptions): Promise<Buffer | null> {
    const connection = connectionOf(this);
    const limits = checkLimits(options);
    const max = options?.max ?? defaultReadSize;
    validateInteger(max, 'options.max', 1, maxReadSize);
    connection.assertUsable();
    const op = connection.nextOp();
    const result = connection.native.read(op, max);
    connection.noteEvents();
    if (typeof result !== 'number') return result;
    return (await this.#readEnds(connection, op, result, limits)) as Buffer | null;
  }

  /**
   * Reads into memory of the caller's, which must be left alone until the promise settles: the fastest way to read.
   *
   * @returns the number of bytes (at least one); null after the peer's close_notify
   */
  async readInto(target: NodeJS.ArrayBufferView, options?: OperationOptions): Promise<number | null> {
    const connection = connectionOf(this);
    const limits = checkLimits(options);
    const view = asTarget(target, 'target');
    connection.assertUsable();
    const op = connection.nextOp();
    const result = connection.native.readInto(op, view);
    connection.noteEvents();
    if (result > 0) return result;
    return (await this.#readEnds(connection, op, result, limits, view)) as number | null;
  }

  /** `target` must not be collected while native code may write to it. */
  async #readEnds(
    connection: Connection,
    op: number,
    result: number,
    limits: Limits,
    target?: Uint8Array,
  ): Promise<number | Buffer | null> {
    if (result === ReadStatus.End) return null;
    if (result !== ReadStatus.Pending) throw connection.takeError();
    return waitFor(connection, op, 'read', limits, bytes => bytes, target);
  }

  /**
   * Sends data: SSL_write_ex(3). Resolves when it was taken and what waits to be sent is below its mark; that is not
   * delivery. The data must not be changed before that.
   */
  async write(data: string | NodeJS.ArrayBufferView, options?: OperationOptions): Promise<void> {
    const connection = connectionOf(this);
    const limits = checkLimits(options);
    const bytes = asBytes(data, 'data');
    connection.assertUsable();
    // SSL_write takes a length of 0 for an error.
    if (bytes.length === 0) return;
    const op = connection.nextOp();
    if (connection.started(connection.native.write(op, bytes, Hold.Never))) return;
    await waitFor(connection, op, 'write', limits, () => void bytes);
  }

  /**
   * Sends a file, or a part of it, in the order of the writes: SSL_sendfile(3), OpenSSL 3.0, where the kernel encrypts
   * (see the option `ktls`); otherwise it is read and written in pieces of 64 KiB. Works on a duplicate of the
   * descriptor, which may be closed at once.
   *
   * Reading from a slow disk holds up the loop, as sendfile(2) does.
   *
   * @param file - a regular file
   * @returns the number of bytes that were sent, under the same condition as {@link write}
   * @throws Error `EBADF`, `EISDIR`, `ESPIPE` for what cannot be sent, `ERR_TLS_FILE_TOO_SHORT` if the file ends before
   * `length` bytes were sent; the connection goes on, with what was sent before
   */
  async sendFile(file: FileHandle | number, options?: SendFileOptions): Promise<number> {
    const connection = connectionOf(this);
    const part = checkFilePart(file, options);
    connection.assertUsable();
    const opened = openFile(part);
    try {
      return await sendFilePart(connection, opened, part);
    } finally {
      opened.close();
    }
  }

  /**
   * Clear bytes that a record may have from now on: SSL_set_max_send_fragment(3). Default: the context's `maxSendFragment`,
   * whose documentation says more. Small records come through sooner and cost more. With `dynamicRecordSizing` the smaller
   * size holds.
   *
   * @param size - from 512 to 16384
   */
  setMaxSendFragment(size: number): void {
    const connection = connectionOf(this);
    connection.assertOpen();
    validateInteger(size, 'size', sendFragment.min, sendFragment.max);
    assertMethodCarries(contextArgument(this.#context, 'context').policy.method, 'stream', 'setMaxSendFragment()');
    connection.native.setMaxSendFragment(size);
  }

  /**
   * Bytes of the application's own in the sessions that a server makes from now on, tickets and stored ones:
   * SSL_SESSION_set1_ticket_appdata(3). A connection that resumes one has them in `ssl.session.ticketAppData`, on whichever machine
   * has the ticket keys. TLS 1.3 sends its tickets as the handshake ends: call this before, in a function that the handshake
   * asks (`onClientHello`, `onCertificate`, `verify`, ...). Sessions of pre-shared keys have none. Without a call, a session that comes of a
   * resumed one keeps that one's; up to TLS 1.2 a resumed session keeps its own in any case.
   *
   * @param data - at most 16384 bytes, which are encrypted with the ticket; null: none
   */
  setTicketAppData(data: NodeJS.ArrayBufferView | ArrayBuffer | null): void {
    const connection = connectionOf(this);
    connection.assertOpen();
    assertSide(connection, true, 'setTicketAppData()');
    const bytes = data === null ? null : asBytes(data, 'data');
    if (bytes !== null) validateInteger(bytes.length, 'data.byteLength', 0, maxTicketAppData);
    connection.native.setTicketAppData(bytes);
  }

  /** Chunks until the peer's close_notify. Leaving the loop early does not close the connection. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, void, void> {
    connectionOf(this);
    for (let chunk = await this.read(); chunk !== null; chunk = await this.read()) yield chunk;
  }

  /**
   * Says goodbye: SSL_shutdown(3). Resolves when the transport took our close_notify, with `wait` when the peer's came.
   * Nothing can be written afterwards, but read.
   */
  async shutdown(options?: ShutdownOptions): Promise<void> {
    const connection = connectionOf(this);
    const limits = checkLimits(options);
    const wait = optionalBoolean(options?.wait, 'options.wait', false);
    await run(connection, 'shutdown', limits, op => connection.native.shutdown(op, wait));
  }

  /**
   * Counts a close_notify as sent or received that was not: SSL_set_shutdown(3). For a protocol of which both sides know
   * where it ends: the session stays resumable although the connection is closed without a goodbye. What is false or
   * absent stays as it is, since nothing that was said can be taken back. After `sent` nothing can be written, after
   * `received` reads give null.
   *
   * @throws OpenSslError `ERR_SSL_SHUTDOWN_WHILE_IN_INIT` before a handshake is complete, `ERR_SSL_BAD_WRITE_RETRY` while
   * an operation is under way; the connection stays as it was
   */
  setShutdown(state: Partial<ShutdownState>): void {
    const connection = connectionOf(this);
    validateObject(state, 'state');
    const sent = optionalBoolean(state.sent, 'state.sent', false);
    const received = optionalBoolean(state.received, 'state.received', false);
    connection.assertUsable();
    const flags = (sent ? shutdownFlags.sent : 0) | (received ? shutdownFlags.received : 0);
    connection.started(connection.native.setShutdown(flags));
  }

  // -------------------------------------------------------------------------------------------------------------------
  // New keys

  /**
   * Updates the own sending keys and tells the peer: SSL_key_update(3) and SSL_do_handshake(3), OpenSSL 1.1.1. Resolves
   * when our KeyUpdate is on its way; writes that were called before go first.
   *
   * @throws Error before the handshake, and for anything but TLS 1.3 (`ERR_SSL_WRONG_SSL_VERSION`); the connection
   * stays as it was
   */
  async keyUpdate(options?: KeyUpdateOptions): Promise<KeyUpdateResult> {
    const connection = connectionOf(this);
    const limits = checkLimits(options);
    const requestPeer = optionalBoolean(options?.requestPeer, 'options.requestPeer', false);
    connection.assertUsable();
    const op = connection.nextOp();
    const done = connection.started(connection.native.keyUpdate(op, requestPeer));
    const peer = requestPeer ? expectPeerUpdate(connection, op, limits) : undefined;
    try {
      if (!done) await waitFor(connection, op, 'key update', limits, () => undefined);
    } catch (error) {
      connection.forgetPeerUpdate(op);
      throw error;
    }
    peer?.bound();
    return { peerUpdated: peer?.updated };
  }

  /**
   * Schedules a key update that the next operation performs: SSL_key_update(3) alone.
   *
   * @param type - `'none'` is there to be refused, as the manual says (`ERR_SSL_INVALID_KEY_UPDATE_TYPE`)
   */
  scheduleKeyUpdate(type: 'not-requested' | 'requested' | 'none'): void {
    const connection = connectionOf(this);
    const number = updateTypes.get(type);
    if (number === undefined) throw invalidArgValue('type', "must be 'not-requested' or 'requested'", type);
    connection.assertUsable();
    connection.started(connection.native.scheduleKeyUpdate(number));
  }

  /**
   * A new handshake on this connection, up to TLS 1.2: SSL_renegotiate(3), SSL_renegotiate_abbreviated(3). Resolves when
   * it is complete. Data that crosses it is kept for the reader.
   *
   * The default timeout is 10 seconds: a client may ignore a server's request, and the connection lives on; a client
   * that is ignored cannot write any more, so then it is closed.
   *
   * @throws OpenSslError `ERR_SSL_WRONG_SSL_VERSION` on TLS 1.3; `ERR_SSL_NO_RENEGOTIATION` if the peer refuses, which
   * by OpenSSL's rule ends the connection
   */
  async renegotiate(options?: RenegotiateOptions): Promise<void> {
    const connection = connectionOf(this);
    const limits = checkLimits(options, defaultPeerTimeout);
    const abbreviated = optionalBoolean(options?.abbreviated, 'options.abbreviated', false);
    await run(connection, 'renegotiation', limits, op => connection.native.renegotiate(op, abbreviated));
  }

  /** Schedules a renegotiation that the next operation begins: SSL_renegotiate(3) alone. */
  scheduleRenegotiate(options: { readonly abbreviated?: boolean | undefined } = {}): void {
    const connection = connectionOf(this);
    validateObject(options, 'options');
    const abbreviated = optionalBoolean(options.abbreviated, 'options.abbreviated', false);
    connection.assertUsable();
    connection.started(connection.native.scheduleRenegotiate(abbreviated));
  }

  /**
   * No renegotiation from now on, for good: SSL_OP_NO_RENEGOTIATION. A peer that asks for one gets the alert
   * no_renegotiation, a warning, and this side goes on; a peer with OpenSSL ends the connection then. (node:tls ends it
   * itself.) A client that asks on is cut off at the limit of `clientRenegotiation`. One that is under way goes on. An own one
   * is refused (`ERR_SSL_NO_RENEGOTIATION`), that of {@link requestClientCertificate} on TLS 1.2 too, and the connection stays
   * as it was. TLS 1.3 has none.
   */
  disableRenegotiation(): void {
    const connection = connectionOf(this);
    connection.assertOpen();
    connection.native.disableRenegotiation();
  }

  /**
   * A server asks for the client's certificate: SSL_verify_client_post_handshake(3) in TLS 1.3 (the client must offer
   * it), a renegotiation in TLS 1.2. Resolves when {@link peerCertificate} is there. Default timeout: 10 seconds.
   */
  async requestClientCertificate(options?: RequestClientCertificateOptions): Promise<void> {
    const connection = connectionOf(this);
    assertSide(connection, true, 'requestClientCertificate()');
    const limits = checkLimits(options, defaultPeerTimeout);
    const required = optionalBoolean(options?.required, 'options.required', true);
    const start = (op: number) => connection.native.requestClientCertificate(op, required);
    await run(connection, 'request for a client certificate', limits, start);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Session and verification

  /** A server's are not set on anything. */
  #originOf(session: NativeSession): SessionOrigin {
    return connectionOf(this).server ? this.#origins.current : this.#origins.of(session);
  }

  /** A copy of the current session, or null: SSL_get1_session(3). With TLS 1.3 prefer the event `'session'`. */
  get session(): SslSession | null {
    const connection = connectionOf(this);
    connection.assertOpen();
    const native = connection.native.session();
    // It would be resumed without the key, and without a certificate.
    if (connection.native.pskIdentity() !== null) return null;
    return native === null ? null : makeSession(native, this.#originOf(native));
  }

  /**
   * A session to resume; before the handshake of a client: SSL_set_session(3). One that was stored, and that a function
   * without a `verifyId` accepted, is left aside unless the same function decides here: the handshake asks this one.
   *
   * @throws Error `ERR_TLS_WRONG_SIDE` on a server; if this connection verifies its peer: `ERR_TLS_SESSION_HOST_MISMATCH`
   * for a session of another host, `ERR_TLS_SESSION_POLICY_MISMATCH` for one of a context that trusts others or is not
   * known, `ERR_TLS_SESSION_NOT_VERIFIED` for one of a connection that did not verify
   */
  setSession(session: SslSession | NodeJS.ArrayBufferView): void {
    const connection = connectionOf(this);
    connection.assertAlive();
    assertSide(connection, false, 'setSession()');
    const { native, origin } = sessionArgument(
      ArrayBuffer.isView(session) ? SslSession.from(session) : session,
      'session',
    );
    const { current } = this.#origins;
    if (current.verified && !assertSessionFits(origin, current)) return;
    connection.started(connection.native.setSession(native));
    this.#resumed = origin;
    this.#origins.resumed = current;
  }

  /**
   * What the peer must prove from the next handshake on: SSL_set_verify(3). Sessions that were made before keep the
   * policy that they were made under.
   *
   * @throws Error as {@link setSession}, if the session that was set may not pass the verification that is now wanted
   */
  setVerify(options: VerifyOptions): void {
    const connection = connectionOf(this);
    validateObject(options, 'options');
    connection.assertAlive();
    const brought = this.#verifiesItself ? undefined : this.#choice(connection);
    const policy = verifyPolicy(options, this.#broughtVerify ?? this.#verify);
    const { server, native } = connection;
    const resumes = !native.established || native.sessionReused;
    assertCanWait(server, policy);
    const { host, trusted } = this.#origins.current;
    const origin = originUnder(policy, host, trusted);
    if (origin.verified && resumes && this.#resumed !== undefined && !assertSessionFits(this.#resumed, origin)) {
      throw policyMismatch();
    }
    const changes = this.#origins.differs(origin);
    const shared = contextArgument(brought?.verify === undefined ? this.#context : brought.context, 'context').policy
      .verify.verifier;
    connection.started(
      native.setVerify(
        verifyMode(server, policy),
        verifyContinue(server, policy),
        policy.verifier !== null,
        sessionPolicy(policy.verifier, shared),
        changes ? this.#origins.next : undefined,
      ),
    );
    this.#verifiesItself = true;
    if (resumes && this.#resumed !== undefined) this.#origins.resumed = origin;
    if (changes) this.#origins.change(origin);
    else this.#origins.keep(origin);
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Who this side is

  /**
   * A certificate of its own, with the chain that follows it: SSL_use_certificate(3), SSL_use_certificate_ASN1(3),
   * SSL_use_certificate_chain_file(3). As in OpenSSL it takes the place of the one with the same type of key, whose key
   * is dropped if it does not fit: give the new one afterwards. One of another type stays beside it; the options of the
   * constructor replace all.
   *
   * Before the handshake; or after it, for a renegotiation or a post-handshake authentication.
   *
   * @throws Error `ERR_TLS_HANDSHAKE_STARTED` during a handshake; else as the constructor of {@link SslContext}
   */
  useCertificate(cert: CertificateOption): void {
    useCredentials(this, { cert }, 'cert');
  }

  /** {@link useCertificate} with a file, PEM or DER: SSL_use_certificate_chain_file(3), SSL_use_certificate_file(3). */
  useCertificateFile(certFile: string): void {
    useCredentials(this, { certFile }, 'certFile');
  }

  /**
   * The key of the certificate: SSL_use_PrivateKey(3), SSL_use_PrivateKey_ASN1(3), SSL_use_RSAPrivateKey(3),
   * SSL_use_RSAPrivateKey_ASN1(3).
   *
   * @throws Error `ERR_OSSL_X509_KEY_VALUES_MISMATCH` if it does not belong to the certificate in use; else as
   * {@link useCertificate}
   */
  usePrivateKey(key: KeyOption, options?: { readonly passphrase?: Passphrase | undefined }): void {
    useCredentials(this, { key, passphrase: options?.passphrase }, 'key');
  }

  /** {@link usePrivateKey} with a file, PEM or DER: SSL_use_PrivateKey_file(3), SSL_use_RSAPrivateKey_file(3). */
  usePrivateKeyFile(keyFile: string, options?: { readonly passphrase?: Passphrase | undefined }): void {
    useCredentials(this, { keyFile, passphrase: options?.passphrase }, 'keyFile');
  }

  /**
   * The ciphers of this connection alone, for its next handshake: SSL_set_cipher_list(3), and SSL_set_ciphersuites(3) for
   * names that begin with `TLS_`. With TLS 1.2 also after a handshake, for a full {@link renegotiate}. A server's
   * connection that has its own resumes no session, since that would bring its cipher along; a client's does not offer a
   * session of up to TLS 1.2 whose cipher is not among them, and the handshake is full. `@SECLEVEL=n` among them sets
   * the connection's security level; where it changes, no session is resumed either.
   *
   * @param ciphers - OpenSSL's names, divided by colons
   * @throws OpenSslError `ERR_SSL_NO_CIPHER_MATCH` if none is known; Error `ERR_TLS_HANDSHAKE_STARTED` during a handshake. The
   * connection stays as it was
   */
  setCiphers(ciphers: string): void {
    const connection = connectionOf(this);
    const lists = cipherLists(ciphers, 'ciphers');
    connection.assertAlive();
    const { native } = connection;
    const { next, current } = this.#origins;
    connection.started(native.setCiphers(lists, next));
    const { securityLevel } = native;
    if (securityLevel === current.trusted.securityLevel) return;
    this.#origins.change(originAtLevel(current, securityLevel));
    if (!native.established) this.#resumed = undefined;
  }

  /**
   * Whether certificate and key are there and fit: SSL_check_private_key(3).
   *
   * @throws OpenSslError `ERR_SSL_NO_CERTIFICATE_ASSIGNED`, `ERR_SSL_NO_PRIVATE_KEY_ASSIGNED`
   */
  checkPrivateKey(): void {
    const connection = connectionOf(this);
    connection.assertOpen();
    connection.native.checkPrivateKey();
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Life

  /** Frees everything at once: SSL_free(3). Idempotent. What is pending rejects with `ERR_TLS_CLOSED`. */
  close(): void {
    connectionOf(this).close();
  }

  [Symbol.dispose](): void {
    connectionOf(this).close();
  }

  /** Says goodbye if there is somebody to say it to, then closes. */
  async [Symbol.asyncDispose](): Promise<void> {
    const connection = connectionOf(this);
    if (!connection.closed && connection.error === null && connection.native.established) {
      // Whether it worked or not, the connection ends.
      await this.shutdown({ timeout: disposeTimeout }).catch(() => undefined);
    }
    connection.close();
  }

  /** The connection keeps the process running again, while it waits for something. */
  ref(): this {
    const connection = connectionOf(this);
    if (!connection.closed) connection.native.ref();
    return this;
  }

  /** The connection no longer keeps the process running. */
  unref(): this {
    const connection = connectionOf(this);
    if (!connection.closed) connection.native.unref();
    return this;
  }

  /** @internal */
  [listenersChanged](name: string | symbol, listening: boolean): void {
    connectionOf(this).observe('ssl', observeMask(name), listening);
  }

  /** @internal */
  [onFailed](error: Error): void {
    this.#questions?.connectionFailed(error);
    this.#emitClose(error);
  }

  /** @internal */
  [onClosed](error: Error | null): void {
    this.#emitClose(error);
  }

  /** @internal */
  [onInform](kind: number, a: number, b: number, c: number): void {
    const event = informed(kind, a, b, c, native => this.#originOf(native));
    if (event === undefined) return;
    const [name, ...args] = event as readonly [string, ...unknown[]];
    if (event[0] === 'session' && keepsSessions(this.#callbacks)) this.#asking.sessionMade(event[1]);
    try {
      (this.emit as (...args: readonly unknown[]) => boolean).call(this, name, ...args);
    } finally {
      connectionOf(this).forward(name, args);
    }
  }

  /** @internal */
  [onQuestion](kind: QuestionKindType, subject: unknown): NativeAnswer | PromiseLike<NativeAnswer> {
    return this.#asking.answer(kind, subject);
  }

  get #asking(): Questions {
    const internals = contextArgument(this.#context, 'context');
    this.#questions ??= new Questions({
      connection: connectionOf(this),
      request: { ssl: this },
      internals,
      callbacks: this.#callbacks,
      names: this.#names,
      choices: () =>
        this.#names?.choices ?? (this.#saysVerification ? new Choices(internals, false) : choicesOf(internals)),
      verifyAsHelloSays: () => {
        this.#verifiesItself = false;
      },
      verifier: () => (this.#broughtVerify ?? this.#origins.current).verifier,
    });
    return this.#questions;
  }

  /** What a change of contexts has brought along, or onClientHello has said. */
  get #broughtVerify(): VerifyPolicy | undefined {
    if (this.#verifiesItself) return undefined;
    return this.#questions?.helloVerify ?? this.#choice(connectionOf(this))?.verify;
  }

  #emitClose(error: Error | null): void {
    if (this.#closeEmitted) return;
    this.#closeEmitted = true;
    const connection = connectionOf(this);
    // Never from inside the call that closed it.
    process.nextTick(() => {
      connection.ended?.(this);
      connection.inScope(() => void this.emit('close', error), undefined);
    });
  }
}

function useCredentials(ssl: Ssl, options: CredentialOptions, name: keyof CredentialOptions): void {
  const connection = connectionOf(ssl);
  connection.assertAlive();
  const credentials = nativeCredentials(options);
  if (Object.keys(credentials).length === 0) throw invalidArgValue(name, 'must not be empty', options[name]);
  connection.started(connection.native.useCredentials(credentials));
}

function ownNames(internals: ContextInternals, options: SslOptions): ServerNames | undefined {
  const serves = internals.names !== undefined && options?.side === 'server';
  return serves ? namesOfContext(internals, Object.keys(givenPolicy(options)).length > 0) : undefined;
}

function addListeners(ssl: Ssl, listeners: SslListeners | undefined): void {
  if (listeners === undefined) return;
  for (const [name, listener] of Object.entries(listeners)) {
    if (listener !== undefined && listener !== null) ssl.on(name as 'close', listener as () => void);
  }
}
