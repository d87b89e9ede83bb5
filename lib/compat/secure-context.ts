// tls.SecureContext over a context of this package: node's class, so that whoever asks by instanceof is content.
import { constants, randomBytes, X509Certificate } from 'node:crypto';
import type { SecureContext, SecureContextOptions } from 'node:tls';
import { contextArgument, SslContext, type SslContextOptions } from '../context/context.ts';
import type { CredentialOptions } from '../context/credentials.ts';
import { checkedIo } from './io.ts';
import { withKnownIssuers } from './issuers.ts';
import { nodeTls } from './node-tls.ts';
import { certificateBlocks, namesCertificate } from './pem.ts';
import { defaultTrust } from './trust.ts';

/** node's own. */
export const createByNode = nodeTls.createSecureContext;
/** As node compiled it in, whatever `--tls-cipher-list` says: the policy of node's OpenSSL, and not of the system's. */
const nodesCiphers = (constants as { readonly defaultCoreCipherList?: string }).defaultCoreCipherList;

/** Options that mean here what they mean in node. */
const sameNames = [
  'cert',
  'crl',
  'dhparam',
  'key',
  'passphrase',
  'pfx',
  'secureOptions',
  'sessionIdContext',
  'sessionTimeout',
  'sigalgs',
  'ticketKeys',
  'allowPartialTrustChain',
] as const;

type NodeOptions = Readonly<Record<string, unknown>>;

/** A method of OpenSSL's, which node takes for the bounds of the version (SSL_CTX_set_min_proto_version(3)). */
const methods: ReadonlyMap<unknown, readonly [min: string | undefined, max: string | undefined]> = new Map([
  ['TLS', ['TLSv1', 'TLSv1.3']],
  ['SSLv23', [undefined, 'TLSv1.2']],
  ['TLSv1', ['TLSv1', 'TLSv1']],
  ['TLSv1_1', ['TLSv1.1', 'TLSv1.1']],
  ['TLSv1_2', ['TLSv1.2', 'TLSv1.2']],
]);

const isNothing = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  value === 0 ||
  value === '' ||
  (Array.isArray(value) && value.length === 0);

/** Bounds that leave no version, of which node makes a context whose handshakes fail. */
const noVersion = (options: NodeOptions): object => ({
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
  secureOptions: (Number(options['secureOptions'] ?? 0) | constants.SSL_OP_NO_TLSv1_2) >>> 0,
});

function versions(options: NodeOptions): object {
  const { secureProtocol, minVersion, maxVersion } = options;
  const family =
    typeof secureProtocol === 'string' ? secureProtocol.replace(/(_(server|client))?_method$/, '') : undefined;
  const bounds = methods.get(family);
  if (bounds?.[0] === undefined && bounds !== undefined && nodeTls.DEFAULT_MIN_VERSION === 'TLSv1.3') {
    return noVersion(options);
  }
  if (bounds !== undefined) return { minVersion: bounds[0] ?? nodeTls.DEFAULT_MIN_VERSION, maxVersion: bounds[1] };
  return {
    minVersion: minVersion ?? nodeTls.DEFAULT_MIN_VERSION,
    maxVersion: maxVersion ?? nodeTls.DEFAULT_MAX_VERSION,
  };
}

/** node's defaults of TLS 1.3. */
const suites = ['TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256', 'TLS_AES_128_GCM_SHA256'];

/** A list that names no suite of TLS 1.3 leaves node's defaults as they are; of this package it would leave TLS 1.3 out. */
function withSuites(ciphers: unknown): unknown {
  if (typeof ciphers !== 'string') return ciphers;
  const names = ciphers.split(':').filter(name => !/^[!-]TLS_/.test(name));
  if (names.length === 0) return undefined;
  if (names.every(name => name === '')) return ciphers;
  return (names.some(name => name.startsWith('TLS_')) ? names : [...names, ...suites]).join(':');
}

/** Absent: the system's policy, unless the caller, or who has set `tls.DEFAULT_*`, has one. */
function negotiated({
  ciphers = nodeTls.DEFAULT_CIPHERS,
  ecdhCurve = nodeTls.DEFAULT_ECDH_CURVE,
  honorCipherOrder,
}: NodeOptions): object {
  return {
    ...(!isNothing(ciphers) && ciphers !== nodesCiphers && { ciphers: withSuites(ciphers) }),
    ...(!isNothing(ecdhCurve) && ecdhCurve !== 'auto' && { ecdhCurve }),
    honorCipherOrder: Boolean(honorCipherOrder),
  };
}

/** Certificates of authorities: what else is in their files node leaves out. */
function authorities(ca: unknown): unknown {
  const holds = (each: unknown): boolean => !/-----BEGIN /.test(String(each)) || namesCertificate.test(String(each));
  return [ca].flat().filter(holds);
}

/** An empty list trusts nobody. */
function trust(options: NodeOptions): object {
  return options['ca'] ? { ca: authorities(options['ca']), systemCa: false } : defaultTrust();
}

type Kind = (value: unknown) => boolean;
const isBytes: Kind = value => ArrayBuffer.isView(value);
const isText: Kind = value => typeof value === 'string' || isBytes(value);
const isMaterial: Kind = value =>
  Array.isArray(value)
    ? value.every(each => isText(each) || (typeof each === 'object' && each !== null))
    : isText(value);
const plain: Readonly<Record<string, Kind>> = {
  ca: isMaterial,
  cert: isMaterial,
  crl: isMaterial,
  key: isMaterial,
  pfx: isMaterial,
  ciphers: value => typeof value === 'string',
  // node warns of short ones, and passes over what is none.
  dhparam: value => value === 'auto',
  ecdhCurve: value => typeof value === 'string',
  sigalgs: value => typeof value === 'string' && value !== '',
  secureProtocol: () => false,
  clientCertEngine: () => false,
  privateKeyEngine: () => false,
  privateKeyIdentifier: () => false,
  sessionTimeout: value => Number.isInteger(value),
  secureOptions: value => Number.isInteger(value),
};

/** node validates in JavaScript first; what is as it should be need not be asked. */
function validateByNode(options: NodeOptions): void {
  const odd = Object.entries(plain).some(([name, holds]) => {
    const value = options[name];
    return value !== undefined && value !== null && !holds(value);
  });
  if (odd) createByNode(options as SecureContextOptions);
}

function certificatesIn(pem: unknown): X509Certificate[] {
  return certificateBlocks(String(pem ?? '')).map(block => new X509Certificate(block));
}

/** The certificates that issued it, of those that are at hand: node's OpenSSL sends them too. */
function withIssuers(options: NodeOptions): object {
  const { cert, ca } = options;
  const [own, ...others] = certificatesIn(Array.isArray(cert) ? undefined : cert);
  if (own === undefined || others.length > 0 || isNothing(ca)) return {};
  const known = [ca].flat().flatMap(each => certificatesIn(each));
  const chain = withKnownIssuers(own, known);
  return chain.length === 1 ? {} : { cert: chain.map(String).join('\n') };
}

/** What node has to say of options that are wrong, it says in its own words. */
function translated(options: NodeOptions): SslContextOptions {
  const same = sameNames.filter(name => !isNothing(options[name])).map(name => [name, options[name]]);
  return {
    ...Object.fromEntries(same),
    ...withIssuers(options),
    ...trust(options),
    ...versions(options),
    ...negotiated(options),
    // Who counts renegotiations is node, which ends the connection at tls.CLIENT_RENEG_LIMIT.
    clientRenegotiation: { limit: 2 ** 31 - 1 },
    rejectUnauthorized: false,
  } as SslContextOptions;
}

function makeContext(options: NodeOptions): SslContext {
  try {
    const context = new SslContext(translated(options));
    contextArgument(context, 'context').native.keepTickets();
    return context;
  } catch (error) {
    // Whatever node would refuse too it words as its users know it.
    createByNode(options as SecureContextOptions);
    const { dhparam, ...others } = options;
    if (isNothing(dhparam) || dhparam === 'auto' || !/^dhparam is /.test((error as Error).message)) throw error;
    return makeContext(others);
  }
}

/** In the place of node's own C++ object, `secureContext.context`. */
export class Context {
  #ssl: SslContext;
  #options: NodeOptions;
  #nodes: unknown;
  /** As they were given. */
  #ticketKeys: Uint8Array | undefined;

  constructor(options: NodeOptions) {
    this.#options = options;
    checkedIo(options);
    if (options['ticketKeys'] instanceof Uint8Array) this.#ticketKeys = options['ticketKeys'];
    validateByNode(options);
    this.#ssl = makeContext(options);
  }

  get ssl(): SslContext {
    return this.#ssl;
  }

  /** What setKeyCert() takes of it. */
  get identity(): CredentialOptions {
    const { cert, key, pfx, passphrase } = this.#options;
    return Object.fromEntries(Object.entries({ cert, key, pfx, passphrase }).filter(([, value]) => !isNothing(value)));
  }

  #change(options: NodeOptions): void {
    this.#options = { ...this.#options, ...options };
    this.#ssl = makeContext(this.#options);
  }

  // Of node's own object; not documented, and used.

  addCACert(certificate: unknown): void {
    this.#change({ ca: [this.#options['ca'] ?? [], certificate].flat() });
  }

  addCRL(crl: unknown): void {
    this.#change({ crl: [this.#options['crl'] ?? [], crl].flat() });
  }

  setCiphers(ciphers: unknown): void {
    this.#change({ ciphers });
  }

  setKey(key: unknown, passphrase?: unknown): void {
    this.#options = { ...this.#options, key, passphrase };
    if (!isNothing(this.#options['cert'])) this.#change({});
  }

  setCert(cert: unknown): void {
    this.#options = { ...this.#options, cert };
    if (!isNothing(this.#options['key'])) this.#change({});
  }

  setOptions(secureOptions: unknown): void {
    this.#change({ secureOptions });
  }

  addRootCerts(): void {}

  enableTicketKeyCallback(): void {}

  /** Of its own and of authorities, as they are in its options. */
  get certificates(): X509Certificate[] {
    const { cert, ca } = this.#options;
    return [cert, ca].flat().flatMap(each => certificatesIn(each));
  }

  /** The own one in DER, for 'OCSPRequest', also out of a PKCS #12 file: as node reads it. */
  getCertificate(): Buffer | null {
    return this.#byNode.getCertificate();
  }

  getIssuer(): Buffer | null {
    return this.#byNode.getIssuer();
  }

  get #byNode(): { getCertificate(): Buffer | null; getIssuer(): Buffer | null } {
    this.#nodes ??= (createByNode(this.#options as SecureContextOptions) as never as { context: never }).context;
    return this.#nodes as never;
  }

  /** 48 bytes, of which the context makes its 80: who asks for random ones gets new ones, once. */
  getTicketKeys(): Buffer {
    if (this.#ticketKeys === undefined) this.setTicketKeys(randomBytes(48));
    return Buffer.from(this.#ticketKeys ?? []);
  }

  setTicketKeys(keys: Uint8Array): void {
    this.ssl.ticketKeys = keys;
    this.#ticketKeys = Buffer.from(keys);
  }

  close(): void {}
}

/** tls.createSecureContext(). */
export function createSecureContext(options?: SecureContextOptions | null): SecureContext {
  const { SecureContext } = nodeTls as unknown as { SecureContext: new () => SecureContext };
  const context = Object.create(SecureContext.prototype as object) as { context: unknown };
  context.context = new Context({ ...options });
  return context as unknown as SecureContext;
}

/** The context of ours that it has; undefined: it is node's. */
export function contextOf(secureContext: unknown): Context | undefined {
  if (secureContext instanceof Context) return secureContext;
  const inner = (secureContext as { context?: unknown } | null | undefined)?.context;
  return inner instanceof Context ? inner : undefined;
}

/** Calls `make` while node's own JavaScript makes contexts of ours. */
export function withOurContexts<T>(make: () => T): T {
  const before = nodeTls.createSecureContext;
  nodeTls.createSecureContext = createSecureContext as typeof before;
  try {
    return make();
  } finally {
    nodeTls.createSecureContext = before;
  }
}
