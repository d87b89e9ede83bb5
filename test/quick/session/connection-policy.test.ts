// What one connection was told about verification holds for it, whatever its context says or a session remembers; and memory that
// JavaScript takes away, or gives to two connections, harms nobody else.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, Ssl, SslContext, type SslSession } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { rejected } from '../../support/errors.ts';
import { connectedPair, MemoryPair, versions } from '../../support/memory-pair.ts';
import { watch, within } from '../../support/wait.ts';

const { ca, server, client, stranger } = certificates();
const lenient = { requestCert: true, rejectUnauthorized: false };

for (const [version, both] of versions) {
  describe(`verification of one connection, ${version}`, () => {
    const identity = { cert: server.cert, key: server.key, ca: ca.cert, ...both };
    const trusting = { ca: ca.cert, ...both };

    it('a client that insists does, on a context that does not', async () => {
      const near = new Ssl(new SslContext({ ...both, ...lenient }), {
        side: 'client',
        host: 'localhost',
        rejectUnauthorized: true,
      });
      const pair = new MemoryPair(near, new Ssl(new SslContext(identity), { side: 'server' }));
      const accepting = pair.server.accept().catch(() => undefined);
      await rejected(pair.during(near.connect()), /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_|DEPTH_ZERO_)/);
      await pair.during(accepting);
    });

    it('a server that insists does, by option and by setVerify()', async () => {
      for (const how of ['option', 'setVerify'] as const) {
        const insisting = { requestCert: true, rejectUnauthorized: true };
        const far = new Ssl(new SslContext({ ...identity, ...lenient }), {
          side: 'server',
          ...(how === 'option' && insisting),
        });
        if (how === 'setVerify') far.setVerify(insisting);
        const near = new Ssl(new SslContext({ ...trusting, cert: stranger.cert, key: stranger.key }), {
          side: 'client',
          host: 'localhost',
        });
        const pair = new MemoryPair(near, far);
        const connecting = near.connect().catch(() => undefined);
        await rejected(pair.during(far.accept()), /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_)/);
        await pair.during(connecting);
      }
    });

    it('a server that only asks goes on, on a context that insists, and tells the verdict', async () => {
      const far = new Ssl(new SslContext(identity), { side: 'server', ...lenient });
      const near = new Ssl(new SslContext({ ...trusting, cert: stranger.cert, key: stranger.key }), {
        side: 'client',
        host: 'localhost',
      });
      const pair = new MemoryPair(near, far);
      await pair.during(Promise.all([near.connect(), far.accept()]));
      assert.notEqual(far.verifyResult.name, 'OK');
      assert.notEqual(far.peerCertificate, null);
    });

    it('a session made without a client certificate does not stand in for one', async () => {
      const context = new SslContext(identity);
      const clientContext = new SslContext({ ...trusting, cert: client.cert, key: client.key });
      const sessions: SslSession[] = [];
      const first = new MemoryPair(
        new Ssl(clientContext, {
          side: 'client',
          host: 'localhost',
          on: { session: session => void sessions.push(session) },
        }),
        new Ssl(context, { side: 'server', requestCert: false }),
      );
      await first.during(Promise.all([first.client.connect(), first.server.accept()]));
      await first.server.write('x');
      await first.during(first.client.read());
      await first.during(first.server.shutdown());
      const session = sessions.at(-1);
      assert.ok(session);
      const second = new MemoryPair(
        new Ssl(clientContext, { side: 'client', host: 'localhost', session }),
        new Ssl(context, { side: 'server', requestCert: true, rejectUnauthorized: true }),
      );
      await second.during(Promise.all([second.client.connect(), second.server.accept()]));
      assert.equal(second.server.sessionReused, false);
      assert.notEqual(second.server.peerCertificate, null);
    });
  });
}

describe('the chain of a certificate that is given alone', () => {
  it('is completed from ca, once, and sent without its root', async () => {
    const { deepServer, intermediate } = certificates();
    const leaf = `${deepServer.cert.split('-----END CERTIFICATE-----')[0]}-----END CERTIFICATE-----\n`;
    const identity = { cert: leaf, key: deepServer.key, ca: [intermediate.cert, ca.cert] };
    const near = new Ssl(new SslContext({ ca: ca.cert }), { side: 'client', host: 'localhost' });
    const pair = new MemoryPair(near, new Ssl(new SslContext(identity), { side: 'server' }));
    await pair.during(Promise.all([near.connect(), pair.server.accept()]));
    assert.equal(near.peerCertificateChain.length, 2);
  });
});

async function readAll(ssl: Ssl): Promise<void> {
  while ((await ssl.read()) !== null);
}

describe('memory of the application', () => {
  it('a write that loses its memory halfway ends the connection: no hole in what the peer reads', async () => {
    const pair = await connectedPair({ transport: 'pair' });
    const data = new Uint8Array(1 << 20);
    const writing = pair.client.write(data);
    const next = pair.client.write('behind the hole');
    structuredClone(data.buffer, { transfer: [data.buffer] });
    // What was encrypted before makes room for the rest.
    watch(readAll(pair.server));
    await rejected(pair.during(writing), 'ERR_TLS_BUFFER_DETACHED');
    await rejected(next, 'ERR_TLS_BUFFER_DETACHED');
  });

  it('an onread buffer that is taken away is an error, not a silence', async () => {
    const running = createServer({ cert: server.cert, key: server.key }, socket => {
      socket.on('error', () => undefined);
      socket.end(Buffer.alloc(200_000));
    });
    await running.listen({ port: 0, host: '127.0.0.1' });
    const { port } = running.address() as { port: number };
    const buffer = new Uint8Array(new ArrayBuffer(16_384));
    const callback = () => {
      if (buffer.length > 0) structuredClone(buffer.buffer, { transfer: [buffer.buffer] });
      return true;
    };
    const socket = await connect({ host: 'localhost', port, ca: ca.cert, onread: { buffer, callback } });
    const [error] = await within(once(socket, 'error'), 'an error');
    assert.equal((error as NodeJS.ErrnoException).code, 'ERR_TLS_BUFFER_DETACHED');
    await running.close();
  });

  it('one onread buffer for several sockets: each callback sees the bytes of its own', async () => {
    const size = 100_000;
    let served = 0;
    const running = createServer({ cert: server.cert, key: server.key }, socket => {
      socket.on('error', () => undefined);
      socket.write(Buffer.alloc(size, ++served));
    });
    await running.listen({ port: 0, host: '127.0.0.1' });
    const { port } = running.address() as { port: number };
    const shared = Buffer.alloc(4096);
    const clients = await Promise.all(
      [1, 2, 3, 4].map(async () => {
        const seen = new Set<number>();
        let count = 0;
        let complete = () => {};
        const done = new Promise<void>(resolve => {
          complete = resolve;
        });
        const callback = (bytes: number) => {
          for (const byte of shared.subarray(0, bytes)) seen.add(byte);
          count += bytes;
          if (count === size) complete();
          return true;
        };
        const socket = await connect({
          host: 'localhost',
          port,
          ca: ca.cert,
          onread: { buffer: () => shared, callback },
        });
        return { socket, seen, done };
      }),
    );
    await within(Promise.all(clients.map(({ done }) => done)), 'all bytes');
    for (const { seen } of clients) assert.equal(seen.size, 1);
    for (const { socket } of clients) socket.destroy();
    await running.close();
  });
});
