import assert from 'node:assert/strict';
import type { Ssl } from 'system-tls';
import { pattern, readAtLeast } from '../../support/bytes.ts';
import { codes } from '../../support/codes.ts';
import { rejected } from '../../support/errors.ts';
import { connectedPair, type MemoryPair, makePair, type PairOptions, tls12, tls13 } from '../../support/memory-pair.ts';
import { turns, watch } from '../../support/wait.ts';

interface Limits {
  readonly signal?: AbortSignal;
  readonly timeout?: number;
}

type Operation = (ssl: Ssl, limits: Limits) => Promise<unknown>;

interface Kind {
  readonly name: string;
  readonly start: Operation;
  readonly options: PairOptions;
  readonly side: 'client' | 'server';
}

const forUpdates: PairOptions = { both: tls13 };
const forRenegotiation: PairOptions = { both: tls12, server: { clientRenegotiation: true } };

const kind = (name: string, start: Operation, options = forUpdates, side: 'client' | 'server' = 'client'): Kind => ({
  name,
  start,
  options,
  side,
});

/** Those that wait for the peer when no byte moves. */
const waiting: readonly Kind[] = [
  kind('read', (ssl, limits) => ssl.read(limits)),
  kind('readInto', (ssl, limits) => ssl.readInto(Buffer.alloc(10), limits)),
  kind('shutdown two-way', (ssl, limits) => ssl.shutdown({ wait: true, ...limits })),
  kind('renegotiate, client', (ssl, limits) => ssl.renegotiate(limits), forRenegotiation),
  kind('renegotiate, server', (ssl, limits) => ssl.renegotiate(limits), forRenegotiation, 'server'),
];

/** Those that run in call order. */
const ordered: readonly Kind[] = [
  kind('write', (ssl, limits) => ssl.write(Buffer.from('never sent'), limits)),
  kind('keyUpdate', (ssl, limits) => ssl.keyUpdate(limits)),
  kind('keyUpdate with request', (ssl, limits) => ssl.keyUpdate({ requestPeer: true, ...limits })),
  kind('shutdown', (ssl, limits) => ssl.shutdown(limits)),
  kind('shutdown two-way', (ssl, limits) => ssl.shutdown({ wait: true, ...limits })),
  kind('renegotiate, client', (ssl, limits) => ssl.renegotiate(limits), forRenegotiation),
  kind('renegotiate, server', (ssl, limits) => ssl.renegotiate(limits), forRenegotiation, 'server'),
];

/** Survive an abort while they wait for the peer. */
const survives = new Set(['read', 'readInto', 'renegotiate, server', 'shutdown two-way']);

async function carries(pair: MemoryPair, from: 'client' | 'server'): Promise<void> {
  const to = from === 'client' ? pair.server : pair.client;
  const got = to.read();
  await pair[from].write(Buffer.from('still here'));
  assert.equal(String(await pair.during(got)), 'still here');
}

const endings = [
  ['an AbortSignal', codes.aborted, () => ({ signal: AbortSignal.timeout(10) })],
  ['a timeout', codes.timeout, () => ({ timeout: 10 })],
] as const;

describe('abort', () => {
  for (const [how, code, limits] of endings) {
    describe(`by ${how}`, () => {
      for (const { name, start, options, side } of waiting) {
        it(`${name}, waiting for the peer`, async () => {
          const pair = await connectedPair(options);
          await rejected(start(pair[side], limits()), code);
          if (!survives.has(name)) {
            await rejected(pair[side].write(Buffer.from('x')), /^ERR_|^ABORT_ERR$/);
          } else if (name.startsWith('read')) {
            await carries(pair, 'client');
            await carries(pair, 'server');
          } else if (name.startsWith('renegotiate')) {
            const read = pair.client.read();
            await pair.server.write(Buffer.from('still here'));
            assert.equal(String(await pair.during(read)), 'still here');
          }
        });
      }

      it('handshake under way: the connection is destroyed', async () => {
        for (const side of ['client', 'server'] as const) {
          const pair = makePair();
          await rejected(pair[side].handshake(limits()), code);
          await rejected(pair[side].handshake(), /^ERR_|^ABORT_ERR$/);
        }
      });

      it('read that performs the handshake: the handshake was begun, the connection is destroyed or goes on', async () => {
        const pair = makePair();
        await rejected(pair.client.read(limits()), code);
        const again = watch(pair.client.handshake());
        void pair.server.accept().catch(() => {});
        await pair.pump();
        assert.notEqual(again.outcome.status, 'pending');
      });

      it('write under way: the connection is destroyed', async () => {
        const pair = await connectedPair({ both: tls13, transport: 'pair' });
        await rejected(pair.client.write(pattern(8 << 20), limits()), code);
        await rejected(pair.client.write(Buffer.from('x')), /^ERR_|^ABORT_ERR$/);
        await rejected(pair.client.read(), /^ERR_|^ABORT_ERR$/);
      });

      for (const { name, start, options, side } of ordered) {
        it(`${name}, queued behind a write: it is removed, and the rest goes on`, async () => {
          const pair = await connectedPair({ ...options, transport: 'pair' });
          const other = side === 'client' ? 'server' : 'client';
          const data = pattern(2 << 20);
          const before = watch(pair[side].write(data));
          const aborted = rejected(start(pair[side], limits()), code);
          const behind = watch(pair[side].write(Buffer.from('behind it')));
          await aborted;
          assert.equal(before.outcome.status, 'pending');
          const got = await pair.during(readAtLeast(pair[other], data.length + 9));
          await pair.during(Promise.all([before.promise, behind.promise]));
          assert.ok(got.equals(Buffer.concat([data, Buffer.from('behind it')])));
          assert.equal(pair.client.renegotiations, 0);
        });

        it(`${name}, queued behind a handshake: it is removed, and the handshake goes on`, async () => {
          const pair = makePair(options);
          const handshaken = watch(pair[side].handshake());
          await rejected(start(pair[side], limits()), code);
          await pair.during(
            Promise.all([handshaken.promise, side === 'client' ? pair.server.accept() : pair.client.connect()]),
          );
          await carries(pair, 'client');
          await carries(pair, 'server');
        });
      }
    });
  }

  describe('before it begins', () => {
    for (const { name, start, options, side } of [
      ...waiting,
      ...ordered,
      kind('handshake', (ssl, limits) => ssl.handshake(limits)),
    ]) {
      it(`${name} with a signal that is aborted already: nothing happens`, async () => {
        const pair = await connectedPair(options);
        const crossed = pair[side === 'client' ? 'toServer' : 'toClient'].bytes.length;
        const reason = new Error('because');
        const error = await rejected(start(pair[side], { signal: AbortSignal.abort(reason) }), codes.aborted);
        assert.equal(error.name, 'AbortError');
        assert.equal(error.cause, reason);
        await pair.pump();
        assert.equal(pair[side === 'client' ? 'toServer' : 'toClient'].bytes.length, crossed);
        await carries(pair, 'client');
        await carries(pair, 'server');
      });
    }

    it('a connection that did not begin its handshake can begin it later', async () => {
      const pair = makePair();
      await rejected(pair.client.connect({ signal: AbortSignal.abort() }), codes.aborted);
      await rejected(pair.server.accept({ signal: AbortSignal.abort() }), codes.aborted);
      await pair.handshake();
    });
  });

  it('of a read loses nothing: what comes goes to the next read', async () => {
    const pair = await connectedPair();
    const aborter = new AbortController();
    const first = rejected(pair.server.read({ signal: aborter.signal }), codes.aborted);
    const second = pair.server.read();
    aborter.abort();
    await first;
    await pair.client.write(Buffer.from('for the second'));
    assert.equal(String(await pair.during(second)), 'for the second');
  });

  it('of a readInto leaves the caller’s memory alone for good', async () => {
    const pair = await connectedPair();
    const memory = Buffer.alloc(10, '.');
    await rejected(pair.server.readInto(memory, { timeout: 5 }), codes.timeout);
    await pair.client.write(Buffer.from('0123456789'));
    await pair.pump();
    assert.equal(String(memory), '..........');
    assert.equal(String(await pair.during(pair.server.read())), '0123456789');
  });

  it('of 1,000 reads in any order', async () => {
    const pair = await connectedPair();
    const aborters = Array.from({ length: 1000 }, () => new AbortController());
    const reads = aborters.map(({ signal }) => watch(pair.server.read({ signal })));
    for (const [i, aborter] of aborters.entries()) if (i % 3 !== 0) aborter.abort();
    await turns(2);
    const left = reads.filter(({ outcome }) => outcome.status === 'pending');
    assert.equal(left.length, 334);
    await pair.client.write(Buffer.from('x'));
    assert.equal(String(await pair.during((left[0] as (typeof left)[0]).promise)), 'x');
  });

  it('after the end changes nothing', async () => {
    const pair = await connectedPair();
    const aborter = new AbortController();
    await pair.client.write(Buffer.from('done'), { signal: aborter.signal, timeout: 1 });
    aborter.abort();
    await turns(3);
    assert.equal(String(await pair.during(pair.server.read())), 'done');
    await carries(pair, 'client');
  });

  it('leaves no listener on a signal that lives long', async () => {
    const pair = await connectedPair();
    const { signal } = new AbortController();
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    const reading = readAtLeast(pair.server, 100);
    pair.flow();
    for (let i = 0; i < 100; i++) await pair.client.write(Buffer.from('x'), { signal });
    await reading;
    await turns(2);
    process.off('warning', note);
    assert.deepEqual(warnings, []);
  });

  it('limits that are none are refused', async () => {
    const pair = await connectedPair();
    const wrong = [{ timeout: -1 }, { timeout: Number.NaN }, { timeout: '5' }, { signal: 'x' }, { signal: {} }];
    for (const limits of wrong) {
      await rejected(
        Promise.resolve().then(() => pair.client.read(limits as never)),
        [codes.wrongType, codes.wrongValue, 'ERR_OUT_OF_RANGE'],
      );
    }
    await carries(pair, 'client');
  });
});
