import assert from 'node:assert/strict';
import { connect } from 'system-tls';
import { pattern } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { connectedPair, type MemoryPair, tls12, tls13, type Wire } from '../../support/memory-pair.ts';
import { collect, connectTo, startServer } from '../../support/sockets.ts';
import { sleep, within } from '../../support/wait.ts';

const applicationData = 23;
const kib = 1024;
/** What a TCP segment holds over IPv6 on Ethernet, with timestamps. */
const segment = 1428;

/** Lengths of the records of application data that have crossed since `from`, with their headers. */
function records(wire: Wire, from = 0): number[] {
  const bytes = wire.bytes.subarray(from);
  const lengths: number[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const length = 5 + bytes.readUInt16BE(at + 3);
    if (bytes[at] === applicationData) lengths.push(length);
    at += length;
  }
  return lengths;
}

/** Writes that much, and tells in records of which sizes it went. */
async function recordsOf(pair: MemoryPair, size: number, pieces = 1): Promise<number[]> {
  const before = pair.toServer.bytes.length;
  const data = pattern(size);
  const received: Buffer[] = [];
  const reading = (async () => {
    for (let got = 0; got < size; ) {
      const chunk = (await pair.server.read()) as Buffer;
      received.push(chunk);
      got += chunk.length;
    }
  })();
  const writing = (async () => {
    const step = Math.ceil(size / pieces);
    for (let at = 0; at < size; at += step) await pair.client.write(data.subarray(at, at + step));
  })();
  await pair.during(Promise.all([reading, writing]));
  assert.ok(Buffer.concat(received).equals(data));
  return records(pair.toServer, before);
}

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
      // The last is what is left of one SSL_write of 64 KiB.
      assert.ok(sizes.slice(0, small - 1).every(size => size > 1300 && size <= segment));
      const middle = sizes.findIndex(size => size > 3 * segment);
      assert.ok(middle - small >= 16 && middle - small <= 17, `${middle - small} middle ones are as much`);
      assert.ok(sizes.slice(middle, -1).filter(size => size > 16 * kib).length >= 16, 'the rest is full');
    });
  }

  it('counts what small writes have sent', async () => {
    const [sizes, later] = await withoutPause(async () => {
      const pair = await connectedPair({ both: tls13, clientSsl: sized });
      return [await recordsOf(pair, 128 * kib, 1024), await recordsOf(pair, 64 * kib)] as const;
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
