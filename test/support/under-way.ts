// All kinds of operations in the middle of what they do, with peers that are alive and silent. Of use in workers and in processes
// of their own: knows nothing of mocha.
import { type EventEmitter, once } from 'node:events';
import { openSync } from 'node:fs';
import net from 'node:net';
import { connect, createServer, type IoPool, type Server, Ssl, SslContext, type TlsSocket } from 'system-tls';

export interface Credentials {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface UnderWay {
  /** What was called and has not ended. */
  readonly pending: ReadonlyMap<string, Promise<unknown>>;
  /** What is open: sockets and the server. */
  readonly closing: ReadonlyMap<string, Promise<unknown>>;
  /** Ends the peers, which are on the loop. */
  end(): void;
}

const versions = { old: { maxVersion: 'TLSv1.2' }, now: { minVersion: 'TLSv1.3' } } as const;
type Version = keyof typeof versions;

const large = Buffer.alloc(20_000_000, 7);
/** Nobody answers, and nobody is to give up by himself. */
const limits = { timeout: Number.POSITIVE_INFINITY };

class Stage {
  readonly pending = new Map<string, Promise<unknown>>();
  readonly closing = new Map<string, Promise<unknown>>();
  readonly #credentials: Credentials;
  readonly #io: IoPool | undefined;
  readonly #peers = new Set<{ destroy(): void }>();
  readonly #listeners = new Set<{ close(): unknown }>();

  constructor(credentials: Credentials, io: IoPool | undefined) {
    this.#credentials = credentials;
    this.#io = io;
  }

  wait(name: string, promise: Promise<unknown>): void {
    promise.catch(() => {});
    this.pending.set(name, promise);
  }

  /** On a socket, which must close. */
  #open(name: string, socket: TlsSocket): TlsSocket {
    socket.on('error', () => {});
    this.#closes(name, socket);
    return socket;
  }

  #closes(name: string, emitter: Server | TlsSocket): void {
    this.closing.set(name, new Promise(resolve => (emitter as EventEmitter).once('close', resolve)));
  }

  #peer<T extends { destroy(): void; on(name: 'error', listener: () => void): unknown }>(peer: T): T {
    peer.on('error', () => {});
    this.#peers.add(peer);
    return peer;
  }

  async #listen(server: Server): Promise<number> {
    this.#listeners.add(server);
    await server.listen({ port: 0, host: '127.0.0.1' });
    return (server.address() as { port: number }).port;
  }

  /** One that says nothing, not even in a handshake. */
  async silent(): Promise<number> {
    const server = net.createServer({ pauseOnConnect: true }, socket => this.#peer(socket));
    this.#listeners.add(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (server.address() as net.AddressInfo).port;
  }

  /** Both handshakes that wait for a peer, and those that wait for an answer of our own. */
  async handshakes(): Promise<void> {
    const { ca } = this.#credentials;
    const io = this.#io;
    const port = await this.silent();
    const options = { host: '127.0.0.1', servername: 'localhost', ca, io, handshakeTimeout: Number.POSITIVE_INFINITY };
    this.wait('connect() to a silent server', connect({ ...options, port }));
    const server = createServer({ ...this.#credentials, io, handshakeTimeout: Number.POSITIVE_INFINITY });
    server.on('error', () => {}).on('tlsClientError', () => {});
    this.#closes('a server with a silent client', server);
    const raw = this.#peer(net.connect(await this.#listen(server), '127.0.0.1'));
    await once(raw, 'connect');
    const peers = createServer({ ...this.#credentials, pauseOnConnect: true }, socket => this.#peer(socket));
    peers.on('tlsClientError', () => {});
    const asked = new Promise<void>(resolve => {
      const verify = () => {
        resolve();
        return new Promise<never>(() => {});
      };
      void this.#listen(peers).then(place =>
        this.wait('connect() that verifies', connect({ ...options, port: place, verify })),
      );
    });
    await asked;
  }

  /** A socket of a server on the thread; its client is on the loop and does not read. */
  async served(name: string, version: Version): Promise<TlsSocket> {
    const { ca, cert, key } = this.#credentials;
    const server = createServer({ cert, key, ca, io: this.#io, pauseOnConnect: true, ...versions[version] });
    server.on('error', () => {}).on('tlsClientError', () => {});
    this.#closes(`the server of ${name}`, server);
    const arrival = once(server, 'secureConnection') as Promise<[TlsSocket]>;
    const port = await this.#listen(server);
    // With a certificate it offers to show it after the handshake.
    const client = { host: '127.0.0.1', port, servername: 'localhost', ca, cert, key, pauseOnConnect: true };
    const [[socket], peer] = await Promise.all([arrival, connect(client)]);
    this.#peer(peer);
    return this.#open(name, socket);
  }

  /** An Ssl on the thread, the client of a server on the loop that does not read. */
  async client(version: Version): Promise<Ssl> {
    const { ca, cert, key } = this.#credentials;
    const options = { cert, key, clientRenegotiation: true, pauseOnConnect: true, ...versions[version] };
    const server = createServer(options, socket => this.#peer(socket));
    const arrival = once(server, 'secureConnection');
    const plain = this.#peer(net.connect(await this.#listen(server), '127.0.0.1').pause());
    await once(plain, 'connect');
    const context = new SslContext({ ca });
    const ssl = new Ssl(context, { side: 'client', servername: 'localhost', ...(this.#io && { io: this.#io }) });
    ssl.setFd((plain as unknown as { _handle: { fd: number } })._handle.fd);
    await Promise.all([ssl.connect(), arrival]);
    return ssl;
  }

  end(): void {
    for (const peer of this.#peers) peer.destroy();
    for (const listener of this.#listeners) listener.close();
  }
}

async function sockets(stage: Stage): Promise<void> {
  const writer = await stage.served('a socket that writes', 'now');
  stage.wait(
    'a write of a stream',
    new Promise((resolve, reject) => writer.write(large, error => (error ? reject(error) : resolve(undefined)))),
  );
  const file = openSync(process.execPath, 'r');
  stage.wait('sendFile()', (await stage.served('a socket that sends a file', 'now')).sendFile(file));
  const asks = await stage.served('a socket that asks', 'now');
  stage.wait('a post-handshake authentication', asks.requestClientCertificate(limits));
  stage.wait('another post-handshake authentication', asks.requestClientCertificate(limits));
  const renegotiates = await stage.served('a socket that renegotiates', 'old');
  stage.wait('a renegotiation by the server', renegotiates.renegotiate(limits));
  await stage.served('a paused socket', 'now');
  (await stage.served('a paused socket that has ended', 'now')).end('bye');
  (await stage.served('a socket that reads', 'now')).resume();
}

async function clients(stage: Stage): Promise<void> {
  const reader = await stage.client('now');
  stage.wait('read()', reader.read());
  stage.wait('readInto()', reader.readInto(Buffer.alloc(100)));
  const writer = await stage.client('now');
  stage.wait('write()', writer.write(large));
  stage.wait('a write behind it', writer.write('behind'));
  stage.wait('a shutdown behind it', writer.shutdown({ wait: true }));
  stage.wait('a shutdown', (await stage.client('old')).shutdown({ wait: true }));
  const renegotiates = await stage.client('old');
  stage.wait('a renegotiation by the client', renegotiates.renegotiate(limits));
  // More than what a thread takes ahead.
  stage.wait('a write behind a renegotiation', renegotiates.write(large));
  const { peerUpdated } = await (await stage.client('now')).keyUpdate({ ...limits, requestPeer: true });
  stage.wait('a key update of the peer', peerUpdated as Promise<void>);
}

export async function startAll(credentials: Credentials, io: IoPool | undefined): Promise<UnderWay> {
  const stage = new Stage(credentials, io);
  await stage.handshakes();
  await sockets(stage);
  await clients(stage);
  return stage;
}
