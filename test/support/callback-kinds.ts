// The functions of the application's that a handshake asks, for tests of what holds for each of them. But for onResumeSession: it
// is asked only about a client that comes back, and a failure of it, or a second of silence, costs a full handshake and no error.
// kept-sessions.test.ts tests it.
import type { ConnectOptions, ServerOptions } from 'system-tls';
import { certificates, type Identity } from './certificates.ts';
import { formOfResponse } from './ocsp.ts';

/** As each of them is called: with its request last. */
export type AnyFunction = (...given: never[]) => unknown;

export interface CallbackKind {
  readonly name: string;
  /** Whose handshake asks. */
  readonly side: 'client' | 'server';
  /** Of the error, if the function fails. */
  readonly code: string;
  /** With this answer the handshake goes on. */
  right(): unknown;
  /** Of another type. */
  readonly wrong: unknown;
  /** Options of the two sides, with the function on its own. */
  options(call: AnyFunction): { readonly server: ServerOptions; readonly client: Partial<ConnectOptions> };
}

const psk = { identity: 'one', key: Buffer.alloc(32, 1) };
const identity = ({ cert, key }: Identity) => ({ cert, key });
const verifiesClients = (): ServerOptions => ({ requestCert: true, ca: certificates().ca.cert });
const showsCertificate = (): Partial<ConnectOptions> => identity(certificates().client);

export const callbackKinds: readonly CallbackKind[] = [
  {
    ...{ name: 'onClientHello', side: 'server', code: 'ERR_TLS_CLIENT_HELLO_CALLBACK', wrong: 7 },
    right: () => ({ ALPNProtocols: ['a'] }),
    options: call => ({ server: { onClientHello: call as never }, client: {} }),
  },
  {
    ...{ name: 'onServerName', side: 'server', code: 'ERR_TLS_SERVER_NAME_CALLBACK', wrong: 7 },
    right: () => null,
    options: call => ({ server: { onServerName: call as never }, client: {} }),
  },
  {
    ...{ name: 'onALPN', side: 'server', code: 'ERR_TLS_ALPN_CALLBACK', wrong: 7 },
    right: () => 'a',
    options: call => ({ server: { onALPN: call as never }, client: { ALPNProtocols: ['a'] } }),
  },
  {
    ...{ name: 'onCertificate (server)', side: 'server', code: 'ERR_TLS_CERTIFICATE_CALLBACK', wrong: 7 },
    right: () => identity(certificates().server),
    options: call => ({ server: { onCertificate: call as never }, client: {} }),
  },
  {
    ...{ name: 'onStatusRequest', side: 'server', code: 'ERR_TLS_STATUS_REQUEST_CALLBACK', wrong: 7 },
    right: () => formOfResponse(),
    options: call => ({ server: { onStatusRequest: call as never }, client: { requestOCSP: true } }),
  },
  {
    ...{ name: 'verify (server)', side: 'server', code: 'ERR_TLS_VERIFY_CALLBACK', wrong: 7 },
    right: () => true,
    options: call => ({ server: { ...verifiesClients(), verify: call as never }, client: showsCertificate() }),
  },
  {
    ...{ name: 'onCertificate (client)', side: 'client', code: 'ERR_TLS_CERTIFICATE_CALLBACK', wrong: 7 },
    right: () => identity(certificates().client),
    options: call => ({ server: verifiesClients(), client: { onCertificate: call as never } }),
  },
  {
    ...{ name: 'onStatus', side: 'client', code: 'ERR_TLS_STATUS_CALLBACK', wrong: 7 },
    right: () => true,
    options: call => ({ server: {}, client: { onStatus: call as never } }),
  },
  {
    ...{ name: 'verify (client)', side: 'client', code: 'ERR_TLS_VERIFY_CALLBACK', wrong: 7 },
    right: () => true,
    options: call => ({ server: {}, client: { verify: call as never } }),
  },
  {
    ...{ name: 'onPsk (server)', side: 'server', code: 'ERR_TLS_PSK_CALLBACK', wrong: 7 },
    right: () => psk.key,
    options: call => ({ server: { onPsk: call as never }, client: { psk } }),
  },
  {
    ...{ name: 'onPsk (client)', side: 'client', code: 'ERR_TLS_PSK_CALLBACK', wrong: 7 },
    right: () => psk,
    options: call => ({ server: { psk }, client: { onPsk: call as never } }),
  },
];
