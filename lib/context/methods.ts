// The protocol methods of OpenSSL's SSL_METHOD, by their names without the suffix `_method`.
import { invalidArgType, tlsError } from '../base/coded-error.ts';

type MethodFamily = 'TLS' | 'TLSv1' | 'TLSv1_1' | 'TLSv1_2' | 'TLSv1_3' | 'SSLv23' | 'DTLS' | 'DTLSv1' | 'DTLSv1_2';

/** For both sides, or for one of them alone. */
export type TlsMethod = MethodFamily | `${MethodFamily}_server` | `${MethodFamily}_client`;

export type Side = 'client' | 'server';

export interface Method {
  /** Undefined: both. */
  readonly side: Side | undefined;
  /** TLS1_VERSION and so on; undefined: negotiated. */
  readonly version: number | undefined;
  /** Over datagrams: DTLS_method(3). */
  readonly dtls: boolean;
}

/** OpenSSL itself has no TLSv1_3_method(): it is made of the bounds, as its own fixed methods are today. */
const families: ReadonlyMap<string, number | undefined> = new Map([
  ['TLS', undefined],
  // <openssl/ssl.h> has had it as another name of TLS_method() since 1.1.0.
  ['SSLv23', undefined],
  ['TLSv1', 0x301],
  ['TLSv1_1', 0x302],
  ['TLSv1_2', 0x303],
  ['TLSv1_3', 0x304],
  ['DTLS', undefined],
  ['DTLSv1', 0xfeff],
  ['DTLSv1_2', 0xfefd],
]);

const gone: ReadonlyMap<string, string> = new Map([
  ['SSLv2', 'SSL 2.0 is broken (RFC 6176) and OpenSSL has not had SSLv2_method() since 1.1.0'],
  ['SSLv3', 'SSL 3.0 is broken (RFC 7568) and OpenSSL as systems ship it is built without SSLv3_method()'],
]);

const bothSides: Method = { side: undefined, version: undefined, dtls: false };

/** Option method. */
export function methodOf(value: unknown): Method {
  if (value === undefined || value === null) return bothSides;
  if (typeof value !== 'string') throw invalidArgType('options.method', 'a string', value);
  const [, family = value, side] = /^(.+?)(?:_(server|client))?$/.exec(value) ?? [];
  if (families.has(family)) {
    return { side: side as Side | undefined, version: families.get(family), dtls: family.startsWith('DTLS') };
  }
  const why = gone.get(family) ?? 'there is no such method';
  throw tlsError(
    'ERR_TLS_INVALID_PROTOCOL_METHOD',
    `"options.method" is '${value}': ${why}; use 'TLS', 'TLS_server' or 'TLS_client', which negotiate the version`,
  );
}

/** Streams are TLS's, messages DTLS's. */
export function assertMethodCarries({ dtls }: Pick<Method, 'dtls'>, wanted: 'stream' | 'messages', what: string): void {
  if (dtls === (wanted === 'messages')) return;
  throw tlsError(
    'ERR_TLS_DTLS',
    dtls
      ? `${what} is for streams, and the context is for DTLS (option method), which carries messages: use connectDtls(), createDtlsServer() or an Ssl`
      : `${what} needs a context for DTLS: option method 'DTLS', 'DTLS_client' or 'DTLS_server'`,
  );
}

/** A context that was made for one side serves no other. */
export function assertMethodSide({ side }: Pick<Method, 'side'>, wanted: Side): void {
  if (side === undefined || side === wanted) return;
  throw tlsError(
    'ERR_TLS_WRONG_SIDE',
    `the context was made for ${side}s (option method), and this is a ${wanted}: use 'TLS_${wanted}', or 'TLS' for both`,
  );
}
