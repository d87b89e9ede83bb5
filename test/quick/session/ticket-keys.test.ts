// SslContext.ticketKeys: got, and set while connections use the context.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { SslContext } from 'system-tls';
import { codes } from '../../support/codes.ts';
import { thrown } from '../../support/errors.ts';
import { clientContext, makePair, serverContext, stillCarries, versions } from '../../support/memory-pair.ts';
import { first, fixedKeys, isOfKey, resumeOnce, sessionOf } from '../../support/resumption.ts';

describe('ticket keys of a context', () => {
  it('are 80 random bytes, unless an option says which', () => {
    const [one, other] = [serverContext(), serverContext()];
    assert.equal(fixedKeys(one).length, 80);
    assert.notDeepEqual(one.ticketKeys, other.ticketKeys);
    const given = randomBytes(80);
    assert.deepEqual(serverContext({ ticketKeys: given }).ticketKeys, given);
  });

  it('of a client are there, too', () => {
    const context = clientContext();
    context.ticketKeys = Buffer.alloc(80, 1);
    assert.deepEqual(context.ticketKeys, Buffer.alloc(80, 1));
  });

  it('are given as a copy, and taken as one', () => {
    const given = Buffer.alloc(80, 7);
    const context = serverContext();
    context.ticketKeys = given;
    given.fill(8);
    fixedKeys(context).fill(9);
    assert.deepEqual(context.ticketKeys, Buffer.alloc(80, 7));
  });

  it('of 48 bytes, as in node:tls, become the same 80 everywhere', () => {
    const ticketKeys = Buffer.alloc(48, 7);
    const context = serverContext();
    context.ticketKeys = ticketKeys;
    assert.equal(fixedKeys(context).length, 80);
    assert.deepEqual(context.ticketKeys, serverContext({ ticketKeys }).ticketKeys);
    assert.deepEqual(fixedKeys(context).subarray(0, 16), ticketKeys.subarray(0, 16));
  });

  it('of any other kind are refused, and the context keeps what it had', () => {
    const context = serverContext();
    const before = context.ticketKeys;
    for (const wrong of [undefined, null, 7, true, {}, [], new SslContext(), () => Buffer.alloc(80)]) {
      const set = () => {
        context.ticketKeys = wrong as never;
      };
      assert.match(thrown(set, codes.wrongType).message, /^"ticketKeys" must be/);
    }
    for (const length of [0, 16, 47, 49, 79, 81, 160]) {
      const set = () => {
        context.ticketKeys = Buffer.alloc(length, 0x61);
      };
      const { message } = thrown(set, codes.wrongValue);
      assert.equal(message, `"ticketKeys" must have 48 or 80 bytes; it is a Buffer of ${length} bytes`);
    }
    assert.deepEqual(context.ticketKeys, before);
  });

  for (const [version, both] of versions) {
    describe(version, () => {
      it('that two contexts have in common open the tickets of either', async () => {
        const client = clientContext(both);
        const [one, other] = [serverContext(both), serverContext(both)];
        const session = await first({ clientContext: client, serverContext: one });
        assert.ok(isOfKey(session, fixedKeys(one)));
        assert.equal((await resumeOnce({ clientContext: client, serverContext: other }, session)).reused, false);
        other.ticketKeys = one.ticketKeys;
        const { reused, next } = await resumeOnce({ clientContext: client, serverContext: other }, session);
        assert.equal(reused, true);
        assert.equal((await resumeOnce({ clientContext: client, serverContext: one }, next)).reused, true);
      });

      it('that are replaced open nothing any more: a full handshake, and a ticket of the new ones', async () => {
        const contexts = { clientContext: clientContext(both), serverContext: serverContext(both) };
        const session = await first(contexts);
        const former = contexts.serverContext.ticketKeys;
        const ticketKeys = randomBytes(80);
        contexts.serverContext.ticketKeys = ticketKeys;
        const { reused, next } = await resumeOnce(contexts, session);
        assert.equal(reused, false);
        assert.ok(isOfKey(next, ticketKeys));
        assert.equal((await resumeOnce(contexts, next)).reused, true);
        // And back: what is old is a matter of the keys, not of time.
        contexts.serverContext.ticketKeys = former;
        assert.equal((await resumeOnce(contexts, session)).reused, true);
        assert.equal((await resumeOnce(contexts, next)).reused, false);
      });

      it('that are replaced in the middle of a handshake do not disturb it, nor connections that there are', async () => {
        const contexts = { clientContext: clientContext(both), serverContext: serverContext(both) };
        const running = makePair(contexts);
        await running.handshake();
        const session = await first(contexts);
        // Ahead of the ClientHello, and behind the server's first flight.
        for (const held of ['toServer', 'toClient'] as const) {
          const pair = makePair(contexts);
          pair[held].allowance = 0;
          const done = Promise.all([pair.client.connect(), pair.server.accept()]);
          await pair.pump();
          assert.equal(pair.server.established, false);
          contexts.serverContext.ticketKeys = randomBytes(80);
          pair[held].allowance = Number.POSITIVE_INFINITY;
          const next = await sessionOf(pair, () => pair.during(done));
          assert.ok(isOfKey(next, fixedKeys(contexts.serverContext)), held);
          assert.equal((await resumeOnce(contexts, next)).reused, true);
        }
        assert.equal((await resumeOnce(contexts, session)).reused, false);
        await stillCarries(running);
      });

      it('damaged, or of a key that only has the name: a full handshake', async () => {
        const contexts = { clientContext: clientContext(both), serverContext: serverContext(both) };
        const session = await first(contexts);
        const ticketKeys = fixedKeys(contexts.serverContext);
        for (const place of [16, 47, 48, 79]) {
          const wrong = Buffer.from(ticketKeys);
          wrong[place] = (wrong[place] ?? 0) ^ 1;
          contexts.serverContext.ticketKeys = wrong;
          const attempt = resumeOnce(contexts, session);
          if (place < 48) assert.equal((await attempt).reused, false, `HMAC, byte ${place}`);
          // The HMAC says that the ticket is ours, so its content must be too.
          else assert.equal(await attempt.then(({ reused }) => reused).catch(() => false), false, `AES, byte ${place}`);
        }
        contexts.serverContext.ticketKeys = ticketKeys;
        assert.equal((await resumeOnce(contexts, session)).reused, true);
      });
    });
  }
});
