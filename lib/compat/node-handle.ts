// What node's own JavaScript tells a handle, assigns to it and asks of it, as it does of its TLSWrap.
import { AsyncResource } from 'node:async_hooks';
import { type InspectOptions, inspect } from 'node:util';
import type { Ssl } from '../connection/ssl.ts';
import { connectionOf } from '../connection/state.ts';
import { SslSession } from '../session/session.ts';
import { hintRefused, sessionNoBuffer } from './node-errors.ts';
import type { AnySocket } from './node-tls.ts';
import { type Context, contextOf } from './secure-context.ts';

/** What node has told of the connection before it is there. */
export interface HandleSettings {
  readonly server: boolean;
  requestCert: boolean;
  requireCert: boolean;
  keyCert: Context | undefined;
  sendFragment: number | undefined;
  servername: string | undefined;
  session: SslSession | undefined;
  protocols: string[] | undefined;
  requestOCSP: boolean;
  pskHint: string | undefined;
  asksCertificate: boolean;
  asksSession: boolean;
  asksProtocol: boolean;
  asksPsk: boolean;
  keylog: boolean;
  trace: boolean;
}

/** PSK_MAX_IDENTITY_LEN of <openssl/ssl.h>, 3.0. */
const longestHint = 256;

function noSettings(server: boolean): HandleSettings {
  return {
    server,
    requestCert: false,
    requireCert: false,
    keyCert: undefined,
    sendFragment: undefined,
    servername: undefined,
    session: undefined,
    protocols: undefined,
    requestOCSP: false,
    pskHint: undefined,
    asksCertificate: false,
    asksSession: false,
    asksProtocol: false,
    asksPsk: false,
    keylog: false,
    trace: false,
  };
}

/** d2i_SSL_SESSION(3). Undefined: it is damaged, or of an OpenSSL that writes others. */
function readSession(bytes: NodeJS.ArrayBufferView): SslSession | undefined {
  try {
    return SslSession.from(bytes);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_TLS_INVALID_SESSION') return undefined;
    throw error;
  }
}

/** @param list - in the format of the extension (RFC 7301) */
export function protocolsOf(list: Uint8Array): string[] {
  const protocols: string[] = [];
  for (let at = 0; at < list.length; ) {
    const length = list[at] ?? 0;
    protocols.push(Buffer.from(list.subarray(at + 1, at + 1 + length)).toString('latin1'));
    at += 1 + length;
  }
  return protocols;
}

/** Names are node's. */
export class NodeHandle extends AsyncResource {
  // Assigned by node.
  reading = false;
  onread: unknown;
  lastHandshakeTime = 0;
  handshakes = 0;
  sni_context: unknown;
  onhandshakestart?: (now: number) => void;
  onhandshakedone?: () => void;
  onclienthello?: (hello: { sessionId: Buffer; servername: string | undefined; tlsTicket: boolean }) => void;
  oncertcb?: (info: { servername: string | undefined; OCSPRequest: boolean }) => void;
  /** Gives the offset of the protocol that was chosen. */
  ALPNCallback?: (protocols: Buffer) => number | undefined;
  onnewsession?: (id: Buffer, session: Buffer) => void;
  onocspresponse?: (response: Buffer | null) => void;
  onkeylog?: (line: Buffer) => void;
  onerror?: (error: Error) => void;

  readonly socket: AnySocket;
  readonly settings: HandleSettings;
  ssl: Ssl | undefined;
  /** The name that a client has sent, as soon as it is known. */
  helloName: string | undefined;
  /** What node is asked for, and what it has answered. */
  certificateChosen: (() => void) | undefined;
  sessionLooked: (() => void) | undefined;
  ocspResponse: Buffer | undefined;
  loadedSession: Buffer | undefined;
  /** Of several that came together, the one that node has heard of. */
  toldSession: Buffer | undefined;
  toldTicket: Buffer | undefined;
  #statusTold = false;

  constructor(socket: AnySocket, server: boolean) {
    super('SYSTEMTLSHANDLE');
    this.socket = socket;
    this.settings = noSettings(server);
  }

  /** Whoever logs a socket gets no circle, and none of the secrets that a session has. */
  toJSON(): object {
    const { server, servername, protocols } = this.settings;
    return { server, servername, protocols, reading: this.reading };
  }

  [inspect.custom](_depth: number, options: InspectOptions): string {
    return `${this.constructor.name} ${inspect(this.toJSON(), options)}`;
  }

  getAsyncId(): number {
    return this.asyncId();
  }

  getProviderType(): number {
    return 0;
  }

  /** Undefined: it has not begun, or is over. */
  protected get live(): Ssl | undefined {
    return this.ssl === undefined || this.ssl.closed ? undefined : this.ssl;
  }

  // -------------------------------------------------------------------------------------------------------------------
  // Settings

  setVerifyMode(requestCert: boolean, rejectUnauthorized: boolean): void {
    Object.assign(this.settings, { requestCert, requireCert: requestCert && rejectUnauthorized });
    this.live?.setVerify({ requestCert, rejectUnauthorized: false });
  }

  /** tls.TLSSocket.setKeyCert(): its certificate, for the handshake that is under way. */
  setKeyCert(context: unknown): void {
    this.settings.keyCert = contextOf(context);
  }

  setServername(name: string): void {
    this.settings.servername = name;
  }

  /** One that cannot be read, as out of another OpenSSL, is none: the handshake is full. */
  setSession(session: NodeJS.ArrayBufferView): void {
    if (!ArrayBuffer.isView(session)) throw sessionNoBuffer();
    this.settings.session = readSession(session) ?? this.settings.session;
  }

  setALPNProtocols(list: Uint8Array): void {
    this.settings.protocols = protocolsOf(list);
  }

  /** Once, in the handshake or behind it. */
  tellStatus(response: Buffer | null): void {
    if (this.#statusTold) return;
    this.#statusTold = true;
    this.onocspresponse?.(response);
  }

  requestOCSP(): void {
    this.settings.requestOCSP = true;
  }

  setPskIdentityHint(hint: string): void {
    if (Buffer.byteLength(hint) <= longestHint) this.settings.pskHint = hint;
    else process.nextTick(() => this.onerror?.(hintRefused()));
  }

  enableCertCb(): void {
    this.settings.asksCertificate = true;
  }

  enableSessionCallbacks(): void {
    this.settings.asksSession = true;
  }

  enableALPNCb(): void {
    this.settings.asksProtocol = true;
  }

  enablePskCallback(): void {
    this.settings.asksPsk = true;
  }

  enableKeylogCallback(): void {
    this.settings.keylog = true;
    this.ssl?.on('keylog', line => this.onkeylog?.(line));
  }

  /** SSL_trace(3), which writes to stderr: nothing where libssl was built without. */
  enableTrace(): void {
    this.settings.trace = true;
    if (this.live !== undefined) connectionOf(this.live).native.trace();
  }

  setMaxSendFragment(size: number): number {
    if (size < 512 || size > 16384) return 0;
    this.settings.sendFragment = size;
    this.live?.setMaxSendFragment(size);
    return 1;
  }

  // Answers of node's to what a handshake asks.

  certCbDone(): void {
    this.certificateChosen?.();
  }

  setOCSPResponse(response: Buffer): void {
    this.ocspResponse = response;
  }

  loadSession(session: Buffer | null | undefined): void {
    this.loadedSession = session ?? undefined;
  }

  endParser(): void {
    this.sessionLooked?.();
  }

  /** The same since node 24. */
  clientHelloDone(): void {
    this.sessionLooked?.();
  }
}
