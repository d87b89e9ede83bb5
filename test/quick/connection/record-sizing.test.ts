import assert from 'node:assert/strict';
import { connect, Ssl, SslContext, type SslContextOptions } from 'system-tls';
import { pattern } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { thrown } from '../../support/errors.ts';
import {
  clientContext,
  connectedPair,
  makePair,
  serverContext,
  tls12,
  tls13,
  versions,
} from '../../support/memory-pair.ts';
import { fullRecords, records, recordsOf } from '../../support/records.ts';
import { collect, connectTo, startServer } from '../../support/sockets.ts';
import { sleep, within } from '../../support/wait.ts';

const kib = 1024;
/** What a TCP segment holds over IPv6 on Ethernet, with timestamps. */
const segment = 1428;

/** Beside the clear bytes: header, number, padding and MAC of TLS 1.2 with CBC at the most. */
const overhead = 5 + 16 + 16 + 48;

/**
 * What it gives when it takes less than a second. A connection that sends nothing for so long begins with small records again, also if
 * that is because the machine stood still.
 */
async function withoutPause<T>(act: () => Promise<T>): Promise<T> {
  for (;;) {
    const begin = performance.now();
    const result = await act();
    if (performance.now() - begin < 900) return result;
  }
}

const sized = { dynamicRecordSizing: true };

describe('dynamic record sizing', () => {
  for (const both of [
    tls13,
    tls12,
    // The cipher with the largest overhead.
    { ...tls12, ciphers: 'ECDHE-ECDSA-AES256-SHA384:ECDHE-RSA-AES256-SHA384' },
  ]) {
    it(`begins with records of one segment and grows: ${both.maxVersion}${'ciphers' in both ? ', CBC' : ''}`, async () => {
      const sizes = await withoutPause(async () => {
        return recordsOf(await connectedPair({ both, clientSsl: sized }), 400 * kib);
      });
      const small = sizes.findIndex(size => size > segment);
      assert.ok(small >= 50 && small <= 51, `${small} small ones are 64 KiB`);
      // The last is what is left of one SSL_write.
      assert.ok(sizes.slice(0, small - 1).every(size => size > 1300 && size <= segment));
      const middle = sizes.findIndex(size => size > 3 * segment);
      assert.ok(middle - small >= 16 && middle - small <= 17, `${middle - small} middle ones are as much`);
      assert.ok(sizes.slice(middle, -1).filter(size => size > 16 * kib).length >= 15, 'the rest is full');
    });
  }

  it('counts what small writes have sent', async () => {
    const [sizes, later] = await withoutPause(async () => {
      const pair = await connectedPair({ both: tls13, clientSsl: sized });
      return [await recordsOf(pair, 128 * kib, { pieces: 1024 }), await recordsOf(pair, 64 * kib)] as const;
    });
    assert.ok(sizes.every(size => size < 256));
    assert.ok(Math.max(...later) > 16 * kib);
  });

  it('begins again after a second without writing, and not before', async () => {
    const pair = await connectedPair({ both: tls13, clientSsl: sized });
    const sizes = await withoutPause(async () => {
      await recordsOf(pair, 300 * kib);
      return recordsOf(pair, 16 * kib);
    });
    assert.ok(Math.max(...sizes) > 16 * kib, 'still full');
    await sleep(1100);
    assert.ok(Math.max(...(await recordsOf(pair, 16 * kib))) <= segment, 'small again');
  });

  it('survives a key update in the middle', async () => {
    const pair = await connectedPair({ both: tls13, clientSsl: sized });
    await recordsOf(pair, 10_000);
    await pair.client.keyUpdate();
    const sizes = await recordsOf(pair, 10_000);
    assert.ok(Math.max(...sizes) <= segment);
  });

  it('is off by default', async () => {
    const pair = await connectedPair({ both: tls13 });
    assert.ok(Math.max(...(await recordsOf(pair, 64 * kib))) > 16 * kib);
  });

  it('carries data over sockets, asked for by either side', async () => {
    const running = await startServer({ dynamicRecordSizing: true });
    const arriving = running.next();
    const client = await connectTo(running.port, { dynamicRecordSizing: true });
    const server = await arriving;
    const data = pattern(1024 * kib);
    client.end(data);
    server.end(data);
    const [atClient, atServer] = await within(Promise.all([collect(client), collect(server)]), 'the data');
    assert.ok(atClient.equals(data) && atServer.equals(data));
  });

  it('takes nothing but a boolean', async () => {
    const options = { ca: certificates().ca.cert, port: 1, dynamicRecordSizing: 'yes' as never };
    await assert.rejects(connect(options), { code: 'ERR_INVALID_ARG_TYPE' });
    await assert.rejects(startServer({ dynamicRecordSizing: 1 as never }), { code: 'ERR_INVALID_ARG_TYPE' });
  });
});

describe('the largest fragment', () => {
  /** What a record of TLS 1.3 has besides: header, content type and tag. */
  const clear = (lengths: readonly number[]): number[] => lengths.map(length => length - (5 + 1 + 16));

  // As OpenSSL's own tests of fragmentation: sizes about the limit, and one that divides nothing.
  for (const fragment of [512, 4096, 5 * kib + 7, 16 * kib]) {
    for (const size of [fragment - 1, fragment, fragment + 1, 4 * fragment, 4 * fragment + 1]) {
      it(`of ${fragment} bytes divides ${size} bytes`, async () => {
        const pair = await connectedPair({ both: tls13, client: { ...tls13, maxSendFragment: fragment } });
        // Encrypted together: 256 KiB at a time.
        const batches = fullRecords(size, 256 * kib).flatMap(batch => fullRecords(batch, fragment));
        assert.deepEqual(clear(await recordsOf(pair, size)), batches);
      });
    }
  }

  for (const [version, both] of versions) {
    for (const ciphers of version === 'TLSv1.2' ? ['ECDHE-ECDSA-AES128-SHA', 'AESGCM'] : [undefined]) {
      it(`holds for a megabyte, and for the handshake: ${version} ${ciphers ?? ''}`, async () => {
        const options: SslContextOptions = { ...both, ciphers, maxSendFragment: 512 };
        const pair = await connectedPair({ both: options });
        const count = (await recordsOf(pair, kib * kib)).length;
        assert.equal(count, 2 * kib);
        for (const wire of [pair.toClient, pair.toServer]) {
          assert.ok(Math.max(...records(wire, 0, true)) <= 512 + overhead);
        }
      });
    }
  }

  it('of a connection holds from when it is set, and may be raised again', async () => {
    const pair = await connectedPair({ both: tls13 });
    for (const fragment of [512, 2048, 16 * kib, 700]) {
      pair.client.setMaxSendFragment(fragment);
      assert.equal(Math.max(...clear(await recordsOf(pair, 64 * kib))), fragment);
      // The other side has its own.
      const before = pair.toClient.bytes.length;
      const read = pair.client.read();
      await pair.server.write(pattern(4096));
      await pair.during(read);
      assert.deepEqual(clear(records(pair.toClient, before)), [4096]);
    }
  });

  it('of a connection may be set before the handshake, and is not the context’s', async () => {
    const contexts = { clientContext: clientContext(tls13), serverContext: serverContext(tls13) };
    const pair = makePair(contexts);
    pair.client.setMaxSendFragment(1000);
    await pair.handshake();
    assert.deepEqual(clear(await recordsOf(pair, 2500)), [1000, 1000, 500]);
    assert.deepEqual(clear(await recordsOf(await makePair(contexts).handshake(), 2500)), [2500]);
  });

  it('of a connection stays when a name changes its context', async () => {
    const context = (serverNames: SslContextOptions['serverNames']) => serverContext({ ...tls13, serverNames });
    const named = { localhost: serverContext({ ...tls13, maxSendFragment: 2000 }) };
    for (const own of [undefined, 700]) {
      const pair = makePair({ clientContext: clientContext(tls13), serverContext: context(named) });
      if (own !== undefined) pair.server.setMaxSendFragment(own);
      await pair.handshake();
      const before = pair.toClient.bytes.length;
      await pair.server.write(pattern(4000));
      await pair.pump();
      assert.equal(Math.max(...clear(records(pair.toClient, before))), own ?? 2000);
    }
  });

  it('holds for a key update and what comes behind it', async () => {
    const pair = await connectedPair({ both: { ...tls13, maxSendFragment: 512 } });
    await recordsOf(pair, 5000);
    await pair.client.keyUpdate();
    await pair.pump();
    assert.deepEqual(clear(await recordsOf(pair, 1025)), [512, 512, 1]);
  });

  it('and dynamic record sizing: the smaller holds', async () => {
    for (const [fragment, most] of [
      [512, 512],
      [16 * kib, 1300],
      [3000, 1300],
    ] as const) {
      const lengths = await withoutPause(async () => {
        const client = { ...tls13, maxSendFragment: fragment };
        return recordsOf(await connectedPair({ server: tls13, client, clientSsl: sized }), 32 * kib);
      });
      assert.equal(Math.max(...clear(lengths)), most);
    }
    const later = await withoutPause(async () => {
      const client = { ...tls13, maxSendFragment: 3000 };
      return recordsOf(await connectedPair({ server: tls13, client, clientSsl: sized }), 256 * kib);
    });
    assert.equal(Math.max(...clear(later)), 3000);
  });

  it('is from 512 to 16384, and not for datagrams', async () => {
    for (const size of [511, 16385, 0, -1, 1.5, Number.NaN, 2 ** 32 + 512]) {
      thrown(() => clientContext({ maxSendFragment: size }), codes.outOfRange);
    }
    thrown(() => clientContext({ maxSendFragment: '512' as never }), codes.wrongType);
    thrown(() => new SslContext({ method: 'DTLS', maxSendFragment: 512 }), 'ERR_TLS_DTLS');
    const datagrams = new Ssl(new SslContext({ method: 'DTLS' }), { side: 'client' });
    thrown(() => datagrams.setMaxSendFragment(512), 'ERR_TLS_DTLS');
    datagrams.close();
    const pair = await connectedPair({ both: tls13 });
    for (const size of [511, 16385, Number.NaN]) thrown(() => pair.client.setMaxSendFragment(size), codes.outOfRange);
    thrown(() => pair.client.setMaxSendFragment(undefined as never), codes.wrongType);
    assert.deepEqual(clear(await recordsOf(pair, 20 * kib)), [16 * kib, 4 * kib]);
    pair.client.close();
    thrown(() => pair.client.setMaxSendFragment(512), codes.closed);
  });
});
