// SSL_get_shutdown and SSL_set_shutdown, quiet shutdown, and what becomes of the session (SSL_set_shutdown(3)).
import assert from 'node:assert/strict';
import { constants } from 'node:crypto';
import type { Ssl, SslContextOptions, SslSession } from 'system-tls';
import { readToEnd } from '../../support/bytes.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import {
  clientContext,
  connectedPair,
  type MemoryPair,
  makePair,
  serverContext,
  tls12,
  versions,
} from '../../support/memory-pair.ts';
import { socketPair } from '../../support/sockets.ts';
import { watch } from '../../support/wait.ts';

const neither = { sent: false, received: false };
const sent = { sent: true, received: false };
const received = { sent: false, received: true };
const both = { sent: true, received: true };

describe('the shutdown state', () => {
  for (const [version, options] of versions) {
    describe(version, () => {
      it('follows each close_notify', async () => {
        const pair = makePair({ both: options });
        assert.deepEqual(pair.client.shutdownState, neither);
        await pair.handshake();
        assert.deepEqual(pair.client.shutdownState, neither);
        await pair.client.shutdown();
        assert.deepEqual(pair.client.shutdownState, sent);
        assert.equal(await pair.during(pair.server.read()), null);
        assert.deepEqual(pair.server.shutdownState, received);
        await pair.server.shutdown();
        assert.deepEqual(pair.server.shutdownState, both);
        assert.equal(await pair.during(pair.client.read()), null);
        assert.deepEqual(pair.client.shutdownState, both);
      });

      it('is not touched by a truncation', async () => {
        const pair = await connectedPair({ both: options });
        const read = watch(pair.client.read());
        pair.cut();
        await rejected(pair.during(read.promise), codes.unexpectedEof);
        assert.deepEqual(pair.client.shutdownState, neither);
      });

      it('set to sent: nothing goes out, and nothing can be written any more', async () => {
        const pair = await connectedPair({ both: options });
        const before = pair.toServer.bytes.length;
        pair.client.setShutdown({ sent: true });
        assert.deepEqual(pair.client.shutdownState, sent);
        await rejected(pair.client.write('late'), 'ERR_SSL_PROTOCOL_IS_SHUTDOWN');
        await pair.client.shutdown();
        await pair.pump();
        assert.equal(pair.toServer.bytes.length, before);
        await pair.server.write('it still hears');
        assert.equal(String(await pair.during(pair.client.read())), 'it still hears');
      });

      it('set to received: the read that waits ends, and so does each after it', async () => {
        const pair = await connectedPair({ both: options });
        const read = watch(pair.client.read());
        pair.client.setShutdown({ received: true });
        assert.equal(await pair.during(read.promise), null);
        assert.equal(await pair.client.read(), null);
        assert.deepEqual(pair.client.shutdownState, received);
        await pair.client.shutdown({ wait: true });
        assert.equal(await pair.during(pair.server.read()), null, 'our own close_notify went out');
      });

      it('set while the peer’s goodbye is awaited: the wait is over', async () => {
        const pair = await connectedPair({ both: options });
        const done = watch(pair.client.shutdown({ wait: true }));
        await pair.pump();
        assert.equal(done.outcome.status, 'pending');
        pair.client.setShutdown({ received: true });
        await pair.during(done.promise);
      });

      it('takes nothing back', async () => {
        const pair = await connectedPair({ both: options });
        await pair.client.shutdown();
        pair.client.setShutdown({ sent: false, received: false });
        pair.client.setShutdown({});
        assert.deepEqual(pair.client.shutdownState, sent);
        await rejected(pair.client.write('late'), 'ERR_SSL_PROTOCOL_IS_SHUTDOWN');
      });

      it('cannot be set before the handshake, during it, or while a write is under way; nothing is lost', async () => {
        const pair = makePair({ both: options, transport: 'pair' });
        thrown(() => pair.client.setShutdown(both), 'ERR_SSL_SHUTDOWN_WHILE_IN_INIT');
        const connecting = pair.client.connect();
        thrown(() => pair.client.setShutdown(both), 'ERR_SSL_SHUTDOWN_WHILE_IN_INIT');
        await pair.during(Promise.all([connecting, pair.server.accept()]));
        const data = Buffer.alloc(1 << 20, 7);
        const writing = watch(pair.client.write(data));
        thrown(() => pair.client.setShutdown(both), 'ERR_SSL_BAD_WRITE_RETRY');
        const saying = watch(writing.promise.then(() => pair.client.shutdown()));
        assert.ok((await pair.during(readToEnd(pair.server))).equals(data));
        await pair.during(saying.promise);
      });
    });
  }

  it('after close, and what is no state, are named errors', async () => {
    const pair = await connectedPair();
    for (const wrong of [undefined, null, 'both', 3, { sent: 1 }, { received: 'yes' }]) {
      thrown(() => pair.client.setShutdown(wrong as never), codes.wrongType);
    }
    pair.client.close();
    thrown(() => pair.client.shutdownState, codes.closed);
    thrown(() => pair.client.setShutdown(both), codes.closed);
    thrown(() => pair.client.quietShutdown, codes.closed);
    thrown(() => {
      pair.client.quietShutdown = true;
    }, codes.closed);
  });
});

describe('a quiet shutdown', () => {
  for (const [version, options] of versions) {
    it(`${version}: sends nothing, waits for nothing, and counts as both`, async () => {
      const pair = await connectedPair({ both: options });
      pair.client.quietShutdown = true;
      assert.equal(pair.client.quietShutdown, true);
      const before = pair.toServer.bytes.length;
      const read = watch(pair.client.read());
      await pair.client.shutdown({ wait: true });
      assert.deepEqual(pair.client.shutdownState, both);
      assert.equal(await pair.during(read.promise), null);
      await pair.pump();
      assert.equal(pair.toServer.bytes.length, before);
      await rejected(pair.client.write('late'), 'ERR_SSL_PROTOCOL_IS_SHUTDOWN');
    });

    it(`${version}: is a truncation to the peer`, async () => {
      const pair = await connectedPair({ both: options });
      pair.client.quietShutdown = true;
      await pair.client.shutdown();
      const read = watch(pair.server.read());
      await pair.pump();
      pair.cut();
      await rejected(pair.during(read.promise), codes.unexpectedEof);
    });

    it(`${version}: comes after the writes before it`, async () => {
      const pair = await connectedPair({ both: options, transport: 'pair' });
      pair.client.quietShutdown = true;
      const data = Buffer.alloc(300_000, 1);
      const work = Promise.all([pair.client.write(data), pair.client.shutdown()]);
      let got = 0;
      while (got < data.length) got += (await pair.during(pair.server.read()))?.length ?? Number.NaN;
      await work;
      assert.equal(got, data.length);
    });
  }

  it('of a context holds for its connections, and can be taken back on each', async () => {
    const pair = await connectedPair({ client: { quietShutdown: true } });
    assert.equal(pair.client.quietShutdown, true);
    assert.equal(pair.server.quietShutdown, false);
    pair.client.quietShutdown = false;
    await pair.client.shutdown();
    assert.equal(await pair.during(pair.server.read()), null);
  });

  it('fails a key update that waits for the peer, which will not be heard any more', async () => {
    const pair = await connectedPair();
    const { peerUpdated } = await pair.client.keyUpdate({ requestPeer: true });
    pair.client.quietShutdown = true;
    await pair.client.shutdown();
    await rejected(peerUpdated as Promise<void>, 'ERR_TLS_PEER_CLOSED');
  });

  it('of a socket: its stream ends, and the peer’s says that it was cut off', async () => {
    const { client, server } = await socketPair({}, { quietShutdown: true });
    const failing = new Promise<NodeJS.ErrnoException>(resolve => server.once('error', resolve));
    server.resume();
    const closed = new Promise(resolve => client.once('close', resolve));
    client.resume().end('the last of it');
    await closed;
    assert.equal((await failing).code, codes.unexpectedEof);
  });

  it('refuses what is no boolean', async () => {
    const pair = makePair();
    for (const wrong of [1, 'yes', null, {}]) {
      thrown(() => {
        pair.client.quietShutdown = wrong as never;
      }, codes.wrongType);
      if (wrong !== null) thrown(() => clientContext({ quietShutdown: wrong as never }), codes.wrongType);
    }
    assert.equal(pair.client.quietShutdown, false);
  });
});

// What the tutorial says of SSL_free() holds for sessions that a server keeps by their id.
describe('the session of a connection that is freed', () => {
  const byId: SslContextOptions = { ...tls12, secureOptions: constants.SSL_OP_NO_TICKET };
  const byTicket: SslContextOptions = tls12;

  type End = (pair: MemoryPair) => unknown;
  const quietly = (ssl: Ssl): Promise<void> => {
    ssl.quietShutdown = true;
    return ssl.shutdown();
  };
  const ends: readonly (readonly [string, End, boolean])[] = [
    ['without a shutdown', () => undefined, false],
    ['after a shutdown of both', pair => Promise.all([pair.client.shutdown(), pair.server.shutdown()]), true],
    ['after a shutdown of the client alone', pair => pair.client.shutdown(), false],
    ['after a quiet shutdown of both', pair => Promise.all([quietly(pair.client), quietly(pair.server)]), true],
    [
      'after setShutdown() on both',
      pair => {
        pair.client.setShutdown(both);
        pair.server.setShutdown(both);
      },
      true,
    ],
  ];

  async function resumes(forServer: SslContextOptions, end: End): Promise<boolean> {
    const contexts = { clientContext: clientContext(tls12), serverContext: serverContext(forServer) };
    const first = await makePair(contexts).handshake();
    const session = first.client.session as SslSession;
    assert.equal(session.resumable, true);
    await end(first);
    first.close();
    const second = makePair({ ...contexts, clientSsl: { session } });
    await second.handshake();
    assert.equal(second.server.sessionReused, second.client.sessionReused);
    return second.client.sessionReused;
  }

  for (const [how, end, kept] of ends) {
    it(`${how} ${kept ? 'is' : 'is not'} resumed by its id`, async () => {
      assert.equal(await resumes(byId, end), kept);
    });

    it(`${how} is resumed by its ticket`, async () => {
      assert.equal(await resumes(byTicket, end), true);
    });
  }
});
