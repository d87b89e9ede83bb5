// A peer that is gone at any byte of what it was about to say: everything that was called settles, every socket closes,
// nothing is left over, and what was delivered is what was sent, as far as it came.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import {
  type ConnectOptions,
  type ServerOptions,
  Ssl,
  SslContext,
  type SslContextOptions,
  type TlsSocket,
} from 'system-tls';
import { type Break, BrokenWire, type Direction, directions } from '../../support/broken-wire.ts';
import { pattern } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { descriptors, type Life, lifeOf } from '../../support/lives.ts';
import { clientContext, serverContext, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { fdOf } from '../../support/quiet-pair.ts';
import { inTurn } from '../../support/scripts.ts';
import { connectTo, pool, type Running, startServer } from '../../support/sockets.ts';
import { patience, until, within } from '../../support/wait.ts';

/** Connections at a time: each waits most of its time for the other side. */
const together = 24;
const cutOff = /^(ECONNRESET|EPIPE|ERR_SSL_UNEXPECTED_EOF)$/;

function assertPrefix(got: Buffer, sent: Buffer, what: string): void {
  assert.ok(got.equals(sent.subarray(0, got.length)), `${what}: ${got.length} bytes that were not sent`);
}

/** At most one error, and one that says what happened. */
function assertLife({ got, log }: Life, sent: Buffer, what: string): void {
  assertPrefix(got, sent, what);
  assert.equal(new Set(log).size, log.length, `${what} told ${log}`);
  const errors = log.filter(each => each !== 'end' && each !== 'finish');
  assert.ok(errors.length <= 1 && errors.every(code => cutOff.test(code)), `${what} told ${log}`);
  if (errors.length === 0) assert.ok(log.includes('end') || log.includes('finish'), `${what} told nothing: ${log}`);
}

const textOf = ({ direction, after, how }: Break): string => `${how} after ${after} bytes ${direction}`;

/** A server that serves one connection after the other. */
class Lane {
  readonly running: Running;
  readonly lives: Array<Promise<Life>> = [];
  readonly failures: string[] = [];
  /** Connections that may still be told of: a thread accepts, and JavaScript may hear of it when the next one has begun. */
  #due = 0;

  private constructor(running: Running) {
    this.running = running;
  }

  static async open(options: ServerOptions, greet: (socket: TlsSocket) => void = () => {}): Promise<Lane> {
    const running = await startServer(options, socket => {
      lane.lives.push(lifeOf(socket));
      greet(socket);
    });
    const lane = new Lane(running);
    running.server.on('tlsClientError', (error: NodeJS.ErrnoException) => lane.failures.push(error.code ?? ''));
    return lane;
  }

  /** A connection that leads through a wire. */
  async connected(
    options: Partial<ConnectOptions>,
  ): Promise<{ wire: BrokenWire; client: TlsSocket; server: TlsSocket }> {
    const wire = await BrokenWire.open(this.running.port);
    const [client, server] = await Promise.all([connectTo(wire.port, options), this.running.next()]);
    return { wire, client, server };
  }

  /** What became of the connection that there was. */
  async settled(sent: Buffer, what: string): Promise<void> {
    const { server } = this.running;
    await until(() => server.connections === 0, `the server to count off its connection, ${what}`);
    const lives = this.lives.splice(0);
    const failures = this.failures.splice(0);
    this.#due += 1 - lives.length - failures.length;
    assert.ok(this.#due >= 0, `${what}: ${lives.length} connections, failures ${failures}`);
    for (const code of failures) assert.match(code, cutOff, what);
    for (const life of lives) {
      assertLife(await within(life, `the server's socket to close, ${what}`), sent, `the server, ${what},`);
    }
  }
}

/** Each case on a lane that is free; afterwards everything is as it was. */
async function onLanes<T>(
  cases: readonly T[],
  open: () => Promise<Lane>,
  act: (lane: Lane, each: T) => Promise<void>,
): Promise<void> {
  const before = descriptors();
  const free = await Promise.all(Array.from({ length: Math.min(together, cases.length) }, open));
  const all = [...free];
  const take = async (each: T) => {
    const lane = free.pop() as Lane;
    await act(lane, each);
    free.push(lane);
  };
  await inTurn(cases, take, all.length);
  await within(Promise.all(all.map(({ running }) => running.server.close())), 'the servers to close');
  await until(() => descriptors() <= before, `the descriptors to be closed: ${before} before`);
}

const words = { ofClient: pattern(30, 1), ofServer: pattern(40, 2) };

/** From the first byte to the last, with data and goodbye on both sides. */
async function meet(lane: Lane, options: Partial<ConnectOptions>, each?: Break): Promise<BrokenWire> {
  const what = each === undefined ? 'whole' : textOf(each);
  const wire = await BrokenWire.open(lane.running.port);
  if (each !== undefined) wire.breakAt(each);
  const socket = await within(
    connectTo(wire.port, options).catch((error: NodeJS.ErrnoException) => {
      assert.match(error.code ?? '', cutOff, what);
      return undefined;
    }),
    `connect() to settle, ${what}`,
  );
  if (socket !== undefined) {
    const life = lifeOf(socket);
    socket.end(words.ofClient);
    assertLife(await within(life, `the client's socket to close, ${what}`), words.ofServer, `the client, ${what},`);
  }
  await lane.settled(words.ofClient, what);
  return wire;
}

const greet = (socket: TlsSocket) => void socket.end(words.ofServer);

/** Every `step`th byte. */
function breaks(carried: Record<Direction, number>, how: Break['how'], step: number, first = 0): Break[] {
  return directions.flatMap(direction =>
    // A signature is shorter or longer by a few bytes.
    Array.from({ length: Math.ceil((carried[direction] + 8 - first) / step) }, (_, index) => ({
      direction,
      after: first + index * step,
      how,
    })),
  );
}

/** A context for all clients: theirs is the cheaper half of a handshake then. */
const trusting = (both: SslContextOptions) => ({
  secureContext: new SslContext({ ca: certificates().ca.cert, ...both }),
});

interface Meeting {
  readonly how: Break['how'];
  readonly step: number;
  readonly server?: ServerOptions;
}

async function meetAndBreak(both: SslContextOptions, { how, step, server = {} }: Meeting): Promise<void> {
  const open = () => Lane.open({ ...server, ...both }, greet);
  const client = trusting(both);
  const lane = await open();
  const { carried } = await meet(lane, client);
  await lane.running.server.close();
  await onLanes(breaks(carried, how, step), open, async (free, each) => {
    const wire = await meet(free, client, each);
    // Signatures have a few bytes more or less.
    const passed = `${textOf(each)}: ${wire.carried[each.direction]} passed, of ${carried[each.direction]}`;
    assert.ok(wire.broken || each.after > carried[each.direction] - 8, passed);
  });
}

describe('a peer that is gone in the middle of a handshake, or of what follows', () => {
  for (const [version, both] of versions) {
    it(`resets at each byte, ${version}`, () => meetAndBreak(both, { how: 'reset', step: 1 }));

    it(`ends at a byte, ${version}`, () => meetAndBreak(both, { how: 'end', step: 13 }));

    it(`resets on the way from a thread to the loop, ${version}`, async function () {
      if (pool === undefined) return this.skip();
      await meetAndBreak(both, { how: 'reset', step: 7, server: { data: 'loop' } });
    });
  }
});

interface Operation {
  readonly name: string;
  readonly both: SslContextOptions;
  act(client: TlsSocket, server: TlsSocket): Array<Promise<unknown>>;
}

/** A break that is not noticed must not be taken for a peer that is slow. */
const limits = { timeout: patience };
const updated = async (socket: TlsSocket) => {
  await (await socket.keyUpdate({ ...limits, requestPeer: true })).peerUpdated;
};

const operations: readonly Operation[] = [
  { name: 'a renegotiation by the client', both: tls12, act: client => [client.renegotiate(limits)] },
  {
    name: 'an abbreviated renegotiation',
    both: tls12,
    act: client => [client.renegotiate({ ...limits, abbreviated: true })],
  },
  { name: 'a renegotiation by the server', both: tls12, act: (_client, server) => [server.renegotiate(limits)] },
  {
    name: 'a renegotiation by both',
    both: tls12,
    act: (client, server) => [client.renegotiate(limits), server.renegotiate(limits)],
  },
  {
    name: 'a renegotiation for a certificate',
    both: tls12,
    act: (_client, server) => [server.requestClientCertificate(limits)],
  },
  {
    name: 'a post-handshake authentication',
    both: tls13,
    act: (_client, server) => [server.requestClientCertificate(limits)],
  },
  {
    name: 'two post-handshake authentications',
    both: tls13,
    act: (_client, server) => [server.requestClientCertificate(limits), server.requestClientCertificate(limits)],
  },
  { name: 'key updates', both: tls13, act: (client, server) => [updated(client), updated(server)] },
];

async function assertSettles(promise: Promise<unknown>, what: string): Promise<void> {
  const error = await within(
    promise.then(
      () => undefined,
      (thrown: NodeJS.ErrnoException) => thrown,
    ),
    `the operation to settle, ${what}`,
  );
  if (error !== undefined) assert.match(error.code ?? '', cutOff, what);
}

/** The operation, between data in both directions; goodbyes if it is over. */
async function operate(
  lane: Lane,
  options: Partial<ConnectOptions>,
  { name, act }: Operation,
  each?: Break,
): Promise<Record<Direction, number>> {
  const { wire, client, server } = await lane.connected(options);
  const life = lifeOf(client);
  const before = { ...wire.carried };
  const what = each === undefined ? name : `${name}, ${textOf(each)}`;
  if (each !== undefined) wire.breakAt(each);
  client.write(words.ofClient);
  server.write(words.ofServer);
  const running = act(client, server);
  client.write(words.ofClient);
  server.write(words.ofServer);
  await Promise.all(running.map(promise => assertSettles(promise, what)));
  client.end();
  server.end();
  const { ofClient, ofServer } = words;
  assertLife(
    await within(life, `the client to close, ${what}`),
    Buffer.concat([ofServer, ofServer]),
    `client, ${what},`,
  );
  await lane.settled(Buffer.concat([ofClient, ofClient]), what);
  const { toServer, toClient } = wire.carried;
  return { toServer: toServer - before.toServer, toClient: toClient - before.toClient };
}

describe('a peer that is gone in the middle of an operation', () => {
  for (const operation of operations) {
    it(`${operation.name}`, async () => {
      const { both } = operation;
      const { ca, client: identity } = certificates();
      const { cert, key } = identity;
      const options = { secureContext: new SslContext({ ca: ca.cert, cert, key, ...both }) };
      const open = () => Lane.open({ ca: ca.cert, clientRenegotiation: true, ...both });
      const lane = await open();
      const carried = await operate(lane, options, operation);
      await lane.running.server.close();
      const cases = [...breaks(carried, 'reset', 17), ...breaks(carried, 'end', 41, 5)];
      await onLanes(cases, open, async (free, each) => void (await operate(free, options, operation, each)));
    });
  }
});

/** The first bytes of records, and what a fixed seed draws between. */
function placesIn(size: number): number[] {
  const record = 16_384 + 22;
  const edges = [1, 2, 7].flatMap(count => [-1, 0, 1, 4, 5, 6].map(off => count * record + off));
  const seed = pattern(80, 9);
  return [...edges, ...Array.from({ length: 20 }, (_, at) => (seed.readUInt32LE(4 * at) % size) + 1)];
}

const bulk = { ofClient: pattern(400_000, 3), ofServer: pattern(400_000, 4) };

/** Counts what is told of writes. */
function writeAll(socket: TlsSocket, data: Buffer, size: number): { readonly count: number; told: number } {
  const writes = { count: Math.ceil(data.length / size), told: 0 };
  for (let at = 0; at < data.length; at += size) socket.write(data.subarray(at, at + size), () => writes.told++);
  return writes;
}

async function transfer(lane: Lane, options: Partial<ConnectOptions>, each: Break): Promise<void> {
  const what = textOf(each);
  const { wire, client, server } = await lane.connected(options);
  const life = lifeOf(client);
  wire.breakAt(each);
  const writes = [writeAll(client, bulk.ofClient, bulk.ofClient.length), writeAll(server, bulk.ofServer, 50_000)];
  client.end();
  server.end();
  assertLife(await within(life, `the client to close, ${what}`), bulk.ofServer, `the client, ${what},`);
  await lane.settled(bulk.ofClient, what);
  assert.ok(wire.broken, what);
  for (const { count, told } of writes) assert.equal(told, count, `writes told, ${what}`);
}

/** By promises, on a descriptor that stays its owner's. */
async function transferByReads(options: SslContextOptions, each: Break): Promise<void> {
  const what = textOf(each);
  const listener = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const wire = await BrokenWire.open((listener.address() as net.AddressInfo).port);
  const near = net
    .connect(wire.port, '127.0.0.1')
    .pause()
    .on('error', () => {});
  const [[far]] = await Promise.all([once(listener, 'connection') as Promise<[net.Socket]>, once(near, 'connect')]);
  far.on('error', () => {});
  listener.close();
  const client = new Ssl(clientContext(options), {
    side: 'client',
    servername: 'localhost',
    ...(pool && { io: pool }),
  });
  const server = new Ssl(serverContext(options), { side: 'server', ...(pool && { io: pool }) });
  client.setFd(fdOf(near));
  server.setFd(fdOf(far));
  await Promise.all([client.connect(), server.accept()]);
  wire.breakAt(each);
  const got = [Buffer.alloc(0), Buffer.alloc(0)] as [Buffer, Buffer];
  const read = async (ssl: Ssl, index: 0 | 1) => {
    for (let chunk = await ssl.read(); chunk !== null; chunk = await ssl.read()) {
      got[index] = Buffer.concat([got[index], chunk]);
    }
  };
  const running = [
    read(client, 0),
    read(server, 1),
    client.write(bulk.ofClient),
    server.write(bulk.ofServer),
    client.shutdown({ ...limits, wait: true }),
    server.shutdown({ ...limits, wait: true }),
  ];
  await Promise.all(running.map(promise => assertSettles(promise, what)));
  assertPrefix(got[0], bulk.ofServer, `the client, ${what}`);
  assertPrefix(got[1], bulk.ofClient, `the server, ${what}`);
  for (const ssl of [client, server]) ssl.close();
  for (const socket of [near, far]) socket.destroy();
  await within(wire.closed, `the wire to be closed, ${what}`);
}

describe('a peer that is gone in the middle of a transfer', () => {
  for (const [version, both] of versions) {
    const cases = directions.flatMap(direction =>
      (['reset', 'end'] as const).flatMap(how =>
        placesIn(bulk.ofClient.length).map(after => ({ direction, after, how })),
      ),
    );

    it(`both ways, ${version}`, async () => {
      const options = trusting(both);
      await onLanes(
        cases,
        () => Lane.open(both),
        (lane, each) => transfer(lane, options, each),
      );
    });

    it(`by reads and writes that wait, ${version}`, async () => {
      const before = descriptors();
      const some = cases.filter((_each, index) => index % 2 === 0);
      await inTurn(some, each => transferByReads(both, each), 8);
      await until(() => descriptors() <= before, `the descriptors to be closed: ${before} before`);
    });
  }
});
