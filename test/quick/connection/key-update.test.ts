import assert from 'node:assert/strict';
import { pattern, readAtLeast } from '../../support/bytes.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import {
  all,
  connectedPair,
  type MemoryPair,
  makePair,
  stillCarries,
  tls12,
  tls13,
} from '../../support/memory-pair.ts';
import { handshakeType, trace } from '../../support/trace.ts';
import { patience, turns, until, watch, within } from '../../support/wait.ts';

const keyUpdate = handshakeType.keyUpdate;

const sides = [
  ['client', 'server'],
  ['server', 'client'],
] as const;

describe('key update', () => {
  for (const [ours, theirs] of sides) {
    describe(`by the ${ours}`, () => {
      it('not requested: our sending keys change, the peer is told, and keeps its own', async () => {
        const pair = makePair({ both: tls13 });
        const [mine, other] = [trace(pair[ours]), trace(pair[theirs])];
        await pair.handshake();
        const label = new RegExp(`^${ours.toUpperCase()}_TRAFFIC_SECRET_`);
        const foreign = new RegExp(`^${theirs.toUpperCase()}_TRAFFIC_SECRET_`);
        assert.equal(mine.secretsOf(label).length, 1);

        await pair[ours].keyUpdate();
        await pair.pump();
        await stillCarries(pair);

        assert.equal(new Set(mine.secretsOf(label)).size, 2, 'the secret changed');
        assert.deepEqual(other.secretsOf(label), mine.secretsOf(label), 'and both know the new one');
        assert.equal(mine.secretsOf(foreign).length, 1, 'the other direction keeps its secret');
        assert.equal(mine.count(true, keyUpdate), 1);
        assert.equal(mine.count(false, keyUpdate), 0);
        assert.equal(mine.messages.find(({ type }) => type === keyUpdate)?.data[4], 0, 'update_not_requested');
        assert.deepEqual(other.events, ['keyUpdate peer']);
      });

      it('requested: the peer answers even with nothing to write, and peerUpdated tells', async () => {
        const pair = makePair({ both: tls13 });
        const [mine, other] = [trace(pair[ours]), trace(pair[theirs])];
        await pair.handshake();
        const reading = watch(pair[theirs].read());

        const { peerUpdated } = await pair.during(pair[ours].keyUpdate({ requestPeer: true }));
        await pair.during(peerUpdated as Promise<unknown>);
        await stillCarriesAfter(pair, ours, reading.promise);

        assert.equal(
          mine.messages.find(({ type, sent }) => sent && type === keyUpdate)?.data[4],
          1,
          'update_requested',
        );
        assert.equal(mine.messages.find(({ type, sent }) => !sent && type === keyUpdate)?.data[4], 0, 'the answer');
        for (const side of ['CLIENT', 'SERVER']) {
          assert.equal(
            new Set(mine.secretsOf(new RegExp(`^${side}_TRAFFIC_SECRET_`))).size,
            2,
            `${side} secret changed`,
          );
        }
        assert.deepEqual(other.events.slice(0, 1), ['keyUpdate peer requested']);
      });

      it('resolves when ours is on its way; the peer may take its time', async () => {
        const pair = await connectedPair({ both: tls13 });
        const { peerUpdated } = await within(pair[ours].keyUpdate({ requestPeer: true }), 'our own update');
        assert.ok(peerUpdated);
        const waiting = watch(peerUpdated);
        await turns(3);
        assert.equal(waiting.outcome.status, 'pending');
        // What we write in the meantime goes out under the new key.
        await within(pair[ours].write(Buffer.from('written while the peer owes us')), 'a write');
        assert.equal(String(await pair.during(pair[theirs].read())), 'written while the peer owes us');
        await pair.during(peerUpdated);
      });

      it('peerUpdated obeys timeout and signal, and the connection lives on', async () => {
        const pair = await connectedPair({ both: tls13 });
        const inTime = await pair[ours].keyUpdate({ requestPeer: true, timeout: 30 });
        await rejected(inTime.peerUpdated as Promise<void>, codes.timeout);
        const controller = new AbortController();
        const aborted = await pair[ours].keyUpdate({ requestPeer: true, signal: controller.signal });
        // Nobody looks at this one, and that is no unhandled rejection.
        await pair[ours].keyUpdate({ requestPeer: true, timeout: 1 });
        controller.abort();
        await rejected(aborted.peerUpdated as Promise<void>, codes.aborted);
        await turns(5);
        await pair.pump();
        await stillCarries(pair);
        const answered = await pair[ours].keyUpdate({ requestPeer: true, timeout: patience });
        const reading = watch(pair[theirs].read());
        await pair.during(answered.peerUpdated as Promise<void>);
        await stillCarriesAfter(pair, ours, reading.promise);
      });

      it('without a request there is nothing to wait for', async () => {
        const pair = await connectedPair({ both: tls13 });
        assert.equal((await pair[ours].keyUpdate()).peerUpdated, undefined);
        assert.equal((await pair[ours].keyUpdate({ requestPeer: false })).peerUpdated, undefined);
      });

      it('peerUpdated rejects when the peer goes without answering, and hurts nobody who does not look', async () => {
        const pair = await connectedPair({ both: tls13 });
        const { peerUpdated } = await pair[ours].keyUpdate({ requestPeer: true });
        await pair[ours].keyUpdate({ requestPeer: true });
        pair.cut();
        await rejected(pair.during(peerUpdated as Promise<unknown>), codes.unexpectedEof);
      });

      it('requested of a peer that has said goodbye: ours is made, its own will not come', async () => {
        const pair = makePair({ both: tls13 });
        const mine = trace(pair[ours]);
        await pair.handshake();
        await pair[theirs].shutdown();
        assert.equal(await pair.during(pair[ours].read()), null);
        const { peerUpdated } = await pair.during(pair[ours].keyUpdate({ requestPeer: true }));
        await rejected(peerUpdated as Promise<unknown>, 'ERR_TLS_PEER_CLOSED');
        assert.equal(mine.count(true, keyUpdate), 1);
        await pair[ours].write(Buffer.from('under the new key'));
        assert.equal(String(await pair.during(pair[theirs].read())), 'under the new key');
      });

      it('requested of a peer that says goodbye instead: peerUpdated rejects, the connection lives', async () => {
        const pair = await connectedPair({ both: tls13 });
        const { peerUpdated } = await pair[ours].keyUpdate({ requestPeer: true });
        await pair[theirs].shutdown();
        await rejected(pair.during(peerUpdated as Promise<unknown>), 'ERR_TLS_PEER_CLOSED');
        await pair[ours].write(Buffer.from('under the new key'));
        assert.equal(String(await pair.during(pair[theirs].read())), 'under the new key');
      });

      it('100 in a row, with data between them', async () => {
        const pair = await connectedPair({ both: tls13 });
        const reading = readAtLeast(pair[theirs], 100_000);
        pair.flow();
        for (let i = 0; i < 100; i++) {
          await pair[ours].keyUpdate({ requestPeer: i % 2 === 0 });
          await pair[ours].write(pattern(1000, i + 1));
        }
        const expected = Buffer.concat(Array.from({ length: 100 }, (_, i) => pattern(1000, i + 1)));
        assert.ok((await within(reading, 'all data')).equals(expected));
      });

      it('waits for the writes before it, however big', async () => {
        const pair = makePair({ both: tls13, transport: 'pair' });
        const mine = trace(pair[ours]);
        await pair.handshake();
        const data = pattern(4 << 20);
        const first = watch(pair[ours].write(data));
        const updated = watch(pair[ours].keyUpdate());
        const second = pair[ours].write(Buffer.from('under the new key'));
        await turns(5);
        assert.equal(first.outcome.status, 'pending', 'nobody takes the bytes away yet');
        assert.equal(updated.outcome.status, 'pending');
        assert.equal(mine.count(true, keyUpdate), 0);
        const got = await pair.during(readAtLeast(pair[theirs], data.length + 17));
        await pair.during(Promise.all([first.promise, updated.promise, second]));
        assert.ok(got.equals(Buffer.concat([data, Buffer.from('under the new key')])));
        assert.equal(mine.count(true, keyUpdate), 1);
      });

      it('at every fragment size', async () => {
        for (const fragment of [1, 7, 1000, all]) {
          const pair = await connectedPair({ both: tls13 });
          const reads = readAtLeast(pair[theirs], 3000);
          const done = Promise.all([
            pair[ours].write(pattern(1000, 1)),
            pair[ours].keyUpdate({ requestPeer: true }),
            pair[ours].write(pattern(1000, 2)),
            pair[ours].keyUpdate(),
            pair[ours].write(pattern(1000, 3)),
          ]);
          const got = await pair.during(reads, { fragment });
          const [, { peerUpdated }] = await pair.during(done, { fragment });
          await pair.during(peerUpdated as Promise<unknown>, { fragment });
          assert.ok(got.equals(Buffer.concat([1, 2, 3].map(seed => pattern(1000, seed)))));
        }
      });
    });
  }

  it('that cross on the way leave both directions working', async () => {
    for (const requestPeer of [false, true]) {
      const pair = await connectedPair({ both: tls13 });
      const [atClient, atServer] = await Promise.all([
        pair.client.keyUpdate({ requestPeer }),
        pair.server.keyUpdate({ requestPeer }),
      ]);
      await pair.pump();
      if (requestPeer) await pair.during(Promise.all([atClient.peerUpdated, atServer.peerUpdated]));
      await stillCarries(pair);
    }
  });

  it('that cross large writes both ways lose nothing', async () => {
    const pair = await connectedPair({ both: tls13 });
    const data = pattern(2 << 20);
    const reads = Promise.all([readAtLeast(pair.client, data.length), readAtLeast(pair.server, data.length)]);
    const writes: Promise<unknown>[] = [];
    for (let at = 0; at < data.length; at += 128 << 10) {
      for (const ssl of [pair.client, pair.server]) {
        writes.push(ssl.write(data.subarray(at, at + (128 << 10))), ssl.keyUpdate({ requestPeer: true }));
      }
    }
    const [atClient, atServer] = await pair.during(reads);
    await pair.during(Promise.all(writes));
    assert.ok(atClient.equals(data) && atServer.equals(data));
  });

  describe('refused by the rules of SSL_key_update', () => {
    it('before the handshake', async () => {
      const pair = makePair({ both: tls13 });
      await rejected(pair.client.keyUpdate(), 'ERR_SSL_STILL_IN_INIT');
      thrown(() => pair.client.scheduleKeyUpdate('not-requested'), 'ERR_SSL_STILL_IN_INIT');
      await pair.handshake();
      await stillCarries(pair);
    });

    it('on TLS 1.2', async () => {
      const pair = await connectedPair({ both: tls12 });
      for (const ssl of [pair.client, pair.server]) {
        await rejected(ssl.keyUpdate(), 'ERR_SSL_WRONG_SSL_VERSION');
        await rejected(ssl.keyUpdate({ requestPeer: true }), 'ERR_SSL_WRONG_SSL_VERSION');
        thrown(() => ssl.scheduleKeyUpdate('requested'), 'ERR_SSL_WRONG_SSL_VERSION');
        assert.equal(ssl.keyUpdateType, 'none');
      }
      await stillCarries(pair);
    });

    it('with the type none, or one that does not exist', async () => {
      const pair = await connectedPair({ both: tls13 });
      thrown(() => pair.client.scheduleKeyUpdate('none' as never), 'ERR_SSL_INVALID_KEY_UPDATE_TYPE');
      for (const wrong of ['sometimes', 7, null, {}]) {
        thrown(() => pair.client.scheduleKeyUpdate(wrong as never), [codes.wrongValue, codes.wrongType]);
      }
      assert.equal(pair.client.keyUpdateType, 'none');
      await stillCarries(pair);
    });

    it('with options that are none', async () => {
      const pair = await connectedPair({ both: tls13 });
      for (const wrong of [7, 'x', { requestPeer: 'yes' }]) {
        await rejected(
          Promise.resolve().then(() => pair.client.keyUpdate(wrong as never)),
          codes.wrongType,
        );
      }
      await stillCarries(pair);
    });

    it('after our own close_notify', async () => {
      const pair = await connectedPair({ both: tls13 });
      await pair.client.shutdown();
      await rejected(pair.client.keyUpdate(), 'ERR_SSL_PROTOCOL_IS_SHUTDOWN');
    });
  });

  describe('scheduled', () => {
    for (const type of ['not-requested', 'requested'] as const) {
      it(`${type}: readable until the next write performs it`, async () => {
        const pair = makePair({ both: tls13 });
        const mine = trace(pair.client);
        await pair.handshake();
        assert.equal(pair.client.keyUpdateType, 'none');
        pair.client.scheduleKeyUpdate(type);
        assert.equal(pair.client.keyUpdateType, type);
        await turns(3);
        assert.equal(pair.client.keyUpdateType, type, 'scheduling alone performs nothing');
        assert.equal(mine.count(true, keyUpdate), 0);
        await pair.client.write(Buffer.from('x'));
        assert.equal(pair.client.keyUpdateType, 'none');
        await pair.pump();
        assert.equal(mine.count(true, keyUpdate), 1);
        assert.equal(String(await pair.during(pair.server.read())), 'x');
      });
    }

    it('a read performs it as well', async () => {
      const pair = makePair({ both: tls13 });
      const mine = trace(pair.client);
      await pair.handshake();
      pair.client.scheduleKeyUpdate('not-requested');
      const read = pair.client.read();
      await pair.pump();
      assert.equal(mine.count(true, keyUpdate), 1);
      assert.equal(pair.client.keyUpdateType, 'none');
      await pair.server.write(Buffer.from('y'));
      assert.equal(String(await pair.during(read)), 'y');
    });

    it('handshake() forces it', async () => {
      const pair = makePair({ both: tls13 });
      const mine = trace(pair.client);
      await pair.handshake();
      pair.client.scheduleKeyUpdate('not-requested');
      await pair.during(pair.client.handshake());
      await pair.pump();
      assert.equal(mine.count(true, keyUpdate), 1);
      assert.equal(pair.client.keyUpdateType, 'none');
    });

    it('twice: the second performs the first, since OpenSSL keeps only one', async () => {
      const pair = makePair({ both: tls13 });
      const mine = trace(pair.client);
      await pair.handshake();
      pair.client.scheduleKeyUpdate('requested');
      pair.client.scheduleKeyUpdate('not-requested');
      assert.equal(pair.client.keyUpdateType, 'not-requested');
      await pair.pump();
      assert.equal(mine.count(true, keyUpdate), 1);
      await stillCarries(pair);
      assert.equal(mine.count(true, keyUpdate), 2);
    });

    it('then shutdown: the update goes first', async () => {
      const pair = makePair({ both: tls13 });
      const mine = trace(pair.client);
      await pair.handshake();
      pair.client.scheduleKeyUpdate('not-requested');
      await pair.client.shutdown();
      assert.equal(await pair.during(pair.server.read()), null);
      assert.equal(mine.count(true, keyUpdate), 1);
    });

    it('then keyUpdate(): both go out', async () => {
      const pair = makePair({ both: tls13 });
      const mine = trace(pair.client);
      await pair.handshake();
      pair.client.scheduleKeyUpdate('not-requested');
      await pair.client.keyUpdate();
      await pair.pump();
      assert.equal(mine.count(true, keyUpdate), 2);
      await stillCarries(pair);
    });
  });

  describe('while a request is out', () => {
    /** What was sent: 1 for update_requested. */
    const sent = (traced: ReturnType<typeof trace>) =>
      traced.messages.filter(({ type, sent }) => sent && type === keyUpdate).map(({ data }) => data[4]);

    it('further calls share its answer, however many: no peer sees a storm', async () => {
      const pair = makePair({ both: tls13 });
      const mine = trace(pair.client);
      await pair.handshake();
      const reading = watch(pair.server.read());
      const answers: Array<Promise<void> | undefined> = [];
      for (let i = 0; i < 100; i++) answers.push((await pair.client.keyUpdate({ requestPeer: true })).peerUpdated);
      await pair.during(Promise.all(answers));
      assert.deepEqual(sent(mine), [1], 'keys that have protected nothing are not replaced');
      assert.equal(mine.count(false, keyUpdate), 1);
      await stillCarriesAfter(pair, 'client', reading.promise);
    });

    it('data between the calls brings new keys, without a second request', async () => {
      const pair = makePair({ both: tls13 });
      const mine = trace(pair.client);
      await pair.handshake();
      const answers: Array<Promise<void> | undefined> = [];
      for (let i = 0; i < 5; i++) {
        answers.push((await pair.client.keyUpdate({ requestPeer: true })).peerUpdated);
        await pair.client.write(Buffer.from('x'));
      }
      assert.equal(String(await pair.during(readAtLeast(pair.server, 5))), 'xxxxx');
      await pair.during(Promise.all(answers));
      assert.deepEqual(sent(mine), [1, 0, 0, 0, 0]);
      assert.equal(mine.secretsOf(/^CLIENT_TRAFFIC_SECRET_/).length, 6);
      await stillCarries(pair);
    });

    it('a call without a request sends its own, as ever', async () => {
      const pair = makePair({ both: tls13 });
      const mine = trace(pair.client);
      await pair.handshake();
      await pair.client.keyUpdate({ requestPeer: true });
      await pair.client.keyUpdate();
      await pair.client.keyUpdate();
      await pair.pump();
      await stillCarries(pair);
      assert.deepEqual(sent(mine), [1, 0, 0]);
    });

    it('the call that comes when it is answered asks again', async () => {
      const pair = makePair({ both: tls13 });
      const mine = trace(pair.client);
      await pair.handshake();
      const reading = watch(pair.server.read());
      for (let i = 0; i < 3; i++) {
        const { peerUpdated } = await pair.client.keyUpdate({ requestPeer: true });
        await pair.during(peerUpdated as Promise<void>);
      }
      assert.deepEqual(sent(mine), [1, 1, 1]);
      await stillCarriesAfter(pair, 'client', reading.promise);
    });

    it('its caller may have given up: the next one shares the answer that comes late', async () => {
      const pair = makePair({ both: tls13 });
      const mine = trace(pair.client);
      await pair.handshake();
      const first = await pair.client.keyUpdate({ requestPeer: true, timeout: 20 });
      await rejected(first.peerUpdated as Promise<void>, codes.timeout);
      const second = await pair.client.keyUpdate({ requestPeer: true });
      const reading = watch(pair.server.read());
      await pair.during(second.peerUpdated as Promise<void>);
      assert.deepEqual(sent(mine), [1]);
      await stillCarriesAfter(pair, 'client', reading.promise);
    });

    it('a scheduled one is made without a request, and says so', async () => {
      const pair = makePair({ both: tls13 });
      const mine = trace(pair.client);
      await pair.handshake();
      await pair.client.keyUpdate({ requestPeer: true });
      pair.client.scheduleKeyUpdate('requested');
      assert.equal(pair.client.keyUpdateType, 'not-requested');
      thrown(() => pair.client.scheduleKeyUpdate('none'), 'ERR_SSL_INVALID_KEY_UPDATE_TYPE');
      await pair.client.write(Buffer.from('x'));
      assert.equal(String(await pair.during(pair.server.read())), 'x');
      await pair.pump();
      assert.deepEqual(sent(mine), [1, 0]);
      await stillCarries(pair);
    });

    it('a request of the peer that crosses it counts as its update', async () => {
      const pair = makePair({ both: tls13 });
      const [mine, other] = [trace(pair.client), trace(pair.server)];
      await pair.handshake();
      const atClient = await pair.client.keyUpdate({ requestPeer: true });
      const atServer = await pair.server.keyUpdate({ requestPeer: true });
      await pair.during(Promise.all([atClient.peerUpdated, atServer.peerUpdated]));
      await pair.pump();
      assert.deepEqual(
        [sent(mine), sent(other)],
        [
          [1, 0],
          [1, 0],
        ],
      );
      await stillCarries(pair);
    });

    it('all who wait hear of it when the connection ends', async () => {
      const pair = await connectedPair({ both: tls13 });
      const waiting: Array<Promise<void>> = [];
      for (let i = 0; i < 3; i++) {
        waiting.push((await pair.client.keyUpdate({ requestPeer: true })).peerUpdated as Promise<void>);
      }
      pair.client.close();
      for (const each of waiting) await rejected(each, codes.closed);
    });
  });

  describe('a storm from the peer', () => {
    it('is refused', async () => {
      const pair = await connectedPair({ both: tls13, server: { keyUpdateLimit: 50 } });
      const reading = watch(pair.server.read());
      for (let i = 0; i < 200; i++) await pair.client.keyUpdate();
      await rejected(pair.during(reading.promise), codes.tooManyKeyUpdates);
      await rejected(pair.server.write(Buffer.from('x')), codes.tooManyKeyUpdates);
    });

    it('is refused when it comes in one piece, in little time', async () => {
      const pair = await connectedPair({ both: tls13 });
      for (let i = 0; i < 5000; i++) {
        pair.client.scheduleKeyUpdate('not-requested');
        await pair.client.handshake();
      }
      const server = trace(pair.server);
      await rejected(pair.during(pair.server.read()), codes.tooManyKeyUpdates);
      assert.ok(server.count(false, keyUpdate) < 1000, 'it stopped early');
    });

    it('is no storm when each was asked for', async () => {
      const pair = await connectedPair({ both: tls13, client: { keyUpdateLimit: 2 } });
      pair.flow();
      const reading = watch(pair.client.read());
      const atServer = watch(pair.server.read());
      for (let i = 0; i < 20; i++) {
        const { peerUpdated } = await pair.client.keyUpdate({ requestPeer: true });
        await within(peerUpdated as Promise<unknown>, 'the peer’s update');
      }
      await pair.server.write(Buffer.from('still here'));
      assert.equal(String(await within(reading.promise, 'data')), 'still here');
      await pair.client.write(Buffer.from('and here'));
      assert.equal(String(await within(atServer.promise, 'data')), 'and here');
    });

    it('is one behind a request of ours, which excuses one answer', async () => {
      const pair = await connectedPair({ both: tls13, client: { keyUpdateLimit: 8 } });
      const client = trace(pair.client);
      const reading = watch(pair.client.read());
      await pair.client.keyUpdate({ requestPeer: true });
      // The request has not arrived: none of these answers it.
      for (let i = 0; i < 20; i++) await pair.server.keyUpdate();
      await rejected(pair.during(reading.promise), codes.tooManyKeyUpdates);
      assert.equal(client.count(false, keyUpdate), 10);
    });

    it('is no storm when data comes between', async () => {
      const pair = await connectedPair({ both: tls13, server: { keyUpdateLimit: 4 } });
      pair.flow();
      for (let i = 0; i < 40; i++) {
        const read = pair.server.read();
        await pair.client.keyUpdate();
        await pair.client.keyUpdate();
        await pair.client.write(Buffer.from('d'));
        assert.equal(String(await within(read, 'data')), 'd');
      }
    });
  });

  it('by the thousand, with data between them, do not hold up the loop', async () => {
    const pair = await connectedPair({ both: tls13 });
    const count = 1500;
    for (let i = 0; i < count; i++) {
      pair.client.scheduleKeyUpdate('not-requested');
      await pair.client.write(Buffer.from('x'));
    }
    let [seen, inThisTurn, most, received] = [0, 0, 0, 0];
    pair.server.on('keyUpdate', () => {
      seen++;
      most = Math.max(most, ++inThisTurn);
    });
    const newTurn = () => {
      inThisTurn = 0;
      if (seen < count) setImmediate(newTurn);
    };
    newTurn();
    // All of it is one piece for the server.
    assert.ok(pair.step() > 60_000);
    while (received < count) received += ((await within(pair.server.read(), 'data')) as Buffer).length;
    await until(() => seen === count, 'all key updates');
    assert.ok(most <= 150, `at most 150 in an iteration of the loop, not ${most}`);
    await stillCarries(pair);
  });

  it('a peer’s request may be pending: keyUpdateType tells, our next write answers', async () => {
    const pair = makePair({ both: tls13 });
    const server = trace(pair.server);
    await pair.handshake();
    pair.client.scheduleKeyUpdate('requested');
    await pair.client.write(Buffer.from('please'));
    assert.equal(String(await pair.during(pair.server.read())), 'please');
    await pair.server.write(Buffer.from('here'));
    await pair.pump();
    assert.equal(server.count(true, keyUpdate), 1, 'one answer, not two');
    assert.equal(pair.server.keyUpdateType, 'none');
    assert.equal(String(await pair.during(pair.client.read())), 'here');
  });
});

async function stillCarriesAfter(
  pair: MemoryPair,
  ours: 'client' | 'server',
  reading: Promise<unknown>,
): Promise<void> {
  await pair[ours].write(Buffer.from('to the waiting read'));
  assert.equal(String(await pair.during(reading)), 'to the waiting read');
  await stillCarries(pair);
}
