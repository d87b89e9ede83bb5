// The option strictEnd: what a transport that ends without close_notify is to a stream.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { connect, createServer, type SslContextOptions, TlsSocket } from 'system-tls';
import { pattern } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { all, connectedPair, type MemoryPair, makePair, tls12, versions } from '../../support/memory-pair.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { until, watch, within } from '../../support/wait.ts';

interface Seen {
  readonly events: string[];
  data: string;
}

/** What a stream tells until it is closed. */
function observe(socket: NodeJS.EventEmitter): Seen {
  const seen: Seen = { events: [], data: '' };
  socket.on('data', (chunk: Buffer) => {
    seen.data += String(chunk);
  });
  for (const event of ['end', 'finish', 'close']) socket.on(event, () => seen.events.push(event));
  socket.on('error', (error: NodeJS.ErrnoException) => seen.events.push(String(error.code)));
  return seen;
}

const closed = (seen: Seen) => until(() => seen.events.includes('close'), 'close');

const relays = new Set<net.Server>();
afterEach('ends relays', () => {
  for (const relay of relays) relay.close();
  relays.clear();
});

interface Relayed {
  readonly port: number;
  /** The way to and from the server, as the relay has it. */
  readonly toServer: Promise<net.Socket>;
  readonly toClient: Promise<net.Socket>;
}

/** A way to `port` that can be cut. */
async function relayTo(port: number): Promise<Relayed> {
  let given!: (sockets: [net.Socket, net.Socket]) => void;
  const both = new Promise<[net.Socket, net.Socket]>(resolve => {
    given = resolve;
  });
  const relay = net.createServer(near => {
    const far = net.connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      from.on('error', () => {});
      from.on('data', chunk => void (to.destroyed || to.write(chunk)));
    }
    given([far, near]);
  });
  relays.add(relay.listen(0, '127.0.0.1'));
  await once(relay, 'listening');
  const { port: own } = relay.address() as net.AddressInfo;
  return { port: own, toServer: both.then(([far]) => far), toClient: both.then(([, near]) => near) };
}

interface Accepting {
  readonly port: number;
  readonly accepted: Promise<NodeJS.EventEmitter>;
}

async function acceptByUs(options: SslContextOptions): Promise<Accepting> {
  const { port, next } = await startServer({ ...options, strictEnd: false });
  return { port, accepted: next() };
}

async function acceptByNode(options: SslContextOptions): Promise<Accepting> {
  const { cert, key } = certificates().server;
  const { minVersion, maxVersion } = options as tls.SecureContextOptions;
  const server = tls.createServer({ minVersion, maxVersion, cert, key });
  relays.add(server.listen(0, '127.0.0.1'));
  await once(server, 'listening');
  const accepted = once(server, 'secureConnection').then(([socket]) => socket as tls.TLSSocket);
  return { port: (server.address() as net.AddressInfo).port, accepted };
}

describe('a transport that ends without close_notify', () => {
  for (const [version, both] of versions) {
    for (const strictEnd of [true, false]) {
      const expected = strictEnd ? ['ERR_SSL_UNEXPECTED_EOF', 'close'] : ['end', 'finish', 'close'];

      it(`${version}, strictEnd: ${strictEnd}, on a server: the data, then ${expected[0]}`, async () => {
        const running = await startServer({ ...both, strictEnd });
        const { port, toServer } = await relayTo(running.port);
        const client = await connectTo(port, both);
        const seen = observe(await running.next());
        client.write('all there is');
        await until(() => seen.data === 'all there is', 'the data');
        (await toServer).end();
        await closed(seen);
        assert.deepEqual(seen, { events: expected, data: 'all there is' });
      });

      it(`${version}, strictEnd: ${strictEnd}, on a client: the data, then ${expected[0]}`, async () => {
        const running = await startServer(both, socket => socket.write('all there is'));
        const { port, toClient } = await relayTo(running.port);
        const seen = observe(await connectTo(port, { ...both, strictEnd }));
        await until(() => seen.data === 'all there is', 'the data');
        (await toClient).end();
        await closed(seen);
        assert.deepEqual(seen, { events: expected, data: 'all there is' });
      });
    }

    for (const [cut, first] of [
      ['end', 'end'],
      ['resetAndDestroy', 'ECONNRESET'],
    ] as const) {
      it(`${version}, strictEnd: false is what node:tls does: ${cut} gives ${first}`, async () => {
        const found: Seen[] = [];
        for (const accept of [acceptByNode, acceptByUs]) {
          const { port: own, accepted } = await accept(both);
          const { port, toServer } = await relayTo(own);
          const client = await connectTo(port, both);
          const seen = observe(await accepted);
          client.write('all there is');
          await until(() => seen.data === 'all there is', 'the data');
          (await toServer)[cut]();
          await closed(seen);
          found.push(seen);
          client.destroy();
        }
        assert.deepEqual(found[1], found[0]);
        assert.equal(found[1]?.events[0], first);
      });
    }

    it(`${version}, the sending half goes on with allowHalfOpen`, async () => {
      const running = await startServer({ ...both, strictEnd: false, allowHalfOpen: true });
      const { port, toServer } = await relayTo(running.port);
      const client = await connectTo(port, both);
      const server = await running.next();
      const got: Buffer[] = [];
      client.on('data', (chunk: Buffer) => got.push(chunk));
      client.write('x');
      await within(once(server, 'data'), 'the data');
      (await toServer).end();
      await within(once(server, 'end'), 'the end');
      const answer = pattern(300_000);
      server.end(answer);
      await within(once(client, 'end'), 'the end of the answer');
      assert.ok(Buffer.concat(got).equals(answer));
    });

    it(`${version}, in the middle of a record: an error all the same`, async () => {
      const whole = await connectedPair({ both });
      await whole.client.write(pattern(100));
      const record = whole.toServer.step(all);
      for (let allowance = 1; allowance < record; allowance += allowance < 6 || allowance > record - 8 ? 1 : 7) {
        const pair = await connectedPair({ both });
        const seen = observe(new TlsSocket(pair.server, { strictEnd: false }));
        pair.toServer.allowance = allowance;
        await pair.client.write(pattern(100));
        await pair.pump();
        pair.cut();
        await closed(seen);
        assert.deepEqual(seen.events, ['ERR_SSL_UNEXPECTED_EOF', 'close'], `${allowance}`);
      }
    });

    it(`${version}, in the handshake: an error all the same`, async () => {
      for (const allowance of [0, 5, 100]) {
        const pair = makePair({ both });
        const seen = observe(new TlsSocket(pair.server, { strictEnd: false }));
        pair.toServer.allowance = allowance;
        watch(pair.client.connect());
        await pair.pump();
        pair.cut();
        await closed(seen);
        assert.deepEqual(seen.events, ['ERR_SSL_UNEXPECTED_EOF', 'close'], `${allowance}`);
      }
    });

    it(`${version}, data that waits for a reader comes before the end`, async () => {
      const pair = await connectedPair({ both });
      const socket = new TlsSocket(pair.server, { strictEnd: false, pauseOnConnect: true });
      await pair.client.write(Buffer.from('waits'));
      await pair.pump();
      pair.cut();
      const chunks: string[] = [];
      for await (const chunk of socket) chunks.push(String(chunk));
      assert.deepEqual(chunks, ['waits']);
    });
  }

  it('in the middle of a renegotiation: an error all the same', async () => {
    const pair = await connectedPair({ both: tls12 });
    const seen = observe(new TlsSocket(pair.server, { strictEnd: false }));
    const renegotiation = watch(pair.server.renegotiate());
    const reading = watch(pair.client.read());
    pair.toServer.allowance = 400;
    // Of the client's new ClientHello on, no more than a part of its handshake gets through.
    await pair.pump();
    pair.cut();
    await closed(seen);
    await rejected(renegotiation.promise, codes.unexpectedEof);
    assert.deepEqual(seen.events, ['ERR_SSL_UNEXPECTED_EOF', 'close']);
    await rejected(reading.promise, codes.unexpectedEof);
  });

  it('what waits for the peer hears that it has gone', async () => {
    const pair: MemoryPair = await connectedPair();
    const socket = new TlsSocket(pair.server, { strictEnd: false, allowHalfOpen: true });
    socket.resume();
    const { peerUpdated } = await socket.keyUpdate({ requestPeer: true });
    pair.toServer.to.end();
    await rejected(peerUpdated as Promise<void>, 'ERR_TLS_PEER_CLOSED');
    assert.equal(pair.server.shutdownState.received, false, 'what was not said is not told');
    pair.close();
  });

  it('strictEnd is a boolean', async () => {
    const { cert, key } = certificates().server;
    for (const strictEnd of [0, 'no', {}] as never[]) {
      thrown(() => createServer({ cert, key, strictEnd }), codes.wrongType);
      await rejected(connect({ port: 1, strictEnd }), codes.wrongType);
      thrown(() => new TlsSocket(makePair().server, { strictEnd }), codes.wrongType);
    }
    new TlsSocket(makePair().server, { strictEnd: undefined }).destroy();
  });
});
