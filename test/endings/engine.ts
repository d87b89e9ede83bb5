// The peer's TLS, without a transport: its bytes go where the case wants them, when the case wants it.
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import tls from 'node:tls';
import { Bio, Ssl, SslContext } from 'system-tls';
import { certificates } from '../support/certificates.ts';
import type { Case, Version } from './axes.ts';

export interface Engine {
  /** Its handshake is complete. */
  readonly secure: Promise<void>;
  /** Clear bytes that it got so far. */
  readonly received: number;
  /** Bytes of ours. */
  feed(bytes: Buffer): void;
  /** Resolves when the record is out. */
  write(data: Buffer): Promise<void>;
  /** Resolves when the close_notify is out. */
  closeNotify(): Promise<void>;
  destroy(): void;
}

export const versionsOf = (version: Version) =>
  version === '1.2'
    ? ({ minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const)
    : ({ minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3' } as const);

type Output = (bytes: Buffer) => void;

class NodeEngine implements Engine {
  readonly secure: Promise<void>;
  readonly #gate: Duplex;
  readonly #socket: tls.TLSSocket;
  received = 0;

  constructor(each: Case, output: Output) {
    this.#gate = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        output(chunk);
        done();
      },
    });
    this.#socket = each.side === 'server' ? nodeClient(this.#gate, each.version) : nodeServer(this.#gate, each);
    this.#socket.on('error', () => {});
    this.#socket.on('data', chunk => {
      this.received += chunk.length;
    });
    const event = each.side === 'server' ? 'secureConnect' : 'secure';
    this.secure = new Promise(resolve => void this.#socket.once(event, () => resolve()));
  }

  feed(bytes: Buffer): void {
    this.#gate.push(bytes);
  }

  write(data: Buffer): Promise<void> {
    return new Promise(resolve => void this.#socket.write(data, () => resolve()));
  }

  async closeNotify(): Promise<void> {
    const finished = once(this.#gate, 'finish');
    this.#socket.end();
    await finished;
  }

  destroy(): void {
    this.#socket.destroy();
    this.#gate.destroy();
  }
}

function nodeClient(socket: Duplex, version: Version): tls.TLSSocket {
  const { cert, key } = certificates().client;
  return tls.connect({
    socket,
    ca: certificates().ca.cert,
    servername: 'localhost',
    cert,
    key,
    ...versionsOf(version),
  });
}

/** Else ours is not asked for one. */
const requestsCertificate = ({ at }: Case): boolean => at === 'onCertificate';

const nodeContexts = new Map<Version, tls.SecureContext>();

function nodeServer(gate: Duplex, each: Case): tls.TLSSocket {
  const { version } = each;
  const { ca, server } = certificates();
  const identity = { ca: ca.cert, cert: server.cert, key: server.key };
  const secureContext = nodeContexts.get(version) ?? tls.createSecureContext({ ...identity, ...versionsOf(version) });
  nodeContexts.set(version, secureContext);
  return new tls.TLSSocket(gate, { isServer: true, secureContext, requestCert: requestsCertificate(each) });
}

/** For what node:tls cannot do: offer post-handshake authentication, and be a server without tickets. */
class OwnEngine implements Engine {
  readonly secure: Promise<void>;
  readonly #ssl: Ssl;
  readonly #in = Bio.memory();
  readonly #out = Bio.memory();
  readonly #output: Output;
  received = 0;

  constructor(each: Case, output: Output) {
    this.#output = output;
    const client = each.side === 'server';
    this.#ssl = new Ssl(
      ownContext(client, each.version, requestsCertificate(each)),
      client ? { side: 'client', servername: 'localhost' } : { side: 'server' },
    );
    this.#ssl.setBio(this.#in, this.#out);
    this.#out.on('readable', () => this.#flush());
    this.secure = this.#ssl.handshake();
    this.secure.catch(() => {});
    void this.#read();
  }

  async #read(): Promise<void> {
    try {
      for await (const chunk of this.#ssl) this.received += chunk.length;
    } catch {
      // How it ends for the peer is the peer's affair.
    }
  }

  #flush(): void {
    if (this.#out.closed) return;
    const bytes = this.#out.read();
    if (bytes !== null && bytes.length > 0) this.#output(bytes);
  }

  feed(bytes: Buffer): void {
    if (!this.#in.closed) this.#in.write(bytes);
  }

  async write(data: Buffer): Promise<void> {
    await this.#ssl.write(data);
    this.#flush();
  }

  async closeNotify(): Promise<void> {
    await this.#ssl.shutdown();
    this.#flush();
  }

  destroy(): void {
    this.#ssl.close();
    this.#in.close();
    this.#out.close();
  }
}

const ownContexts = new Map<string, SslContext>();

function ownContext(client: boolean, version: Version, requestCert: boolean): SslContext {
  const name = `${client} ${version} ${requestCert}`;
  const { ca, client: clientIdentity, server } = certificates();
  const versions = versionsOf(version);
  const context =
    ownContexts.get(name) ??
    (client
      ? new SslContext({ ca: ca.cert, cert: clientIdentity.cert, key: clientIdentity.key, ...versions })
      : new SslContext({
          ca: ca.cert,
          cert: server.cert,
          key: server.key,
          requestCert,
          ...(version === '1.3-tickets' ? {} : { ticketCount: 0 }),
          ...versions,
        }));
  ownContexts.set(name, context);
  return context;
}

/** @param own - node:tls is not wanted even where it could do it */
export function makeEngine(each: Case, output: Output, own: boolean): Engine {
  const beyondNode =
    (each.at === 'certificate' && each.version !== '1.2') || (each.side === 'client' && each.version === '1.3');
  return own || beyondNode ? new OwnEngine(each, output) : new NodeEngine(each, output);
}
