import assert from 'node:assert/strict';
import { constants } from 'node:crypto';
import { pattern, readAtLeast } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import {
  all,
  connectedPair,
  type MemoryPair,
  makePair,
  type PairOptions,
  stillCarries,
  tls12,
  tls13,
} from '../../support/memory-pair.ts';
import { handshakeType, trace } from '../../support/trace.ts';
import { sleep, turns, watch } from '../../support/wait.ts';

/** A server that lets its clients renegotiate. */
const allowed: PairOptions = { both: tls12, server: { clientRenegotiation: true } };
/** A client that answers a HelloRequest with the warning no_renegotiation. */
const refusing: PairOptions = { both: tls12, client: { secureOptions: constants.SSL_OP_NO_RENEGOTIATION } };

/** Keeps the other side at its work: a renegotiation is driven by reading. */
function reading(pair: MemoryPair, side: 'client' | 'server') {
  return watch(pair[side].read());
}

describe('renegotiation', () => {
  describe('by the client', () => {
    it('in full: a new session, new secrets, and both sides count one', async () => {
      const pair = makePair(allowed);
      const [client, server] = [trace(pair.client), trace(pair.server)];
      await pair.handshake();
      const waiting = reading(pair, 'server');
      await pair.during(pair.client.renegotiate());
      assert.equal(pair.client.renegotiations, 1);
      await pair.pump();
      assert.equal(pair.server.renegotiations, 1);
      assert.equal(pair.client.sessionReused, false);
      assert.equal(client.count(false, handshakeType.certificate), 2, 'the server showed its certificate again');
      assert.deepEqual(client.events, ['renegotiate']);
      assert.deepEqual(server.events, ['renegotiate']);
      await pair.client.write(Buffer.from('to the waiting read'));
      assert.equal(String(await pair.during(waiting.promise)), 'to the waiting read');
      await stillCarries(pair);
    });

    it('abbreviated: the session of this connection is resumed', async () => {
      const pair = makePair(allowed);
      const client = trace(pair.client);
      await pair.handshake();
      reading(pair, 'server');
      await pair.during(pair.client.renegotiate({ abbreviated: true }));
      assert.equal(pair.client.renegotiations, 1);
      assert.equal(pair.client.sessionReused, true);
      assert.equal(client.count(false, handshakeType.certificate), 1, 'no second certificate');
    });

    it('in full does not resume, even right after an abbreviated one', async () => {
      const pair = await connectedPair({ both: tls12, server: { clientRenegotiation: { limit: 4 } } });
      reading(pair, 'server');
      for (const abbreviated of [true, false, true, false]) {
        await pair.during(pair.client.renegotiate({ abbreviated }));
        assert.equal(pair.client.sessionReused, abbreviated);
      }
      assert.equal(pair.client.renegotiations, 4);
    });

    it('is refused by a server that was not told to allow it: a named error, and the connection is dead', async () => {
      const pair = await connectedPair({ both: tls12 });
      const waiting = watch(pair.server.read());
      await rejected(pair.during(pair.client.renegotiate()), codes.noRenegotiation);
      await rejected(pair.client.write(Buffer.from('x')), codes.noRenegotiation);
      await rejected(pair.client.read(), codes.noRenegotiation);
      assert.equal(pair.client.renegotiations, 0);
      assert.equal(pair.server.renegotiations, 0);
      await rejected(pair.during(waiting.promise), /^ERR_/);
    });

    it('ignored by the server: the timeout ends the connection, which could not write any more', async () => {
      const pair = await connectedPair(allowed);
      await rejected(pair.client.renegotiate({ timeout: 20 }), codes.timeout);
      await rejected(pair.client.write(Buffer.from('x')), /^ERR_/);
      await rejected(pair.client.read(), /^ERR_/);
    });

    it('holds the writes behind it until it is done', async () => {
      const pair = await connectedPair(allowed);
      const renegotiated = watch(pair.client.renegotiate());
      const written = watch(pair.client.write(Buffer.from('under the new keys')));
      await turns(5);
      assert.equal(written.outcome.status, 'pending');
      const got = await pair.during(pair.server.read());
      await pair.during(Promise.all([renegotiated.promise, written.promise]));
      assert.equal(String(got), 'under the new keys');
      assert.equal(pair.server.renegotiations, 1);
    });

    it('waits for the writes before it', async () => {
      const pair = await connectedPair(allowed);
      const data = pattern(1 << 20);
      const work = Promise.all([pair.client.write(data), pair.client.renegotiate(), pair.client.write(data)]);
      const got = await pair.during(readAtLeast(pair.server, 2 * data.length));
      reading(pair, 'server');
      await pair.during(work);
      assert.ok(got.equals(Buffer.concat([data, data])));
    });
  });

  describe('asked for by the server', () => {
    for (const abbreviated of [false, true]) {
      it(`${abbreviated ? 'abbreviated' : 'full'}: resolves when the client has done it`, async () => {
        const pair = makePair({ both: tls12 });
        const [client, server] = [trace(pair.client), trace(pair.server)];
        await pair.handshake();
        const waiting = reading(pair, 'client');
        const told: unknown[] = [];
        for (const ssl of [pair.client, pair.server]) ssl.on('renegotiate', event => told.push(event.resumed));
        await pair.during(pair.server.renegotiate({ abbreviated }));
        assert.equal(pair.server.renegotiations, 1);
        await pair.pump();
        // A client of TLS resumes its session whichever was asked for: a HelloRequest cannot say.
        assert.deepEqual(told, [true, true]);
        assert.equal(pair.client.sessionReused, true);
        assert.equal(pair.client.renegotiations, 1);
        assert.equal(server.count(true, handshakeType.helloRequest), 1);
        assert.deepEqual(client.events, ['renegotiate']);
        assert.deepEqual(server.events, ['renegotiate']);
        await pair.server.write(Buffer.from('then'));
        assert.equal(String(await pair.during(waiting.promise)), 'then');
        await stillCarries(pair);
      });
    }

    it('and ignored: rejects after its timeout, the connection lives, and a late answer is reported', async () => {
      const pair = await connectedPair({ both: tls12 });
      const server = trace(pair.server);
      await rejected(pair.server.renegotiate({ timeout: 20 }), codes.timeout);
      assert.equal(pair.server.renegotiations, 0);
      // The client, which took no notice so far, reads now.
      const waiting = reading(pair, 'client');
      const atServer = reading(pair, 'server');
      await pair.server.write(Buffer.from('alive'));
      assert.equal(String(await pair.during(waiting.promise)), 'alive');
      reading(pair, 'client');
      await pair.pump();
      assert.equal(pair.server.renegotiations, 1, 'the late answer');
      assert.deepEqual(server.events, ['renegotiate']);
      await pair.client.write(Buffer.from('and well'));
      assert.equal(String(await pair.during(atServer.promise)), 'and well');
    });

    it('and ignored by a client that keeps writing: its data is read all the time', async () => {
      const pair = await connectedPair({ both: tls12 });
      pair.toClient.allowance = 0;
      const controller = new AbortController();
      const asked = watch(pair.server.renegotiate({ signal: controller.signal }));
      pair.flow();
      for (let i = 0; i < 10; i++) {
        const read = pair.server.read();
        await pair.client.write(Buffer.from(`line ${i}`));
        assert.equal(String(await read), `line ${i}`);
      }
      assert.equal(asked.outcome.status, 'pending');
      controller.abort();
      await rejected(asked.promise, codes.aborted);
      pair.toClient.allowance = all;
      pair.hold();
      reading(pair, 'client');
      reading(pair, 'server');
      await pair.pump();
      assert.equal(pair.server.renegotiations, 1);
    });

    it('and refused: ERR_SSL_NO_RENEGOTIATION, and by OpenSSL’s rule the connection is dead', async () => {
      const pair = await connectedPair(refusing);
      reading(pair, 'client');
      await rejected(pair.during(pair.server.renegotiate()), codes.noRenegotiation);
      await rejected(pair.server.write(Buffer.from('x')), codes.noRenegotiation);
      await rejected(pair.server.read(), codes.noRenegotiation);
      assert.equal(pair.server.renegotiations, 0);
    });

    it('does not hold the writes behind it', async () => {
      const pair = await connectedPair({ both: tls12 });
      const asked = watch(pair.server.renegotiate());
      const written = watch(pair.server.write(Buffer.from('meanwhile')));
      await turns(5);
      assert.equal(written.outcome.status, 'fulfilled');
      assert.equal(asked.outcome.status, 'pending');
      const got = pair.client.read();
      assert.equal(String(await pair.during(got)), 'meanwhile');
      reading(pair, 'client');
      await pair.during(asked.promise);
    });
  });

  describe('with application data crossing it', () => {
    for (const by of ['client', 'server'] as const) {
      for (const fragment of [1, 7, 1000, all]) {
        it(`by the ${by}, ${fragment === all ? 'everything' : fragment} bytes at a time: nothing is lost either way`, async () => {
          const pair = await connectedPair(allowed);
          const part = fragment < 1000 ? 200 : 20_000;
          const expected = Buffer.concat([1, 2, 3].map(seed => pattern(part, seed)));
          const other = by === 'client' ? 'server' : 'client';
          const reads = Promise.all([readAtLeast(pair.client, 3 * part), readAtLeast(pair.server, 3 * part)]);
          // In flight from the other side before it knows; then before, and behind, on our own side.
          const writes: Promise<unknown>[] = [pair[other].write(pattern(part, 1)), pair[by].write(pattern(part, 1))];
          const renegotiated = pair[by].renegotiate();
          writes.push(pair[by].write(pattern(part, 2)), pair[other].write(pattern(part, 2)));
          pair.flow({ fragment });
          await turns(20);
          writes.push(pair[other].write(pattern(part, 3)), pair[by].write(pattern(part, 3)));
          const [atClient, atServer] = await pair.during(reads);
          reading(pair, other);
          await pair.during(Promise.all([renegotiated, ...writes]));
          assert.ok(atClient.equals(expected), 'what the client got');
          assert.ok(atServer.equals(expected), 'what the server got');
          await turns(10);
          assert.equal(pair.client.renegotiations, 1);
        });
      }
    }

    it('and nobody reading it: the renegotiation waits, then goes on', async () => {
      const pair = await connectedPair({ ...allowed, clientSsl: { readAhead: 16_384 } });
      const data = pattern(1 << 20);
      const written = watch(pair.server.write(data));
      reading(pair, 'server');
      const renegotiated = watch(pair.client.renegotiate());
      pair.flow();
      await turns(200);
      assert.equal(renegotiated.outcome.status, 'pending', 'a bounded amount is read ahead');
      const got = await readAtLeast(pair.client, data.length);
      await pair.during(Promise.all([renegotiated.promise, written.promise]));
      assert.ok(got.equals(data));
    });

    it('to a client that has read everything ahead: no read is needed', async () => {
      const pair = await connectedPair(allowed);
      await pair.server.write(Buffer.from('before'));
      reading(pair, 'server');
      await pair.during(pair.client.renegotiate());
      assert.equal(String(await pair.client.read()), 'before');
    });
  });

  describe('scheduled', () => {
    it('is pending until the next I/O, which starts it', async () => {
      const pair = await connectedPair(allowed);
      reading(pair, 'server');
      assert.equal(pair.client.renegotiatePending, false);
      pair.client.scheduleRenegotiate();
      assert.equal(pair.client.renegotiatePending, true);
      await turns(3);
      assert.equal(pair.client.renegotiatePending, true, 'scheduling alone starts nothing');
      const read = watch(pair.client.read());
      await pair.pump();
      assert.equal(pair.client.renegotiatePending, false);
      assert.equal(pair.client.renegotiations, 1);
      await pair.server.write(Buffer.from('x'));
      assert.equal(String(await pair.during(read.promise)), 'x');
    });

    it('abbreviated resumes', async () => {
      const pair = await connectedPair(allowed);
      reading(pair, 'server');
      pair.client.scheduleRenegotiate({ abbreviated: true });
      reading(pair, 'client');
      await pair.pump();
      assert.equal(pair.client.renegotiations, 1);
      assert.equal(pair.client.sessionReused, true);
    });

    it('and a write as the next I/O loses nothing', async () => {
      const pair = await connectedPair(allowed);
      pair.client.scheduleRenegotiate();
      await pair.server.write(Buffer.from('in flight'));
      const written = pair.client.write(Buffer.from('written'));
      const reads = Promise.all([pair.server.read(), pair.client.read()]);
      assert.deepEqual((await pair.during(reads)).map(String), ['written', 'in flight']);
      await written;
      assert.equal(pair.server.renegotiations, 1);
    });

    it('by a server, sends the request with the next I/O', async () => {
      const pair = makePair({ both: tls12 });
      const server = trace(pair.server);
      await pair.handshake();
      pair.server.scheduleRenegotiate();
      assert.equal(pair.server.renegotiatePending, true);
      reading(pair, 'client');
      reading(pair, 'server');
      await pair.pump();
      assert.equal(server.count(true, handshakeType.helloRequest), 1);
      assert.equal(pair.server.renegotiatePending, false);
      assert.equal(pair.server.renegotiations, 1);
    });
  });

  describe('is an error', () => {
    it('on TLS 1.3, and the connection is unharmed', async () => {
      const pair = await connectedPair({ both: tls13, server: { clientRenegotiation: true } });
      for (const ssl of [pair.client, pair.server]) {
        await rejected(ssl.renegotiate(), 'ERR_SSL_WRONG_SSL_VERSION');
        await rejected(ssl.renegotiate({ abbreviated: true }), 'ERR_SSL_WRONG_SSL_VERSION');
        thrown(() => ssl.scheduleRenegotiate(), 'ERR_SSL_WRONG_SSL_VERSION');
        assert.equal(ssl.renegotiatePending, false);
      }
      await stillCarries(pair);
    });

    it('before the handshake', async () => {
      const pair = makePair(allowed);
      await rejected(pair.client.renegotiate(), 'ERR_SSL_STILL_IN_INIT');
      thrown(() => pair.client.scheduleRenegotiate(), 'ERR_SSL_STILL_IN_INIT');
      await pair.handshake();
      await stillCarries(pair);
      assert.equal(pair.client.renegotiations, 0);
    });

    it('with options that are none', async () => {
      const pair = await connectedPair(allowed);
      for (const wrong of [7, 'x', { abbreviated: 'yes' }, { timeout: -1 }, { signal: {} }]) {
        await rejected(
          Promise.resolve().then(() => pair.client.renegotiate(wrong as never)),
          [codes.wrongType, codes.wrongValue, 'ERR_OUT_OF_RANGE'],
        );
      }
      await stillCarries(pair);
    });

    it('where the own side forbids it', async () => {
      const pair = await connectedPair(refusing);
      await rejected(pair.client.renegotiate(), codes.noRenegotiation);
    });
  });

  describe('the limit of a server', () => {
    it('ends a client that renegotiates too often in a period, without an answer', async () => {
      const pair = await connectedPair({ both: tls12, server: { clientRenegotiation: { limit: 2 } } });
      const [client, server] = [trace(pair.client), trace(pair.server)];
      const waiting = watch(pair.server.read());
      await pair.during(pair.client.renegotiate());
      await pair.during(pair.client.renegotiate());
      const third = watch(pair.client.renegotiate({ timeout: 300 }));
      await rejected(pair.during(waiting.promise), codes.tooManyRenegotiations);
      assert.equal(pair.server.renegotiations, 2);
      await rejected(pair.during(third.promise), /^ERR_/);
      assert.equal(server.count(false, handshakeType.clientHello), 3);
      assert.deepEqual(
        [server.count(true, handshakeType.serverHello), client.count(false, handshakeType.serverHello)],
        [2, 2],
      );
    });

    it('counts anew in the next period', async () => {
      const pair = await connectedPair({ both: tls12, server: { clientRenegotiation: { limit: 1, window: 1 } } });
      reading(pair, 'server');
      await pair.during(pair.client.renegotiate());
      await sleep(1050);
      await pair.during(pair.client.renegotiate());
      await pair.pump();
      assert.equal(pair.server.renegotiations, 2);
    });

    it('does not count what the server asked for', async () => {
      const pair = await connectedPair({ both: tls12, server: { clientRenegotiation: { limit: 1 } } });
      reading(pair, 'client');
      for (let i = 0; i < 4; i++) await pair.during(pair.server.renegotiate());
      assert.equal(pair.server.renegotiations, 4);
    });
  });

  describe('for the client’s certificate', () => {
    const asked: PairOptions = { both: tls12, server: { ca: certificates().ca.cert } };

    it('shows it, by a full handshake', async () => {
      const { cert, key } = certificates().client;
      const pair = await connectedPair({ ...asked, client: { cert, key } });
      assert.deepEqual(pair.server.peerCertificateChain, []);
      reading(pair, 'client');
      await pair.during(pair.server.requestClientCertificate());
      assert.equal(pair.server.peerCertificate?.subject, 'CN=client');
      assert.equal(pair.server.verifyResult.code, 0);
      await stillCarriesToWaiting(pair);
    });

    it('rejects when the client has none', async () => {
      const pair = await connectedPair(asked);
      reading(pair, 'client');
      await rejected(pair.during(pair.server.requestClientCertificate()), 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
    });

    // The client does not read, and so does not answer, until nobody waits any more.
    const ignored = async (options: PairOptions) => {
      const pair = await connectedPair(options);
      await rejected(pair.server.requestClientCertificate({ timeout: 20 }), codes.timeout);
      return pair;
    };

    it('that nobody waits for any more is not demanded of a client that has none', async () => {
      const pair = await ignored(asked);
      reading(pair, 'client');
      await stillCarriesToWaiting(pair);
      await pair.during(pair.server.renegotiate());
      assert.equal(pair.server.peerCertificate, null);
      // Asked again, it is demanded again.
      await rejected(pair.during(pair.server.requestClientCertificate()), 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
    });

    it('is still demanded where the connection itself demands it', async () => {
      const { cert, key } = certificates().client;
      const client = { cert, key };
      const pair = await ignored({ ...asked, server: { ...asked.server, requestCert: true }, client });
      reading(pair, 'client');
      await stillCarriesToWaiting(pair);
      assert.equal(pair.server.peerCertificate?.subject, 'CN=client');
      await pair.during(pair.server.requestClientCertificate());
    });

    it('is still demanded by another call that waits', async () => {
      const pair = await connectedPair(asked);
      const optional = watch(pair.server.requestClientCertificate({ required: false, timeout: 20 }));
      const required = watch(pair.server.requestClientCertificate());
      await rejected(optional.promise, codes.timeout);
      reading(pair, 'client');
      await rejected(pair.during(required.promise), 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
    });

    it('may be asked for again, and is shown then', async () => {
      const { cert, key } = certificates().client;
      const pair = await ignored({ ...asked, client: { cert, key } });
      reading(pair, 'client');
      await pair.during(pair.server.requestClientCertificate());
      assert.equal(pair.server.peerCertificate?.subject, 'CN=client');
      // And from now on with each renegotiation.
      await pair.during(pair.server.renegotiate());
      assert.equal(pair.server.peerCertificate?.subject, 'CN=client');
    });

    it('rejects one that is signed by a stranger', async () => {
      const { cert, key } = certificates().stranger;
      const pair = await connectedPair({ ...asked, client: { cert, key } });
      reading(pair, 'client');
      await rejected(pair.during(pair.server.requestClientCertificate()), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    });
  });
});

async function stillCarriesToWaiting(pair: MemoryPair): Promise<void> {
  const read = pair.server.read();
  await pair.client.write(Buffer.from('still here'));
  assert.equal(String(await pair.during(read)), 'still here');
}
