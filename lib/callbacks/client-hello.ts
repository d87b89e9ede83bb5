// A ClientHello (RFC 8446 section 4.1.2, RFC 5246 section 7.4.1.2) out of its bytes, with all that OpenSSL does not know.
import { signatureSchemeName } from './signature-schemes.ts';

export interface HelloExtension {
  /** ExtensionType. */
  readonly type: number;
  readonly data: Buffer;
}

export interface HelloKeyShare {
  /** NamedGroup. */
  readonly group: number;
  readonly keyExchange: Buffer;
}

/** What a client says first. Numbers are those of the registries of IANA; GREASE (RFC 8701) is among them. */
export interface ClientHello {
  /** The handshake message, with its header. */
  readonly raw: Buffer;
  /** `legacy_version`: 0x0303 and so on. */
  readonly version: number;
  readonly random: Buffer;
  readonly sessionId: Buffer;
  /** CipherSuite, by preference. */
  readonly ciphers: readonly number[];
  /** In the order of the message. */
  readonly extensions: readonly HelloExtension[];
  /** In lower case; null: there is none, or what is there is no name. */
  readonly serverName: string | null;
  /** Protocols that the client offers (RFC 7301). */
  readonly alpn: readonly string[];
  /** NamedGroup, by preference. */
  readonly groups: readonly number[];
  /** SignatureScheme by the names of RFC 8446 section 4.2.3; unknown ones as `'0x0a0a'`. */
  readonly signatureAlgorithms: readonly string[];
  /** Of the extension supported_versions; else the versions up to `version` are meant. */
  readonly supportedVersions: readonly number[];
  readonly keyShares: readonly HelloKeyShare[];
  /** It is not the first of its connection. */
  readonly renegotiation: boolean;
}

const extensionTypes = {
  serverName: 0,
  supportedGroups: 10,
  signatureAlgorithms: 13,
  alpn: 16,
  supportedVersions: 43,
  keyShare: 51,
} as const;

/** Reads what is there; what is cut short reads as empty: OpenSSL refuses it when it looks at it itself. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  number(size: 1 | 2): number {
    if (this.#at + size > this.#bytes.length) {
      this.#at = this.#bytes.length;
      return 0;
    }
    const value = this.#bytes.readUIntBE(this.#at, size);
    this.#at += size;
    return value;
  }

  bytes(size: number): Buffer {
    const found = this.#bytes.subarray(this.#at, this.#at + size);
    this.#at += size;
    return found;
  }

  /** What stands behind its length of so many bytes. */
  vector(size: 1 | 2): Reader {
    return new Reader(this.bytes(this.number(size)));
  }

  rest(): Buffer {
    return this.bytes(this.#bytes.length - this.#at);
  }

  /** Until the end. */
  all<T>(each: (reader: Reader) => T): T[] {
    const found: T[] = [];
    while (!this.done) found.push(each(this));
    return found;
  }
}

/** What the native code looks up: letters, digits, hyphens and underscores between single dots, and no address. */
const namePattern = /^(?![\d.]*$)[\w-]+(?:\.[\w-]+)*$/;
const maxName = 253;

const number16 = (reader: Reader): number => reader.number(2);

function serverNameOf(data: Buffer | undefined): string | null {
  if (data === undefined) return null;
  const list = new Reader(data).vector(2);
  if (list.number(1) !== 0) return null;
  const name = list.vector(2).rest().toString('latin1').toLowerCase().replace(/\.$/, '');
  return name.length <= maxName && namePattern.test(name) ? name : null;
}

const extension = (reader: Reader): HelloExtension => ({ type: reader.number(2), data: reader.vector(2).rest() });

/**
 * @param message - with its header of `header` bytes
 * @internal
 */
export function parseClientHello(message: Buffer, renegotiation: boolean, header: 4 | 12): ClientHello {
  const body = new Reader(message.subarray(header));
  const version = body.number(2);
  const random = body.bytes(32);
  const sessionId = body.vector(1).rest();
  // DTLS has a cookie there: RFC 6347 section 4.2.1.
  if (header === 12) body.vector(1);
  const ciphers = body.vector(2).all(number16);
  body.vector(1);
  const extensions = body.vector(2).all(extension);
  const found = (type: number): Buffer | undefined => extensions.find(each => each.type === type)?.data;
  const list = (type: number, size: 1 | 2 = 2): Reader => new Reader(found(type) ?? Buffer.alloc(0)).vector(size);
  return Object.freeze({
    raw: message,
    version,
    random,
    sessionId,
    ciphers,
    extensions,
    serverName: serverNameOf(found(extensionTypes.serverName)),
    alpn: list(extensionTypes.alpn).all(each => each.vector(1).rest().toString('latin1')),
    groups: list(extensionTypes.supportedGroups).all(number16),
    signatureAlgorithms: list(extensionTypes.signatureAlgorithms).all(each => signatureSchemeName(each.number(2))),
    supportedVersions: list(extensionTypes.supportedVersions, 1).all(number16),
    keyShares: list(extensionTypes.keyShare).all(each => ({
      group: each.number(2),
      keyExchange: each.vector(2).rest(),
    })),
    renegotiation,
  });
}
