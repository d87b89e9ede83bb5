// A client and a server of one process, connected by TCP on loopback.
import { once } from 'node:events';
import {
  type ConnectOptions,
  connect,
  createServer,
  type Server,
  type ServerOptions,
  type SslListeners,
  type TlsSocket,
} from 'system-tls';
import { type CertificateAuthority, type Identity, makeCertificateAuthority } from '../support/certificates.ts';
import { Secrets } from './secrets.ts';

export interface Pki {
  readonly authority: CertificateAuthority;
  readonly server: Identity;
  readonly client: Identity;
}

export function makePki(): Pki {
  const authority = makeCertificateAuthority('Demonstration CA');
  return {
    authority,
    server: authority.issueServer('localhost', ['localhost']),
    client: authority.issueClient('demo client'),
  };
}

export interface LinkOptions {
  readonly server?: ServerOptions;
  readonly client?: ConnectOptions;
  /** More listeners for the client. */
  readonly on?: SslListeners;
}

/** Both ends of a connection after the handshake. The server sends back what it gets. */
export interface Link extends AsyncDisposable {
  readonly client: TlsSocket;
  readonly server: TlsSocket;
  readonly clientSecrets: Secrets;
  readonly serverSecrets: Secrets;
}

export function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('the server does not listen on TCP');
  return address.port;
}

async function connectTo(
  server: Server,
  pki: Pki,
  options: ConnectOptions,
): Promise<[client: TlsSocket, server: TlsSocket]> {
  const accepted = once(server, 'secureConnection');
  const client = await connect({ host: 'localhost', port: portOf(server), ca: pki.authority.cert, ...options });
  const [socket] = (await accepted) as [TlsSocket];
  return [client, socket];
}

export async function makeLink(pki: Pki, options: LinkOptions = {}): Promise<Link> {
  const [clientSecrets, serverSecrets] = [new Secrets(), new Secrets()];
  const server = createServer({ ...pki.server, on: { keylog: serverSecrets.add }, ...options.server }, socket => {
    socket.pipe(socket);
  });
  await server.listen({ host: 'localhost' });
  try {
    const on = { keylog: clientSecrets.add, ...options.on };
    const [client, accepted] = await connectTo(server, pki, { ...options.client, on });
    return { client, server: accepted, clientSecrets, serverSecrets, [Symbol.asyncDispose]: () => end(client, server) };
  } catch (error) {
    await server[Symbol.asyncDispose]();
    throw error;
  }
}

async function end(client: TlsSocket, server: Server): Promise<void> {
  client.destroy();
  await server[Symbol.asyncDispose]();
}

/** Sends data to the echoing server and waits until it is back. */
export function roundTrip(client: TlsSocket, data: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = [];
    let length = 0;
    // One listener for all: data that nobody listens for in between would be lost.
    const onData = (chunk: Buffer): void => {
      received.push(chunk);
      length += chunk.length;
      if (length >= data.length) settle(() => resolve(Buffer.concat(received)));
    };
    const onClose = (): void => settle(() => reject(new Error('the connection ended before the data was back')));
    const settle = (how: () => void): void => {
      client.off('data', onData).off('close', onClose);
      how();
    };
    client.on('data', onData).on('close', onClose);
    client.write(data);
  });
}
