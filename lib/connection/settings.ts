// Options of an Ssl, checked and in native terms.
import type { NativeConnectionOptions, NativeHandshakeOptions, NativeSharedOptions } from '../../types/binding.d.ts';
import { hostName, serverName } from '../base/host-name.ts';
import {
  optionalBoolean,
  optionalFunction,
  optionalInteger,
  optionalString,
  validateObject,
  validateOneOf,
} from '../base/validate.ts';
import {
  assertOneWayToProtocol,
  callbackMask,
  givenCallbacks,
  keepsSessions,
  noCallbacks,
  requestsStatus,
} from '../callbacks/options.ts';
import { assertPskCanWait, presharedKeys } from '../callbacks/psk.ts';
import type { Verifier } from '../callbacks/verifier.ts';
import {
  assertCanWait,
  type VerifyPolicy,
  verifyContinue,
  verifyMode,
  verifyPolicy,
} from '../callbacks/verify-mode.ts';
import { alpnWire } from '../context/alpn.ts';
import type { ContextInternals, HandshakeCallbacks } from '../context/context.ts';
import { defined, nativeCredentials } from '../context/credentials.ts';
import { assertMethodCarries, assertMethodSide } from '../context/methods.ts';
import { type ContextPolicy, ticketCount } from '../context/options.ts';
import { hasOlder } from '../context/versions.ts';
import { QuestionKind } from '../native/constants.ts';
import { binding } from '../native/load-binding.ts';
import { type ExpectedOrigin, originUnder } from '../session/policy.ts';
import type { SslListeners } from './events.ts';
import type { SslOptions } from './options.ts';

const maxInt32 = 2 ** 31 - 1;
/**
 * What a handshake needs at the least: 256, less the headers of IPv4 and UDP (dtls1_query_mtu() in d1_lib.c).
 * SSL_set_mtu(3) takes less, for IPv6, whose headers are longer, but does not know yet which it will be.
 */
const minMtu = 228;
/** The longest datagram of UDP over IPv4. */
const maxMtu = 65507;

/** What only this package may say of a connection. */
export type InternalOptions = Pick<
  NativeConnectionOptions,
  'cookieVerified' | 'serverNames' | 'servername' | 'ticketsToo' | 'staplesAnything'
>;

/**
 * What connections have in common that are made alike: checked once, however many there are. No connection holds it: there
 * may be a private key in it.
 */
export class ConnectionSettings {
  readonly server: boolean;
  /** What the peer's certificate must carry. */
  readonly host: string | undefined;
  readonly verify: VerifyPolicy;
  readonly callbacks: HandshakeCallbacks;
  readonly on: SslListeners | undefined;
  /** Of sessions that are made here. */
  readonly origin: ExpectedOrigin;
  readonly native: NativeConnectionOptions | NativeSharedOptions;

  /**
   * @param shared - for many connections: native code reads the options now, and not for each of them
   */
  constructor(
    { policy, trusted, callbacks }: ContextInternals,
    options: SslOptions,
    internal: InternalOptions = {},
    shared = false,
  ) {
    validateObject(options, 'options');
    validateOneOf(options.side, 'options.side', ['client', 'server']);
    this.server = options.side === 'server';
    const servername = this.server ? undefined : sentName(options.servername);
    assertMethodSide(policy.method, options.side);
    this.host = options.host === false ? undefined : (expectedHost(options.host) ?? servername);
    this.verify = verifyPolicy(options, policy.verify);
    assertCanWait(this.server, this.verify);
    const given = givenCallbacks(options);
    this.callbacks = given === noCallbacks ? callbacks : { ...callbacks, ...given };
    assertPskCanWait(this.server, this.callbacks.onPsk, hasOlder(policy.versions, policy.method));
    assertOneWayToProtocol(options);
    const depth = optionalInteger(options.verifyDepth, 'options.verifyDepth', 0, 1000);
    const native = { ...nativeOptions(this, { servername, verifyDepth: depth }, policy, options), ...internal };
    this.native = shared ? new binding.NativeSharedOptions(native) : native;
    this.on = checkListeners(options.on);
    const host = this.host ?? servername ?? null;
    this.origin = originUnder(this.verify, host, { ...trusted, verifyDepth: depth });
  }
}

function expectedHost(value: unknown): string | undefined {
  const text = optionalString(value, 'options.host');
  return text === undefined ? undefined : hostName(text, 'options.host').name;
}

function sentName(value: unknown): string | undefined {
  const text = optionalString(value, 'options.servername');
  return text === undefined ? undefined : serverName(text, 'options.servername');
}

export function checkListeners(on: SslListeners | undefined): SslListeners | undefined {
  if (on === undefined || on === null) return undefined;
  validateObject(on, 'options.on');
  for (const [name, listener] of Object.entries(on)) optionalFunction(listener, `options.on.${name}`);
  return on;
}

/** What keeps a server's sessions apart from those of its context, if another decides here. */
export function sessionPolicy(own: Verifier | null, shared: Verifier | null): Uint8Array {
  return Buffer.from(own?.digest === shared?.digest ? '' : (own?.digest ?? 'OpenSSL decides'));
}

function askingOptions(
  { server, verify: { verifier: own }, callbacks }: Pick<ConnectionSettings, 'server' | 'verify' | 'callbacks'>,
  shared: Verifier | null,
): Partial<NativeConnectionOptions> {
  const policy = sessionPolicy(own, shared);
  const asks = callbackMask(callbacks, server) | (own === null ? 0 : 1 << (QuestionKind.Verify - 1));
  return { ...(asks !== 0 && { asks }), ...(policy.length > 0 && { sessionPolicy: policy }) };
}

/** What hardly any connection has. */
function handshakeOptions(
  { server, callbacks }: Pick<ConnectionSettings, 'server' | 'callbacks'>,
  options: SslOptions,
): NativeHandshakeOptions {
  const { psk, pskIdentityHint, pskRequired } = callbacks;
  return defined({
    alpn: alpnWire(options.ALPNProtocols),
    ticketCount: ticketCount(options.ticketCount),
    psks: presharedKeys(psk),
    pskHint: pskIdentityHint,
    pskRequired,
    requestStatus: (!server && requestsStatus(callbacks)) || undefined,
    externalSessions: (server && keepsSessions(callbacks)) || undefined,
  }) as NativeHandshakeOptions;
}

/** Undefined for nearly all. */
function rareOptions(
  settings: Pick<ConnectionSettings, 'server' | 'callbacks'>,
  options: SslOptions,
): NativeHandshakeOptions | undefined {
  const { ALPNProtocols, ticketCount: tickets } = options;
  if (settings.callbacks === noCallbacks && ALPNProtocols === undefined && tickets === undefined) return undefined;
  return handshakeOptions(settings, options);
}

function nativeOptions(
  settings: Pick<ConnectionSettings, 'server' | 'host' | 'verify' | 'callbacks'>,
  { servername, verifyDepth }: Pick<SslOptions, 'servername' | 'verifyDepth'>,
  policy: ContextPolicy,
  options: SslOptions,
): NativeConnectionOptions {
  const { server, host, verify } = settings;
  const handshake = rareOptions(settings, options);
  const outMark = optionalInteger(options.outgoingMark, 'options.outgoingMark', 1, maxInt32);
  const ktls = optionalBoolean(options.ktls, 'options.ktls', false);
  const sizing = optionalBoolean(options.dynamicRecordSizing, 'options.dynamicRecordSizing', false);
  if (sizing) assertMethodCarries(policy.method, 'stream', 'the option dynamicRecordSizing');
  const mtu = optionalInteger(options.mtu, 'options.mtu', minMtu, maxMtu);
  if (mtu !== undefined) assertMethodCarries(policy.method, 'messages', 'the option mtu');
  const readAhead = optionalInteger(options.readAhead, 'options.readAhead', 0, maxInt32);
  return {
    server,
    ...nativeCredentials(options),
    verifyMode: verifyMode(server, verify),
    verifyContinue: verifyContinue(server, verify),
    ...askingOptions(settings, policy.verify.verifier),
    ...(handshake !== undefined && { handshake }),
    ...(verifyDepth !== undefined && { verifyDepth }),
    ...(servername !== undefined && { servername }),
    ...(host !== undefined && !server && { verifyHost: host }),
    ...(ktls && { ktls }),
    ...(sizing && { dynamicRecordSizing: sizing }),
    ...(mtu !== undefined && { mtu }),
    ...(outMark !== undefined && { outMark }),
    ...(readAhead !== undefined && { readAhead }),
    ...(policy.keyUpdateLimit !== undefined && { keyUpdateLimit: policy.keyUpdateLimit }),
    ...(policy.renegotiation !== undefined && {
      renegotiationLimit: policy.renegotiation.limit,
      renegotiationWindow: policy.renegotiation.window,
    }),
  };
}
