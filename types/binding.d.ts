// The whole native surface: the contract between C++ (native/binding) and TypeScript (lib).
// Section 'openssl' describes the library itself; the others one native class each.

// ---------------------------------------------------------------------------------------------------------------------
// The library

export declare function opensslInfo(): OpensslInfo;
/** What it takes some time to find out. */
export declare function opensslSetup(): OpensslSetup;
/** Throws an Error with code ERR_SYSTEM_TLS_PROVIDER or ERR_SYSTEM_TLS_NOT_ISOLATED. */
export declare function loadProvider(name: string): void;

export interface OpensslInfo {
  version: string;
  versionNumber: number;
  /** The version of the headers that the addon was compiled against. */
  headerVersion: string;
  libssl: string;
  libcrypto: string;
  directory: string;
  modulesDirectory: string;
  isolated: boolean;
  /** The text of the error that the proof of isolation provoked inside libssl and found in libcrypto's queue. */
  provokedError: string;
  features: OpensslFeatures;
}

export interface OpensslSetup {
  /** The configuration file that OpenSSL reads by itself; '': none, as OPENSSL_CONF says. */
  configFile: string;
  /** Active ones, by name. */
  providers: string[];
}

export interface OpensslFeatures {
  /** TLS 1.3. */
  tls13: boolean;
  /** DTLS 1.2. */
  dtls: boolean;
  /** Kernel TLS was compiled into the library; whether the kernel has it shows per connection. */
  ktls: boolean;
  /** ASYNC jobs, by which a callback without a retry code of its own can wait. */
  async: boolean;
  /** RFC 8879, OpenSSL 3.2. */
  certificateCompression: boolean;
  /** RFC 7250, OpenSSL 3.2. */
  rawPublicKeys: boolean;
  /** QUIC client, OpenSSL 3.2. */
  quic: boolean;
  /** QUIC server, OpenSSL 3.5. */
  quicServer: boolean;
  /** ML-KEM (FIPS 203), OpenSSL 3.5. */
  mlkem: boolean;
  /** Encrypted ClientHello, OpenSSL 4.0. */
  ech: boolean;
  /** ENGINE modules, until OpenSSL 4.0. */
  engines: boolean;
  /** The default property query asks for FIPS-approved implementations. */
  fips: boolean;
}

// ---------------------------------------------------------------------------------------------------------------------
// Failures

/** One entry of OpenSSL's error queue (ERR_get_error_all(3)). */
export interface NativeErrorEntry {
  readonly libraryCode: number;
  readonly reasonCode: number;
  readonly library: string;
  readonly reason: string;
  readonly function: string;
  readonly data: string;
}

/** What native code reports instead of an Error; lib/errors/errors.ts makes the Error of it. */
export interface NativeFailure {
  /** A code of ours; absent for failures of OpenSSL and of system calls. */
  readonly code?: string;
  readonly message: string;
  /** errno, positive; with `syscall`. */
  readonly errno?: number;
  readonly syscall?: string;
  /** The whole drained queue, root cause first. */
  readonly errors: readonly NativeErrorEntry[];
  readonly alert?: { readonly level: number; readonly description: number; readonly received: boolean };
  /** X509_V_..., 0 if verification is not the reason. */
  readonly verifyResult: number;
  /** The question whose answer failed, if that is the reason. */
  readonly question?: number;
}

// ---------------------------------------------------------------------------------------------------------------------
// SSL_CTX

/** Bytes, and what messages call them: `cert[0]`, `certFile '/etc/server.pem'`. */
export interface NativeInput {
  readonly name: string;
  readonly data: Uint8Array;
}

export interface NativeSealedInput extends NativeInput {
  readonly passphrase?: Uint8Array;
}

/** What OSSL_STORE_open_ex(3) opens. */
export interface NativeStoreInput {
  readonly name: string;
  readonly uri: string;
  readonly passphrase?: Uint8Array;
}

/** Who a context or a connection is. */
export interface NativeCredentials {
  /** Chains, PEM (leaf first) or DER (leaf alone). One per key type at the most. */
  readonly cert?: readonly NativeInput[];
  readonly key?: readonly NativeSealedInput[];
  readonly pfx?: readonly NativeSealedInput[];
  readonly certUri?: readonly NativeStoreInput[];
  readonly keyUri?: readonly NativeStoreInput[];
}

/** The names of those that ask for a passphrase that they do not have. */
export declare function lockedInputs(credentials: NativeCredentials): string[];

/** Everything validated and in OpenSSL's own units already; see lib/context/options.ts. */
export interface NativeContextOptions extends NativeCredentials {
  /** TLS_server_method(3) or TLS_client_method(3) instead of TLS_method(3). */
  readonly side?: 'server' | 'client';
  /** DTLS_method(3) and the like instead. */
  readonly dtls?: boolean;
  /** TLS1_2_VERSION and so on; 0 leaves the library's (and openssl.cnf's) own. */
  readonly minVersion: number;
  readonly maxVersion: number;
  /** PEM bundles or DER; also the names that a server sends in its CertificateRequest. */
  readonly ca?: readonly NativeInput[];
  readonly caFile?: string;
  readonly caPath?: string;
  /** SSL_CTX_set_default_verify_paths(3). */
  readonly systemCa: boolean;
  /** X509_V_FLAG_PARTIAL_CHAIN. */
  readonly partialChain?: boolean;
  readonly crl?: readonly NativeInput[];
  /** X509_V_FLAG_CRL_CHECK or, with X509_V_FLAG_CRL_CHECK_ALL, the whole chain; the default if there is a crl. */
  readonly crlCheck?: 'leaf' | 'chain';
  /** SSL_CTX_set_client_CA_list(3), instead of the names in `ca`. */
  readonly clientCa?: readonly NativeInput[];
  /** SSL_CTX_set0_CA_list(3), on clients. */
  readonly authorities?: readonly NativeInput[];
  readonly cipherList?: string;
  readonly ciphersuites?: string;
  readonly sigalgs?: string;
  readonly clientSigalgs?: string;
  readonly groups?: string;
  /** PEM, or 'auto' (SSL_CTX_set_dh_auto). */
  readonly dhparam?: Uint8Array | 'auto';
  /** Wire format of RFC 7301: a length byte before each name. */
  readonly alpn?: Uint8Array;
  readonly sessionIdContext?: Uint8Array;
  /** Without sessionIdContext: what that is made of, together with the security level. */
  readonly sessionPolicy?: Uint8Array;
  /** Seconds. */
  readonly sessionTimeout?: number;
  /** 80 bytes, as SSL_CTX_set_tlsext_ticket_keys(3) takes them; default: random ones. */
  readonly ticketKeys?: Uint8Array | NativeTicketKeyRing;
  /** TLS 1.3 tickets that a server sends, SSL_CTX_set_num_tickets(3). */
  readonly ticketCount?: number;
  /** SSL_VERIFY_... */
  readonly verifyMode: number;
  /** The handshake goes on whatever verification says; verifyResult tells. A verify callback that returns 1 and leaves the result. */
  readonly verifyContinue: boolean;
  readonly verifyDepth?: number;
  /** SSL_OP_..., set on top of the safe defaults; a number up to 2^53. */
  readonly secureOptions: number;
  readonly honorCipherOrder: boolean;
  /** SSL_OP_ALLOW_CLIENT_RENEGOTIATION. */
  readonly allowClientRenegotiation: boolean;
  readonly quietShutdown: boolean;
  readonly securityLevel?: number;
  /** SSL_CTX_set_max_send_fragment(3). */
  readonly maxSendFragment?: number;
}

export declare class NativeContext {
  /** Throws (through the error factory) when anything in the options is refused. */
  constructor(options: NativeContextOptions);
  readonly ciphers: readonly string[];
  /** SSL_CTX_get_security_level(3). */
  readonly securityLevel: number;
  /** The key that new tickets get, as the option; a secret. */
  ticketKeys(): Buffer;
  /** As the option, for what is made and opened from now on, also by connections that there are. */
  setTicketKeys(keys: Uint8Array | NativeTicketKeyRing): void;
  /** TLS 1.3: a client goes on with a ticket that was opened, and gets a new one only for an older key. For good. */
  keepTickets(): void;
  /** DER of the certificate that SSL_CTX_get0_certificate(3) gives, or null. */
  certificate(): Buffer | null;
}

/** Ticket keys that follow from a secret and the time; any number of contexts use them, on any thread. */
export declare class NativeTicketKeyRing {
  constructor(options: {
    readonly secret: Uint8Array;
    /** Seconds for which a key encrypts. */
    readonly period: number;
    /** How many earlier periods' tickets are opened; up to 255. */
    readonly overlap: number;
  });
}

/** The certificates and CRLs in a PEM text, under the names that X509_LOOKUP_hash_dir(3) looks for. */
export declare function hashedNames(
  pem: Uint8Array,
): { readonly crl: boolean; readonly hash: string; readonly fingerprint: string }[];

// ---------------------------------------------------------------------------------------------------------------------
// SSL_SESSION

export declare class NativeSession {
  /** DER (d2i_SSL_SESSION(3)); throws when it does not parse. */
  static from(der: Uint8Array): NativeSession;
  serialize(): Buffer;
  readonly id: Buffer;
  /** Under which policy of its client it was verified: a number of setVerify(), 2 before that; 1: resumed; 0: unknown. */
  readonly policy: number;
  /** 'TLSv1.3', ... */
  readonly version: string;
  readonly cipher: string;
  /** Seconds since 1970. */
  readonly time: number;
  /** Seconds. */
  readonly timeout: number;
  /** SSL_SESSION_get_ticket_lifetime_hint(3), seconds. */
  readonly ticketLifetimeHint: number;
  readonly hasTicket: boolean;
  ticket(): Buffer | null;
  /** SSL_SESSION_get0_ticket_appdata(3), of a server's session. */
  ticketAppData(): Buffer | null;
  readonly resumable: boolean;
  readonly servername: string | null;
  readonly alpnProtocol: string | null;
  /** Bytes of early data allowed. */
  readonly maxEarlyData: number;
  /** X509_V_..., as remembered from the handshake that made the session. */
  readonly verifyResult: number;
  peerCertificate(): Buffer | null;
}

// ---------------------------------------------------------------------------------------------------------------------
// BIO

export declare class NativeBio {
  /** BIO_s_mem(3): one queue of bytes. */
  static memory(): NativeBio;
  /** BIO_new_bio_pair(3); size in bytes for each direction. */
  static pair(size: number): [NativeBio, NativeBio];
  /** Bytes taken; fewer than given, or 0, when the BIO is full (a pair only). */
  write(data: Uint8Array): number;
  /** null: nothing there now. An empty Buffer: the end. At most `max` bytes. */
  read(max: number): Buffer | null;
  /**
   * No more will be written: the reader sees the end after what is there. `broken`: what this end of a pair stands for
   * failed, so that the end never stands for close_notify.
   */
  end(broken?: boolean): void;
  readonly pending: number;
  readonly ended: boolean;
  /** Called, from a reactor turn, when a connection or the other end of a pair wrote to this BIO; null takes it off. */
  onReadable(callback: (() => void) | null): void;
  /** The same, when something was read of what was written here. */
  onDrained(callback: (() => void) | null): void;
  /** Nothing will be read here any more: who writes on the other end of the pair fails. */
  ignore(): void;
  /** The other end of the pair was closed, or ignores what is written here. */
  readonly unread: boolean;
  /** The other end of the pair will write no more; what it wrote may still be there. */
  readonly farEnded: boolean;
  close(): void;
}

// ---------------------------------------------------------------------------------------------------------------------
// SSL

/** What hardly any connection has. */
export interface NativeHandshakeOptions {
  /** Instead of the context's protocols: in wire format (RFC 7301 section 3.1). */
  readonly alpn?: Uint8Array;
  /** A client asks for an OCSP response: SSL_set_tlsext_status_type(3). */
  readonly requestStatus?: boolean;
  /** Pre-shared keys: of a client the first. */
  readonly psks?: readonly NativePresharedKey[];
  /** SSL_use_psk_identity_hint(3) */
  readonly pskHint?: string;
  readonly pskRequired?: boolean;
  /** Servers: OpenSSL keeps no sessions and makes no tickets; Session events tell them, and Session questions ask for them. */
  readonly externalSessions?: boolean;
  /** SSL_set_num_tickets(3). */
  readonly ticketCount?: number;
}

/** Credentials of its own replace those of the context. */
export interface NativeConnectionOptions extends NativeCredentials {
  readonly server: boolean;
  readonly handshake?: NativeHandshakeOptions;
  /** SNI to send. */
  readonly servername?: string;
  /** Host name or IP address that the peer's certificate must carry; checked in the handshake and on resumption. */
  readonly verifyHost?: string;
  /** SSL_VERIFY_..., instead of the context's. */
  readonly verifyMode?: number;
  /** Instead of the context's. */
  readonly verifyDepth?: number;
  /** With verifyMode: the handshake goes on whatever verification says. */
  readonly verifyContinue?: boolean;
  /** Kernel TLS, where library, kernel and socket have it (SSL_OP_ENABLE_KTLS). */
  readonly ktls?: boolean;
  /**
   * What waits for answer(): a mask of 1 << (QuestionKind - 1); names have their own, see NativeServerNames. Throws
   * ERR_TLS_ASYNC_UNAVAILABLE where OpenSSL has no ASYNC jobs, for a server's Verify and a client's Status.
   */
  readonly asks?: number;
  /** Of a server that verifies otherwise than its context: its sessions are resumed where it is the same. */
  readonly sessionPolicy?: Uint8Array;
  /** Small records at first and after a pause. */
  readonly dynamicRecordSizing?: boolean;
  /** DTLS: bytes of one datagram (SSL_set_mtu(3)); absent: what the transport says. */
  readonly mtu?: number;
  /** Servers: other contexts by name. */
  readonly serverNames?: NativeServerNames;
  /** DTLS: the first ClientHello carries a cookie that was checked already (DTLSv1_listen(3)). */
  readonly cookieVerified?: boolean;
  /** Servers: with externalSessions, tickets all the same, for the clients that have them. */
  readonly ticketsToo?: boolean;
  /** Servers: an OCSP response is stapled unread. */
  readonly staplesAnything?: boolean;
  /** Ciphertext bytes waiting to be sent from which writes wait. */
  readonly outMark?: number;
  /** Clear bytes read ahead for an operation that waits for the peer. */
  readonly readAhead?: number;
  /** KeyUpdates that a peer may send in a row without application data. */
  readonly keyUpdateLimit?: number;
  /** Renegotiations that a client may start in `renegotiationWindow` milliseconds. */
  readonly renegotiationLimit?: number;
  readonly renegotiationWindow?: number;
}

/** What a server's connection is switched to. */
export interface NativeContextChoice {
  readonly context: NativeContext;
  /** Whom it verifies (verifyMode, verifyContinue, asks, sessionPolicy); absent: the connection goes on as it is. */
  readonly verification?: NativeSharedOptions;
  /** Positive. */
  readonly tag: number;
}

/** Certificates with their keys, read and held against each other: to be used in the middle of a handshake. */
export declare class NativeIdentity {
  constructor(credentials: NativeCredentials);
}

/** Immutable; any number of connections look in it, on any thread. */
export declare class NativeServerNames {
  constructor(options: {
    /** Its names are there to begin with. Costs no time for each of them: what does not change is shared. */
    readonly base?: NativeServerNames;
    /** Patterns, first of all. What is not there is ignored. */
    readonly removed?: readonly string[];
    /** `pattern`: in lower case, without a dot at its end; `*.` in front stands for one label. Replaces what is there. */
    readonly names: readonly (NativeContextChoice & { readonly pattern: string })[];
    /** Whoever sends another name is a Question. */
    readonly asks: boolean;
    /** Whoever sends another name is refused with unrecognized_name. */
    readonly rejects: boolean;
  });
}

/** The same for many connections, read once. */
export declare class NativeSharedOptions {
  constructor(options: NativeConnectionOptions);
}

/** Outcome of starting an operation; lib/native/constants.ts has the values, and the compiler holds them against this type. */
export interface StatusValues {
  /** An event with this operation's number follows. */
  readonly Pending: 0;
  readonly Done: 1;
  /** takeFailure() says why. A misuse leaves the connection as it was. */
  readonly Failed: 2;
}
export type Status = StatusValues[keyof StatusValues];

/**
 * Whether what is little waits for {@link sendHeld}, or for the next call: never (0), unless it is the connection's first write in an
 * iteration of the loop (1), or always (2).
 */
export type Hold = 0 | 1 | 2;

export interface NativeCipher {
  readonly name: string;
  readonly standardName: string;
  readonly version: string;
  readonly bits: number;
}

export interface NativeEphemeralKey {
  readonly type: 'ECDH' | 'DH';
  /** Of the curve. */
  readonly name?: string;
  /** Bits. */
  readonly size: number;
}

export interface NativeKtls {
  readonly send: boolean;
  readonly receive: boolean;
  /** Why not both; null if both. */
  readonly reason: string | null;
}

export declare class NativeConnection {
  /**
   * `id` names the connection in events; unique in this environment. With a pool the connection lives on one of its threads:
   * operations and reads are always pending at first; readInto() ends with a Data event, whose bytes the caller copies; a
   * read buffer is ignored, and flow comes through the slab. Accessors tell what the thread has published last and wait for
   * nothing.
   */
  constructor(
    context: NativeContext,
    id: number,
    options: NativeConnectionOptions | NativeSharedOptions,
    pool?: NativeIoPool,
  );

  /**
   * The reactor polls the descriptor (close: true) or a duplicate of it. Throws for what is no stream socket, with DTLS
   * for what is no connected datagram socket. `sole`: nobody
   * else will use the socket, so that its directions may be shut down at the end.
   */
  setFd(fd: number, close: boolean, sole: boolean): void;
  /**
   * What a server does with a descriptor that its listener has offered, in one call: setFd() with `close` and `sole`, the
   * options of the socket, handshake() and, with `reads`, startReading(). Throws as setFd().
   *
   * @param keepAlive - seconds, as of setKeepAlive(true); -1: off
   */
  accept(op: number, fd: number, noDelay: boolean, keepAlive: number, reads: boolean, strictEnd: boolean): Status;
  /** The same with a duplicate of a descriptor that is the caller's, and not DTLS. */
  begin(op: number, fd: number, reads: boolean, strictEnd: boolean): Status;
  /** With DTLS each datagram goes through behind two bytes with its length, the higher one first. */
  setBio(read: NativeBio, write: NativeBio): void;

  // Ordered operations: they run in call order. `op` is a positive number, unique on this connection.
  handshake(op: number): Status;
  /** `data` is read until the operation ends. */
  write(op: number, data: Uint8Array, hold: Hold): Status;
  /** The first `length` bytes of what setDispatch() gives as `gathered`, which may be used again at once. */
  writeGathered(op: number, length: number, hold: Hold): Status;
  /** Takes over what `file` holds. `length` null: to the file's end. Ends by an event: the bytes sent. */
  sendFile(op: number, file: NativeFile, offset: number, length: number | null): Status;
  /** With requestPeer an event PeerUpdated with the same number follows the peer's own KeyUpdate. */
  keyUpdate(op: number, requestPeer: boolean): Status;
  renegotiate(op: number, abbreviated: boolean): Status;
  requestClientCertificate(op: number, required: boolean): Status;
  shutdown(op: number, wait: boolean): Status;

  // Reads: FIFO among themselves.
  /** A Buffer (at most `max` bytes), or a number: 0 pending, -1 the peer's close_notify, -2 failed. Later: Data, End, OpFailed. */
  read(op: number, max: number): Buffer | number;
  /** Bytes read into `view` (> 0), 0 pending, -1, -2 as in read(). Later: OpDone with the count, End, OpFailed. */
  readInto(op: number, view: Uint8Array): number;

  // Flow: Data events with op 0 (or, with a read buffer, Data events that say how much of it was filled) until stopReading().
  startReading(): void;
  stopReading(): void;
  /** The memory that flow fills; it is not touched again before the Data event's dispatch has returned. */
  setReadBuffer(view: Uint8Array | null): void;

  // At once
  /** SSL_KEY_UPDATE_NOT_REQUESTED 0, _REQUESTED 1; anything else is passed on, for OpenSSL to refuse. */
  scheduleKeyUpdate(type: number): Status;
  /** -1 none, 0 not requested, 1 requested. */
  readonly keyUpdateType: number;
  scheduleRenegotiate(abbreviated: boolean): Status;
  readonly renegotiatePending: boolean;
  /** Completed ones. */
  readonly renegotiations: number;
  /** NativeContextChoice.tag of the context in use; 0: the one that it began with. */
  readonly contextTag: number;
  /** Adds SSL_SENT_SHUTDOWN 1, SSL_RECEIVED_SHUTDOWN 2. */
  setShutdown(state: number): Status;
  /** A mask of the same. */
  readonly shutdownState: number;
  setQuietShutdown(on: boolean): void;
  /** Of the pre-shared key that was used; null: none. */
  pskIdentity(): Buffer | null;
  readonly quietShutdown: boolean;
  /** SSL_set_max_send_fragment(3); what that refuses changes nothing. */
  setMaxSendFragment(size: number): void;
  /** SSL_SESSION_set1_ticket_appdata(3) of sessions that a server makes from now on; null: they have none. */
  setTicketAppData(data: Uint8Array | null): void;
  /** SSL_OP_NO_RENEGOTIATION, for good. */
  disableRenegotiation(): void;
  /** The peer's next renegotiation ends the connection unanswered (ERR_TLS_TOO_MANY_RENEGOTIATIONS), for good. */
  forbidRenegotiation(): void;
  /** SSL_trace(3) to stderr from now on; nothing where libssl was built without it. */
  trace(): void;
  /** 0: no such operation (it has ended); 1: withdrawn, nothing lost; 2: under way, the connection must be closed. */
  cancel(op: number): number;
  /**
   * Answers a Question. One that is not open any more is ignored.
   *
   * @param failed - nobody could decide: the failure of the connection names the question; `answer` is a refusal
   */
  answer(question: number, kind: QuestionKind, answer: NativeAnswer, failed: boolean): void;
  /** SSL_free and, if owned, close(2). Idempotent. No event follows. */
  close(): void;
  readonly closed: boolean;
  /** From a thread of a pool to the environment's loop. Done at once if it is there. What is called meanwhile waits. */
  moveToLoop(op: number): Status;
  takeFailure(): NativeFailure;
  /** Which of the informing events to record: a mask of Observe. */
  observe(mask: number): void;
  ref(): void;
  unref(): void;

  setSession(session: NativeSession): Status;
  /** A copy of the current session, or null. */
  session(): NativeSession | null;
  /**
   * `goOn`: the handshake continues whatever verification says; `asks`: it waits for answer();
   * `sessionPolicy`: as the option, or empty; `policy`: the number of what holds now, if it is another. Throws, also
   * while a question is open (ERR_TLS_CALLBACK_PENDING). Failed, as for useCredentials() and setCiphers(): the
   * connection had.
   */
  setVerify(mode: number, goOn: boolean, asks: boolean, sessionPolicy: Uint8Array, policy: number | undefined): Status;
  /** SSL_use_certificate(3), SSL_use_PrivateKey(3); throws, also while a handshake is under way. */
  useCredentials(credentials: NativeCredentials): Status;
  /**
   * SSL_set_cipher_list(3), SSL_set_ciphersuites(3); throws, also while a handshake is under way. `policy`: the number of
   * what holds if that changes the security level.
   */
  setCiphers(ciphers: { readonly cipherList?: string; readonly ciphersuites?: string }, policy: number): Status;
  /** SSL_check_private_key(3); throws. */
  checkPrivateKey(): void;

  readonly established: boolean;
  /** 'TLSv1.3', 'TLSv1.2', ... 'unknown' before the handshake. */
  readonly version: string;
  readonly cipher: NativeCipher | null;
  readonly group: string | null;
  readonly alpnProtocol: string | null;
  readonly servername: string | null;
  readonly sessionReused: boolean;
  /** SSL_get_security_level(3); 0 once closed. */
  readonly securityLevel: number;
  /** null once closed. */
  ktls(): NativeKtls | null;
  readonly verifyResult: number;
  peerCertificate(): Buffer | null;
  /** Leaf first, as sent by the peer. */
  peerCertificateChain(): Buffer[];
  /** Leaf first, root last; empty if the peer was not verified in this connection, or was found wrong. */
  verifiedChain(): Buffer[];
  certificate(): Buffer | null;
  /** SSL_get_client_CA_list(3), a line for each part of a name. */
  clientCaList(): string[];
  /** SSL_get0_peer_CA_list(3), likewise. */
  peerCaList(): string[];
  /** 'RSA-PSS+SHA256', 'Ed25519', ... */
  sharedSigalgs(): string[];
  ephemeralKey(): NativeEphemeralKey | null;
  /** null: it lives on a thread, and an event Exported or OpFailed follows. Throws. */
  exportKeyingMaterial(op: number, length: number, label: string, context: Uint8Array | null): Buffer | null;
  /** DER; null: the server has stapled none, or was not asked for one. */
  ocspResponse(): Buffer | null;
  finished(): Buffer | null;
  peerFinished(): Buffer | null;
  /** Ciphertext bytes that wait to be sent; on a thread with what is on its way there. */
  readonly bufferedAmount: number;
  /** Clear bytes that can be read without the network. */
  readonly readableAmount: number;
  /** Milliseconds since the transport gave or took a byte, or something was written. */
  readonly idleTime: number;
  /** SSL_get_state text, for messages. */
  readonly state: string;
  /** getsockname / getpeername, null when there is no socket. */
  localAddress(): NativeAddress | null;
  /** Of a socket on the Internet, also when the connection is closed. */
  remoteAddress(): NativeAddress | null;
  setNoDelay(on: boolean): void;
  setKeepAlive(on: boolean, seconds: number): void;
  /** IP_TOS or IPV6_TCLASS. 0, or a negated errno. */
  setTypeOfService(value: number): number;
  /** Or a negated errno. */
  typeOfService(): number;
  /** False: a transport that ends between two records, after the handshake, is told as the peer's close_notify. */
  setStrictEnd(on: boolean): void;
}

export interface NativeAddress {
  readonly address: string;
  readonly family: 'IPv4' | 'IPv6' | 'unix';
  readonly port: number;
}

/** A duplicate of a regular file's descriptor, until sendFile() takes it over. */
export declare class NativeFile {
  /** Throws EBADF, EISDIR, ESPIPE. */
  constructor(fd: number);
  /** Closes the duplicate if it is still here. Idempotent. */
  close(): void;
}

// ---------------------------------------------------------------------------------------------------------------------
// I/O threads

/** A thread of a pool. */
export interface NativeThreadLoad {
  /** The share of the time since the last call that it spent on a processor, from 0 to 1. */
  readonly busy: number;
  readonly connections: number;
  readonly listeners: number;
  /** It gets nothing new, and ends when nothing lives there any more. */
  readonly retired: boolean;
}

export declare class NativeIoPool {
  /** `id` is the target of the event that close() causes. Throws for more than 256 threads, and if the system refuses one. */
  constructor(id: number, threads: number);
  /** On each thread. */
  readonly connections: number[];
  /** One more, or one that was retired and has not ended. Throws if there are `most`, or the system refuses it. */
  addThread(most: number): void;
  /** False: there is no such thread, or no other one that is not retired. */
  retireThread(index: number): boolean;
  /** Where connections go from now on follows from it. Retired threads on which nothing lives begin to end. */
  measure(): NativeThreadLoad[];
  /** Everything that lives here fails with ERR_TLS_CLOSED; OpDone follows, behind the last event of that. */
  close(): void;
  /** Closes what lives here, without events, and waits for the threads to end. Idempotent. */
  stop(): void;
}

// ---------------------------------------------------------------------------------------------------------------------
// Listening socket

export declare class NativeListener {
  /** With `io` it accepts on one of its threads: events come as those of its connections do. */
  constructor(id: number, io?: NativeIoPool);
  /** bind(2) and listen(2); throws. `address` is numeric; with `path`, a Unix socket. */
  listen(options: {
    readonly address?: string;
    readonly port?: number;
    readonly path?: string;
    readonly fd?: number;
    readonly backlog: number;
    readonly ipv6Only: boolean;
    readonly reusePort: boolean;
  }): void;
  address(): NativeAddress | string | null;
  /** Stops accepting at once; idempotent. Accepted descriptors that no connection has taken are closed. */
  close(): void;
  /** Closes a descriptor that was accepted and that no connection has taken, or that one has refused. */
  refuse(fd: number): void;
  /** Leaves a descriptor that was accepted to the caller, who closes it. False: it is not here any more. */
  giveUp(fd: number): boolean;
  ref(): void;
  unref(): void;
}

/** A connected UDP socket, for setFd(); throws. Addresses are numeric. */
export declare function connectDatagram(options: {
  readonly address: string;
  readonly port: number;
  readonly localAddress?: string;
  readonly localPort?: number;
}): number;

// ---------------------------------------------------------------------------------------------------------------------
// Events
//
// A batch crosses as five 32-bit integers for each event: target id, kind, a, b, c. Bytes lie in `slab` and must be copied out
// before dispatch returns; everything else is fetched with payload(index), also during dispatch only.

export interface EventKindValues {
  /** a: op, b: result (readInto, sendFile: bytes; requestClientCertificate: 1), c: what of it is above 31 bits */
  readonly OpDone: 1;
  /** a: op, b: payload (NativeFailure) */
  readonly OpFailed: 2;
  /** a: op (0: flow), b: offset in the slab (-1: the read buffer was filled), c: length */
  readonly Data: 3;
  /** a: op (0: flow). The peer's close_notify. */
  readonly End: 4;
  /** a: op. The peer updated its sending keys. */
  readonly PeerUpdated: 5;
  /** a: 0 ours, 1 the peer's; b: 1 if it requests one in return */
  readonly KeyUpdate: 6;
  /** a: 1 if the session was resumed in it; b: 1 if the peer started it */
  readonly Renegotiated: 7;
  /** a: payload (NativeSession) */
  readonly Session: 8;
  /** a: payload (string, one line of the NSS key log format) */
  readonly Keylog: 9;
  /** a: payload { sent, version, contentType, data } (SSL_CTX_set_msg_callback(3)) */
  readonly Message: 10;
  /** a: where, b: ret, c: payload (string, SSL_state_string_long) (SSL_CTX_set_info_callback(3)) */
  readonly Info: 11;
  /** a: 1 received, b: level, c: description */
  readonly Alert: 12;
  /** a: payload (NativeFailure). The connection is dead; comes once, after the OpFailed events of what was pending. */
  readonly Failed: 13;
  /** On a listener. a: file descriptor, now the receiver's to close. */
  readonly Accepted: 14;
  /** On a listener. a: payload (NativeFailure), accept(2) failed in a way that lasts (EMFILE); once until it gives a connection. */
  readonly AcceptFailed: 15;
  /** The handshake waits for answer(). a: question, b: QuestionKind, c: payload, as the kind says */
  readonly Question: 16;
  /** a: payload (NativeFailure). The transport takes nothing more; comes once, before what has to send fails. */
  readonly SendingFailed: 17;
  /** a: op, b: payload (Buffer) */
  readonly Exported: 18;
}
export type EventKind = EventKindValues[keyof EventKindValues];

export interface QuestionKindValues {
  /** The peer's certificates: NativeVerifyReport. The answer is X509_V_...; X509_V_OK (0) accepts. */
  readonly Verify: 1;
  /** A name that the client sends and NativeServerNames does not have: string. The answer is a choice, 0 for none, or an alert. */
  readonly ServerName: 2;
  /** A ClientHello: NativeClientHello. The answer is NativeHelloSettings, 0 to go on, or an alert. */
  readonly ClientHello: 3;
  /** The protocols that a client offers: Buffer, in wire format. The answer is one of them, no bytes for none, or an alert. */
  readonly Protocol: 4;
  /** Which certificate to show: NativeCertificateRequest. The answer is a NativeIdentity, 1 for what is there; 0 fails. */
  readonly Certificate: 5;
  /** What to staple to a certificate: NativeStatusRequest. The answer is an OCSP response, 1 for none; 0 fails. */
  readonly StatusRequest: 6;
  /** What a server has stapled: Buffer, or null. The answer is 1, or 0: bad_certificate_status_response. */
  readonly Status: 7;
  /** A session that a client asks for: Buffer, its id. The answer is a NativeSession, or 0 for none. */
  readonly Session: 8;
  /** A pre-shared key: NativePskRequest. The answer is a NativePresharedKey, or 0 for none. */
  readonly Psk: 9;
}
export type QuestionKind = QuestionKindValues[keyof QuestionKindValues];
export type NativeAnswer =
  | number
  | NativeContextChoice
  | NativeHelloSettings
  | NativeIdentity
  | NativeSession
  | NativePresharedKey
  | Uint8Array;

export interface NativeClientHello {
  /** The handshake message, with its header: of 4 bytes, with DTLS of 12. */
  readonly message: Buffer;
  readonly renegotiation: boolean;
}

/** Applied in this order. */
export interface NativeHelloSettings {
  readonly context?: NativeContextChoice;
  readonly minVersion?: number;
  readonly maxVersion?: number;
  readonly cipherList?: string;
  readonly ciphersuites?: string;
  readonly groups?: string;
  /** verifyMode, verifyContinue, asks, sessionPolicy */
  readonly verification?: NativeSharedOptions;
  readonly alpn?: Uint8Array;
  readonly identity?: NativeIdentity;
}

export interface NativeCertificateRequest {
  /** SignatureScheme, in the peer's order. */
  readonly signatureSchemes: readonly number[];
  /** Of a server's request. */
  readonly authorities: readonly string[];
  /** ClientCertificateType, up to TLS 1.2. */
  readonly types: readonly number[];
}

export interface NativePskRequest {
  /** On a server: what the client offers. */
  readonly identities: readonly Buffer[];
  /** On a client, up to TLS 1.2: the server's. Null: none, or not known yet. */
  readonly hint: string | null;
}

export interface NativePresharedKey {
  readonly identity: Uint8Array;
  readonly key: Uint8Array;
  /** For TLS 1.3; otherwise SHA-256. */
  readonly sha384: boolean;
}

/** DER. */
export interface NativeStatusRequest {
  readonly certificate: Buffer;
  readonly issuer: Buffer | null;
}

/** What X509_verify_cert(3) found. */
export interface NativeVerifyReport {
  /** DER: the chain, leaf first, and behind it others that were found fault with. */
  readonly certificates: readonly Buffer[];
  readonly chainLength: number;
  /** Three numbers each: place in `certificates` (-1: none), depth, X509_V_.... In OpenSSL's order. */
  readonly findings: readonly number[];
}

export interface ObserveValues {
  readonly Session: 1;
  readonly Keylog: 2;
  readonly Message: 4;
  readonly Info: 8;
}
export type Observe = ObserveValues[keyof ObserveValues];

/** Installs this environment's receiver; once. `dispatch` may be called while another dispatch is on the stack never. */
export declare function setDispatch(
  dispatch: (count: number, slab: Uint8Array) => void,
  makeError: (failure: NativeFailure) => Error,
): {
  /**
   * state[0]: events recorded and not yet dispatched, in this environment. state[1]: whether something is written that waits for the
   * end of the turn. state[2]: whether this turn is a dispatch, behind which it is sent.
   */
  readonly state: Int32Array;
  /** What `dispatch` is called for, five integers each. */
  readonly events: Int32Array;
  /** 64 KiB, for writeGathered(): in one native call what would be several, and no object for what is small. */
  readonly gathered: Uint8Array;
  /** Views of `slab` may be given to users for the time of a dispatch: detaching them does no harm. */
  readonly lends: boolean;
};
/** What the slab of the batch that is being dispatched holds, for when a handler has detached it. */
export declare function copiedSlab(): Uint8Array;
export declare function payload(index: number): unknown;
/** Sends what was written and waits. */
export declare function sendHeld(): void;
/** X509_verify_cert_error_string(3). */
export declare function verifyResultText(code: number): string;

// ---------------------------------------------------------------------------------------------------------------------
// What process.dlopen gives

/** The exports of the addon. */
export interface Binding {
  readonly opensslInfo: typeof opensslInfo;
  readonly opensslSetup: typeof opensslSetup;
  readonly loadProvider: typeof loadProvider;
  readonly lockedInputs: typeof lockedInputs;
  readonly hashedNames: typeof hashedNames;
  readonly NativeContext: typeof NativeContext;
  readonly NativeTicketKeyRing: typeof NativeTicketKeyRing;
  readonly NativeSession: typeof NativeSession;
  readonly NativeSharedOptions: typeof NativeSharedOptions;
  readonly NativeServerNames: typeof NativeServerNames;
  readonly NativeIdentity: typeof NativeIdentity;
  readonly NativeBio: typeof NativeBio;
  readonly NativeConnection: typeof NativeConnection;
  readonly NativeFile: typeof NativeFile;
  readonly NativeIoPool: typeof NativeIoPool;
  readonly NativeListener: typeof NativeListener;
  readonly connectDatagram: typeof connectDatagram;
  readonly setDispatch: typeof setDispatch;
  readonly copiedSlab: typeof copiedSlab;
  readonly payload: typeof payload;
  readonly sendHeld: typeof sendHeld;
  readonly verifyResultText: typeof verifyResultText;
}
