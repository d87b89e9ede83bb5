// Ticket keys that follow from a secret and the time.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { SslContext, type SslContextOptions, type SslSession, TicketKeyRing } from 'system-tls';
import { codes } from '../../support/codes.ts';
import { thrown } from '../../support/errors.ts';
import { clientContext, serverContext, versions } from '../../support/memory-pair.ts';
import { derivedKeys, first, fixedKeys, isOfKey, periodNow, resumeOnce } from '../../support/resumption.ts';
import { until } from '../../support/wait.ts';

const week = 604_800;
const secret = randomBytes(32);
const longer = async (than: number): Promise<void> => until(() => periodNow(1) > than, 'the next second');

describe('a ring of ticket keys', () => {
  it('says what it is, and nothing of its secret', () => {
    const ring = new TicketKeyRing({ secret });
    assert.deepEqual([ring.period, ring.overlap], [43_200, 1]);
    const other = new TicketKeyRing({ secret, period: week, overlap: 255 });
    assert.deepEqual([other.period, other.overlap], [week, 255]);
    for (const text of [inspect(ring, { depth: 9, showHidden: true }), JSON.stringify(ring), String(ring)]) {
      assert.doesNotMatch(text, /secret|native|[0-9a-f]{8}/i);
    }
  });

  it('refuses secrets that are too short, or no bytes', () => {
    for (const length of [0, 1, 16, 31]) {
      const { message } = thrown(() => new TicketKeyRing({ secret: Buffer.alloc(length, 'a') }), codes.wrongValue);
      assert.equal(message, `"options.secret" must have at least 32 bytes; it is a Buffer of ${length} bytes`);
    }
    for (const wrong of [undefined, null, 7, 'x'.repeat(64), {}, [], Array.from(secret), true, () => secret]) {
      thrown(() => new TicketKeyRing({ secret: wrong as never }), codes.wrongType);
    }
    for (const wrong of [undefined, null, 7, 'x', secret.toString('hex'), []]) {
      thrown(() => new TicketKeyRing(wrong as never), codes.wrongType);
    }
  });

  it('refuses periods and overlaps that there are not', () => {
    for (const name of ['period', 'overlap']) {
      const make = (value: unknown) => () => new TicketKeyRing({ secret, [name]: value });
      for (const wrong of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, week + 1, 2 ** 53]) {
        assert.match(thrown(make(wrong), codes.outOfRange).message, new RegExp(`"options.${name}" must be an integer`));
      }
      for (const wrong of ['1', true, {}, 1n]) thrown(make(wrong), codes.wrongType);
    }
    thrown(() => new TicketKeyRing({ secret, period: 0 }), codes.outOfRange);
    thrown(() => new TicketKeyRing({ secret, overlap: 256 }), codes.outOfRange);
  });

  it('keeps its secret when the memory that it came in changes', async () => {
    const given = Buffer.from(secret);
    const ring = new TicketKeyRing({ secret: given, period: week });
    given.fill(0);
    const session = await first({
      clientContext: clientContext(),
      serverContext: serverContext({ ticketKeys: ring }),
    });
    assert.ok(isOfKey(session, derivedKeys(secret, week, periodNow(week))));
  });

  it('is what the context gives, until other keys are set', () => {
    const ring = new TicketKeyRing({ secret });
    const context = serverContext({ ticketKeys: ring });
    assert.equal(context.ticketKeys, ring);
    context.ticketKeys = randomBytes(80);
    assert.ok(Buffer.isBuffer(context.ticketKeys));
    context.ticketKeys = ring;
    for (const wrong of [Buffer.alloc(7), 7, Object.create(TicketKeyRing.prototype), { secret, period: 1 }]) {
      const set = () => {
        context.ticketKeys = wrong as never;
      };
      thrown(set, [codes.wrongType, codes.wrongValue]);
      thrown(() => new SslContext({ ticketKeys: wrong as never }), [codes.wrongType, codes.wrongValue]);
      assert.equal(context.ticketKeys, ring);
    }
  });

  for (const [version, both] of versions) {
    describe(version, () => {
      const client = clientContext(both);
      const server = (ticketKeys: NonNullable<SslContextOptions['ticketKeys']>): SslContext =>
        serverContext({ ...both, ticketKeys });
      const made = (by: SslContext): Promise<SslSession> => first({ clientContext: client, serverContext: by });
      const resumed = (by: SslContext, session: SslSession) =>
        resumeOnce({ clientContext: client, serverContext: by }, session);

      it('two machines of one secret resume each other’s sessions', async () => {
        const [one, other] = [1, 2].map(() => server(new TicketKeyRing({ secret })));
        assert.ok(one && other);
        const { reused, next } = await resumed(other, await made(one));
        assert.equal(reused, true);
        assert.equal((await resumed(one, next)).reused, true);
      });

      it('machines of other secrets or periods do not: a full handshake', async () => {
        const session = await made(server(new TicketKeyRing({ secret, period: week })));
        const almost = Buffer.from(secret);
        almost[31] = (almost[31] ?? 0) ^ 1;
        for (const ring of [
          new TicketKeyRing({ secret: almost, period: week }),
          new TicketKeyRing({ secret: Buffer.concat([secret, Buffer.alloc(1)]), period: week }),
          new TicketKeyRing({ secret, period: week - 1 }),
        ]) {
          const { reused, next } = await resumed(server(ring), session);
          assert.equal(reused, false);
          assert.equal((await resumed(server(ring), next)).reused, true);
        }
      });

      it('its keys are those of the documented derivation', async () => {
        const ring = server(new TicketKeyRing({ secret, period: week }));
        const keys = derivedKeys(secret, week, periodNow(week));
        const session = await made(ring);
        assert.ok(isOfKey(session, keys));
        // All of a key counts, and not only its name.
        assert.equal((await resumed(server(keys), session)).reused, true);
        assert.equal((await resumed(ring, await made(server(keys)))).reused, true);
      });

      it('a ticket of this period is not replaced before TLS 1.3', async () => {
        const ring = server(new TicketKeyRing({ secret, period: week }));
        const session = await made(ring);
        const { reused, next } = await resumed(ring, session);
        assert.equal(reused, true);
        assert.equal(next.id.equals(session.id), version === 'TLSv1.2');
      });

      it('opens tickets of the periods that overlap and of the next, and replaces the old ones', async () => {
        const number = periodNow(week);
        for (const overlap of [0, 1, 3]) {
          const ring = server(new TicketKeyRing({ secret, period: week, overlap }));
          for (const away of [-4, -3, -2, -1, 0, 1, 2]) {
            const session = await made(server(derivedKeys(secret, week, number + away)));
            const { reused, next } = await resumed(ring, session);
            assert.equal(reused, away >= -overlap && away <= 1, `${away} of ${overlap}`);
            // Up to TLS 1.2 a ticket of a clock that is ahead stays.
            if (away === 1 && version === 'TLSv1.2') continue;
            assert.ok(isOfKey(next, derivedKeys(secret, week, number)), `${away} of ${overlap}`);
          }
        }
      });

      it('takes a new key when its time has come, and goes on with the tickets of the former', async () => {
        const ring = server(new TicketKeyRing({ secret, period: 1, overlap: 255 }));
        const session = await made(ring);
        const before = periodNow(1);
        await longer(before);
        const begin = periodNow(1);
        const { reused, next } = await resumed(ring, session);
        const numbers = Array.from({ length: periodNow(1) - begin + 1 }, (_, index) => begin + index);
        assert.equal(reused, true);
        assert.ok(numbers.some(number => isOfKey(next, derivedKeys(secret, 1, number))));
        assert.equal((await resumed(ring, next)).reused, true);
      });

      it('a ticket that is older than the overlap gets a full handshake', async () => {
        const ring = server(new TicketKeyRing({ secret, period: 1, overlap: 0 }));
        const session = await made(ring);
        await longer(periodNow(1));
        assert.equal((await resumed(ring, session)).reused, false);
      });

      it('is given up at once for other keys, and taken up again', async () => {
        const ring = new TicketKeyRing({ secret });
        const context = server(ring);
        const session = await made(context);
        context.ticketKeys = randomBytes(80);
        const { reused, next } = await resumed(context, session);
        assert.equal(reused, false);
        assert.ok(isOfKey(next, fixedKeys(context)));
        context.ticketKeys = ring;
        assert.equal((await resumed(context, next)).reused, false);
        assert.equal((await resumed(context, session)).reused, true);
      });
    });
  }
});
