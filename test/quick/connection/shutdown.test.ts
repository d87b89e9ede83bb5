import assert from 'node:assert/strict';
import { pattern, readAtLeast, readToEnd } from '../../support/bytes.ts';
import { codes } from '../../support/codes.ts';
import { rejected } from '../../support/errors.ts';
import { all, connectedPair, makePair, tls13, versions } from '../../support/memory-pair.ts';
import { turns, watch, within } from '../../support/wait.ts';

describe('shutdown', () => {
  it('TLSv1.3: nothing follows our close_notify, not even the answer to a key update', async () => {
    const pair = await connectedPair({ both: tls13 });
    await pair.server.shutdown();
    await pair.pump();
    assert.equal(await pair.client.read(), null);
    // OpenSSL answers by itself when a second one comes.
    for (let i = 0; i < 3; i++) await pair.client.keyUpdate({ requestPeer: true });
    await pair.client.write('still read');
    const read = pair.server.read();
    for (let i = 0; i < 5; i++) {
      pair.toServer.step(all);
      await turns(1);
    }
    assert.equal(String(await within(read, 'the data')), 'still read');
    await turns(3);
    assert.equal(pair.toClient.step(all), 0);
  });

  for (const [version, both] of versions) {
    describe(version, () => {
      it('one-way: the peer reads the end and can go on writing', async () => {
        const pair = await connectedPair({ both });
        await within(pair.client.shutdown(), 'a one-way shutdown needs no peer');
        assert.equal(await pair.during(pair.server.read()), null);
        assert.equal(await pair.during(pair.server.read()), null, 'again');
        const read = pair.client.read();
        await pair.server.write(Buffer.from('half-closed'));
        assert.equal(String(await pair.during(read)), 'half-closed');
      });

      it('two-way: resolves with the peer’s close_notify, not before', async () => {
        const pair = await connectedPair({ both });
        const done = watch(pair.client.shutdown({ wait: true }));
        assert.equal(await pair.during(pair.server.read()), null);
        await pair.pump();
        assert.equal(done.outcome.status, 'pending');
        await pair.server.shutdown();
        await pair.during(done.promise);
        assert.equal(await pair.client.read(), null);
      });

      it('by both at once', async () => {
        const pair = await connectedPair({ both });
        await pair.during(Promise.all([pair.client.shutdown({ wait: true }), pair.server.shutdown({ wait: true })]));
        assert.equal(await pair.client.read(), null);
        assert.equal(await pair.server.read(), null);
      });

      it('twice is once', async () => {
        const pair = await connectedPair({ both });
        await Promise.all([pair.client.shutdown(), pair.client.shutdown()]);
        await pair.client.shutdown();
        await pair.pump();
        const crossed = pair.toServer.bytes.length;
        await pair.client.shutdown();
        await pair.pump();
        assert.equal(pair.toServer.bytes.length, crossed, 'no second close_notify');
        await pair.during(Promise.all([pair.client.shutdown({ wait: true }), pair.server.shutdown({ wait: true })]));
      });

      it('after the writes before it: nothing that was written is lost', async () => {
        const pair = await connectedPair({ both });
        const data = pattern(1 << 20);
        const work = Promise.all([pair.client.write(data), pair.client.shutdown()]);
        const got = await pair.during(readToEnd(pair.server));
        await work;
        assert.ok(got.equals(data));
      });

      for (const fragment of [1, 7, 1000, all]) {
        it(`two-way with data in flight from the peer, ${fragment === all ? 'everything' : fragment} bytes at a time`, async () => {
          const pair = await connectedPair({ both });
          const data = pattern(fragment < 1000 ? 500 : 30_000);
          await pair.server.write(data);
          const done = watch(pair.client.shutdown({ wait: true }));
          const reading = readToEnd(pair.client);
          pair.flow({ fragment });
          assert.equal(await pair.server.read(), null);
          await pair.server.write(data);
          await pair.server.shutdown();
          const got = await within(reading, 'the data that was in flight');
          await within(done.promise, 'the shutdown');
          assert.ok(got.equals(Buffer.concat([data, data])));
        });
      }

      it('resolves when the transport took everything, not before', async () => {
        const pair = await connectedPair({ both, transport: 'pair' });
        const data = pattern(1 << 20);
        const written = watch(pair.client.write(data));
        const done = watch(pair.client.shutdown());
        await turns(10);
        assert.equal(done.outcome.status, 'pending');
        assert.ok((await pair.during(readToEnd(pair.server))).equals(data));
        await within(Promise.all([written.promise, done.promise]), 'both');
        assert.equal(pair.client.bufferedAmount, 0);
      });

      it('two-way, and the peer has more to say than is read ahead: waits until it is read, and loses nothing', async () => {
        const pair = await connectedPair({ both, transport: 'pair' });
        const data = pattern(1 << 20);
        const done = watch(pair.client.shutdown({ wait: true }));
        const saying = Promise.all([pair.server.write(data), pair.server.shutdown()]);
        pair.flow();
        await turns(100);
        assert.equal(done.outcome.status, 'pending');
        assert.ok(pair.client.readableAmount > 0 && pair.client.readableAmount <= 128 * 1024);
        assert.ok((await readToEnd(pair.client)).equals(data));
        await within(Promise.all([done.promise, saying]), 'both goodbyes');
      });

      it('two-way that nobody answers ends by its timeout', async () => {
        const pair = await connectedPair({ both });
        await rejected(pair.client.shutdown({ wait: true, timeout: 20 }), codes.timeout);
      });

      it('two-way, and the peer goes without a word: a truncation', async () => {
        const pair = await connectedPair({ both });
        const done = watch(pair.client.shutdown({ wait: true }));
        await pair.pump();
        pair.cut();
        await rejected(pair.during(done.promise), codes.unexpectedEof);
      });

      it('is the end of writing, whatever is tried after it', async () => {
        const pair = await connectedPair({ both });
        await pair.client.shutdown();
        await rejected(pair.client.write(Buffer.from('late')), 'ERR_SSL_PROTOCOL_IS_SHUTDOWN');
        assert.equal(await pair.during(pair.server.read()), null);
        assert.equal(await pair.during(pair.server.read()), null, 'nothing was sent');
      });

      it('before the handshake is a named error, and the handshake is still possible', async () => {
        const pair = makePair({ both });
        await rejected(pair.client.shutdown(), ['ERR_SSL_SHUTDOWN_WHILE_IN_INIT', 'ERR_SSL_UNINITIALIZED']);
        await pair.handshake();
        await pair.client.shutdown();
        assert.equal(await pair.during(pair.server.read()), null);
      });

      it('during the handshake waits for its end', async () => {
        const pair = makePair({ both });
        const connecting = pair.client.connect();
        const done = watch(pair.client.shutdown());
        await turns(3);
        assert.equal(done.outcome.status, 'pending');
        await pair.during(Promise.all([connecting, pair.server.accept(), done.promise]));
        assert.equal(await pair.during(pair.server.read()), null);
      });
    });
  }

  describe('a truncation', () => {
    for (const [version, both] of versions) {
      it(`${version}: the read waiting for more rejects, and so does each after it`, async () => {
        const pair = await connectedPair({ both });
        const first = watch(pair.server.read());
        await pair.pump();
        pair.cut();
        await rejected(pair.during(first.promise), codes.unexpectedEof);
        await rejected(pair.server.read(), codes.unexpectedEof);
        await rejected(pair.server.readInto(Buffer.alloc(1)), codes.unexpectedEof);
      });

      it(`${version}: what came whole before it is delivered first`, async () => {
        const pair = await connectedPair({ both });
        await pair.client.write(Buffer.from('whole'));
        await pair.pump();
        pair.cut();
        assert.equal(String(await pair.during(readAtLeast(pair.server, 5))), 'whole');
        await rejected(pair.server.read(), codes.unexpectedEof);
      });

      it(`${version}: in the middle of a record`, async () => {
        const pair = await connectedPair({ both });
        pair.toServer.allowance = 20;
        await pair.client.write(Buffer.from('this record is cut off in its middle'));
        const read = watch(pair.server.read());
        await pair.pump();
        pair.cut();
        await rejected(pair.during(read.promise), codes.unexpectedEof);
      });

      it(`${version}: after close_notify is none`, async () => {
        const pair = await connectedPair({ both });
        await pair.client.shutdown();
        await pair.pump();
        pair.cut();
        assert.equal(await pair.during(pair.server.read()), null);
        assert.equal(await pair.server.read(), null);
      });

      it(`${version}: of a handshake, on either side`, async () => {
        for (const side of ['client', 'server'] as const) {
          const pair = makePair({ both });
          const waiting = watch(side === 'client' ? pair.client.connect() : pair.server.accept());
          await turns(2);
          pair.cut();
          await rejected(pair.during(waiting.promise), codes.unexpectedEof);
        }
      });
    }
  });
});
