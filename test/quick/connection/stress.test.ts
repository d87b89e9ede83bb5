// Any order of operations on both sides, from a seed that a failure names: every byte arrives, in order.
import assert from 'node:assert/strict';
import type { Ssl } from 'system-tls';
import { pattern, sha256 } from '../../support/bytes.ts';
import { all, connectedPair, type MemoryPair, type Transport, tls12, tls13 } from '../../support/memory-pair.ts';
import { turn } from '../../support/wait.ts';

/** Numbers below `limit`, the same for the same seed. */
function makeRandom(seed: number): (limit: number) => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return limit => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
}

type Random = ReturnType<typeof makeRandom>;

async function write(ssl: Ssl, data: Buffer, random: Random, renew: () => Promise<unknown>): Promise<void> {
  const pending: Promise<unknown>[] = [];
  for (let at = 0; at < data.length; ) {
    const length = Math.min(data.length - at, 1 + random(random(4) === 0 ? 60_000 : 300));
    pending.push(ssl.write(data.subarray(at, at + length)));
    at += length;
    if (random(12) === 0) pending.push(renew());
    if (random(5) === 0) await turn();
    if (random(9) === 0) await Promise.all(pending.splice(0));
  }
  await Promise.all(pending);
}

async function readSome(ssl: Ssl, random: Random): Promise<Buffer | null> {
  switch (random(4)) {
    case 0: {
      const memory = Buffer.alloc(1 + random(20_000));
      const count = await ssl.readInto(memory);
      return count === null ? null : memory.subarray(0, count);
    }
    case 1:
      return ssl.read({ max: 1 + random(500) });
    case 2: {
      // Withdrawn at some time; what comes goes to the read behind it.
      const aborter = new AbortController();
      const withdrawn = ssl.read({ signal: aborter.signal }).catch(() => undefined);
      if (random(2) === 0) await turn();
      aborter.abort();
      const chunk = await withdrawn;
      return chunk === undefined ? ssl.read() : chunk;
    }
    default:
      return ssl.read();
  }
}

async function read(ssl: Ssl, random: Random): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let chunk = await readSome(ssl, random); chunk !== null; chunk = await readSome(ssl, random)) {
    chunks.push(Buffer.from(chunk));
    if (random(20) === 0) await turn();
  }
  return Buffer.concat(chunks);
}

async function exchange(pair: MemoryPair, random: Random, renewals: (ssl: Ssl) => Promise<unknown>): Promise<void> {
  const directions = [
    [pair.client, pair.server],
    [pair.server, pair.client],
  ] as const;
  const sent = directions.map(() => pattern(1 + random(400_000), 1 + random(1000)));
  const work = async () => {
    const reading = Promise.all(directions.map(([, to]) => read(to, random)));
    // Who has said goodbye answers no requests any more: both first say all that they have to say.
    await Promise.all(directions.map(([from], i) => write(from, sent[i] as Buffer, random, () => renewals(from))));
    await Promise.all(directions.map(([from]) => from.shutdown()));
    assert.deepEqual((await reading).map(sha256), sent.map(sha256));
  };
  await pair.during(work(), { fragment: [all, 10_000, 1500, 300][random(4)] ?? all });
}

const seeds = Array.from({ length: 25 }, (_, i) => i + 1);
const transports: readonly Transport[] = ['queues', 'pair'];

describe('any order of operations', () => {
  for (const transport of transports) {
    it(`with key updates on TLS 1.3 over ${transport}`, async () => {
      for (const seed of seeds) {
        const random = makeRandom(seed);
        const pair = await connectedPair({ both: { ...tls13, keyUpdateLimit: 10_000 }, transport });
        try {
          await exchange(pair, random, ssl => ssl.keyUpdate({ requestPeer: random(2) === 0 }));
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error });
        }
        pair.close();
      }
    });

    it(`with renegotiations by the client on TLS 1.2 over ${transport}`, async () => {
      for (const seed of seeds) {
        const random = makeRandom(seed);
        const pair = await connectedPair({
          both: tls12,
          server: { clientRenegotiation: { limit: 10_000 } },
          transport,
        });
        try {
          await exchange(pair, random, async ssl => {
            if (ssl.side === 'client' && random(4) === 0) await ssl.renegotiate({ abbreviated: random(2) === 0 });
          });
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error });
        }
        pair.close();
      }
    });

    it(`with renegotiations asked for by the server on TLS 1.2 over ${transport}`, async () => {
      for (const seed of seeds) {
        const random = makeRandom(seed);
        const pair = await connectedPair({ both: tls12, transport });
        try {
          await exchange(pair, random, async ssl => {
            if (ssl.side === 'server' && random(4) === 0) await ssl.renegotiate();
          });
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error });
        }
        pair.close();
      }
    });
  }
});
