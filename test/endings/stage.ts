// Makes ours and its peer, and a transport between them.
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { Bio, connect, createServer, type IoPool, Ssl, SslContext, type SslOptions, TlsSocket } from 'system-tls';
import { certificates } from '../support/certificates.ts';
import { deferred } from '../support/wait.ts';
import { type Case, isStream } from './axes.ts';
import { versionsOf } from './engine.ts';
import type { Ledger } from './ledger.ts';
import { SslSubject, StreamSubject, type Subject, socketOptions } from './subject.ts';
import { BioWire, TcpWire, tcpListener, tcpPair, tcpTo, type Wire } from './wire.ts';

export interface Stage {
  readonly wire: Wire;
  /** Resolves after the handshake of ours; rejects if it fails. */
  readonly opened: Promise<Subject>;
  /** Bytes that the transport gave to ours, where it is JavaScript that gives them. */
  readonly arrived: () => number | undefined;
  /** What a program does that has the descriptor too: as long as it keeps that open, the peer hears no end. */
  release(): void;
  /** Gives up what was not opened. */
  abandon(): void;
  /** Resolves when nothing of ours is left: on a server, when it counts no connection and is closed. */
  leave(): Promise<void>;
}

export interface Setting {
  readonly each: Case;
  readonly ledger: Ledger;
  readonly pool: IoPool;
  /** The function that the handshake waits for, if the case is about one. */
  readonly asked: AskedFunction;
}

export type AskedFunction = Pick<SslOptions, 'verify' | 'onClientHello' | 'onCertificate'>;

/** With an answer by which the handshake goes on, once `ask` is resolved. */
export function askedFunction({ at, side }: Case, ask: () => Promise<void>): AskedFunction {
  const { cert, key } = certificates()[side];
  if (at === 'verify') return { verify: () => ask().then(() => true) };
  if (at === 'onClientHello') return { onClientHello: () => ask().then(() => null) };
  if (at === 'onCertificate') return { onCertificate: () => ask().then(() => ({ cert, key })) };
  return {};
}

const contexts = new Map<string, SslContext>();

function contextOf({ each }: Setting): SslContext {
  const name = `${each.side} ${each.version} ${each.at === 'verify'}`;
  const made = contexts.get(name) ?? makeContext(each);
  contexts.set(name, made);
  return made;
}

function makeContext({ side, version, at }: Case): SslContext {
  const { ca, server, client } = certificates();
  if (side === 'client')
    return new SslContext({ ca: ca.cert, cert: client.cert, key: client.key, ...versionsOf(version) });
  return new SslContext({
    ca: ca.cert,
    cert: server.cert,
    key: server.key,
    requestCert: at === 'verify',
    ...(version === '1.3-tickets' ? {} : { ticketCount: 0 }),
    ...versionsOf(version),
  });
}

/** Whoever wants to read at once does so in the same turn, as a program's own handler does. */
function begun<T extends Subject>(subject: T, { each }: Setting): T {
  if (each.reads === 'at-once') subject.startReading();
  return subject;
}

const streamOf = (socket: Duplex, setting: Setting): Subject =>
  begun(new StreamSubject(socket, setting.each.api, setting.ledger), setting);

const poolOf = ({ each, pool }: Setting): IoPool | undefined =>
  each.on === 'io' || each.on === 'io-loop' ? pool : undefined;

export function openStage(setting: Setting): Promise<Stage> {
  const { on, api, side } = setting.each;
  if (on === 'node') return side === 'server' ? nodeServerStage(setting) : nodeClientStage(setting);
  if (isStream(api) && (on === 'loop' || on === 'io' || on === 'io-loop')) {
    return side === 'server' ? serverStage(setting) : clientStage(setting);
  }
  return sslStage(setting);
}

/** createServer(): it has one connection in its life. */
async function serverStage(setting: Setting): Promise<Stage> {
  const { each, ledger, asked } = setting;
  const { promise: opened, resolve, reject } = outcome<Subject>();
  const server = createServer(
    {
      secureContext: contextOf(setting),
      io: poolOf(setting),
      // The timer of handshakes keeps a server in memory for as long as it runs, though nothing is left to time.
      handshakeTimeout: Number.POSITIVE_INFINITY,
      ...(each.on === 'io-loop' && { data: 'loop' }),
      ...(each.at === 'verify' && { requestCert: true }),
      ...asked,
      ...socketOptions(each, ledger),
    },
    socket => resolve(streamOf(socket, setting)),
  );
  server.on('tlsClientError', reject);
  server.on('error', error => ledger.error(error));
  await server.listen({ host: '127.0.0.1', port: 0 });
  const { port } = server.address() as net.AddressInfo;
  const wire = new TcpWire(await tcpTo(port));
  return {
    wire,
    opened,
    arrived: () => undefined,
    release: () => {},
    abandon: () => {
      server.closeAllConnections();
      reject(new Error('abandoned'));
    },
    leave: async () => {
      await server.close();
      if (server.connections !== 0) throw new Error(`the closed server counts ${server.connections} connections`);
    },
  };
}

async function clientStage(setting: Setting): Promise<Stage> {
  const { each, ledger, asked } = setting;
  const listener = await tcpListener();
  const aborter = new AbortController();
  const connecting = connect({
    host: '127.0.0.1',
    port: listener.port,
    servername: 'localhost',
    secureContext: contextOf(setting),
    io: poolOf(setting),
    signal: aborter.signal,
    ...asked,
    ...socketOptions(each, ledger),
  });
  const opened = connecting.then(socket => streamOf(socket, setting));
  opened.catch(() => {});
  const wire = new TcpWire(await listener.accepted);
  return {
    wire,
    opened,
    arrived: () => undefined,
    release: () => {},
    abandon: () => aborter.abort(),
    leave: async () => {},
  };
}

interface Transport {
  readonly wire: Wire;
  attach(ssl: Ssl): void;
  arrived(): number | undefined;
  /** What the user of a descriptor or a stream does when TLS is over. */
  release(): void;
}

async function transportOf({ on }: Case): Promise<Transport> {
  if (on === 'pair') {
    const [near, far] = Bio.pair();
    const attach = (ssl: Ssl) => ssl.setBio(near, near);
    return { wire: new BioWire(far), attach, arrived: () => undefined, release: () => near.close() };
  }
  const [near, far] = await tcpPair();
  const wire = new TcpWire(far);
  if (on === 'duplex') return overDuplex(near, wire);
  const attach = (ssl: Ssl) => {
    ssl.setFd((near as unknown as { _handle: { fd: number } })._handle.fd);
    // It has a duplicate, which is then the only one.
    if (on !== 'fd') near.destroy();
  };
  return { wire, attach, arrived: () => undefined, release: () => near.destroy() };
}

/** A net.Socket as any other Duplex. What it loses is lost before it comes to ours. */
function overDuplex(near: net.Socket, wire: Wire): Transport {
  let arrived = 0;
  near.on('data', ({ length }) => {
    arrived += length;
  });
  const attach = (ssl: Ssl) => {
    const bio = Bio.duplex(near, { close: true });
    ssl.setBio(bio, bio);
  };
  return { wire, attach, arrived: () => arrived, release: () => near.destroy() };
}

async function sslStage(setting: Setting): Promise<Stage> {
  const { each, ledger, asked } = setting;
  const transport = await transportOf(each);
  const io = poolOf(setting);
  const context = contextOf(setting);
  const ssl =
    each.side === 'client'
      ? new Ssl(context, { side: 'client', servername: 'localhost', io, ...asked })
      : new Ssl(context, { side: 'server', io, ...asked });
  transport.attach(ssl);
  const subject = isStream(each.api)
    ? streamOf(new TlsSocket(ssl, socketOptions(each, ledger)), setting)
    : begun(new SslSubject(ssl, each.api, ledger), setting);
  const opened = ssl.handshake().then(() => subject);
  opened.catch(() => {});
  return {
    wire: transport.wire,
    opened,
    arrived: () => transport.arrived(),
    release: () => {
      if (each.on === 'fd') transport.release();
    },
    abandon: () => subject.close(),
    leave: async () => {
      ssl.close();
      transport.release();
    },
  };
}

// -------------------------------------------------------------------------------------------------------------------
// node:tls in the place of ours

async function nodeServerStage(setting: Setting): Promise<Stage> {
  const { each } = setting;
  const { cert, key } = certificates().server;
  const { promise: opened, resolve, reject } = outcome<Subject>();
  const pauseOnConnect = each.api === 'paused';
  const server = tls.createServer({ cert, key, pauseOnConnect, ...versionsOf(each.version) }, socket =>
    resolve(streamOf(socket, setting)),
  );
  server.on('tlsClientError', reject);
  const raw = new Set<net.Socket>();
  server.on('connection', socket => raw.add(socket));
  await new Promise<void>(listening => server.listen(0, '127.0.0.1', listening));
  const wire = new TcpWire(await tcpTo((server.address() as net.AddressInfo).port));
  return {
    wire,
    opened,
    arrived: () => undefined,
    release: () => {},
    abandon: () => {
      for (const socket of raw) socket.destroy();
      reject(new Error('abandoned'));
    },
    leave: () => new Promise(closed => void server.close(() => closed())),
  };
}

async function nodeClientStage(setting: Setting): Promise<Stage> {
  const { each } = setting;
  const listener = await tcpListener();
  const { promise: opened, resolve, reject } = outcome<Subject>();
  const socket = tls.connect({
    host: '127.0.0.1',
    port: listener.port,
    servername: 'localhost',
    ca: certificates().ca.cert,
    ...versionsOf(each.version),
  });
  socket.once('error', reject);
  if (each.api === 'paused') socket.pause();
  socket.once('secureConnect', () => {
    socket.off('error', reject);
    resolve(streamOf(socket, setting));
  });
  const wire = new TcpWire(await listener.accepted);
  return {
    wire,
    opened,
    arrived: () => undefined,
    release: () => {},
    abandon: () => {
      socket.destroy();
      reject(new Error('abandoned'));
    },
    leave: async () => {},
  };
}

function outcome<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: Error): void } {
  const { promise, resolve } = deferred<() => T>();
  const settled = promise.then(give => give());
  settled.catch(() => {});
  return {
    promise: settled,
    resolve: value => resolve(() => value),
    reject: error =>
      resolve(() => {
        throw error;
      }),
  };
}
