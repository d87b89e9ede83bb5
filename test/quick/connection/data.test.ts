import assert from 'node:assert/strict';
import { pattern, readAtLeast, readToEnd, sha256 } from '../../support/bytes.ts';
import { codes } from '../../support/codes.ts';
import { rejected } from '../../support/errors.ts';
import { all, connectedPair, makePair, versions } from '../../support/memory-pair.ts';
import { turns, watch } from '../../support/wait.ts';

const sizes = [1, 1000, 16_384, 16_385, 100_000];

describe('data in memory', () => {
  for (const [version, both] of versions) {
    for (const fragment of [1, 7, 1000, all]) {
      it(`${version}: both ways at once, ${fragment === all ? 'everything' : fragment} bytes at a time`, async () => {
        const pair = await connectedPair({ both });
        const used = fragment < 1000 ? sizes.slice(0, 4).map(size => Math.ceil(size / 8)) : sizes;
        const sent = used.map((size, i) => pattern(size, i + 1));
        const whole = Buffer.concat(sent);
        const writes = sent.flatMap(data => [pair.client.write(data), pair.server.write(data)]);
        const reads = [readAtLeast(pair.client, whole.length), readAtLeast(pair.server, whole.length)];
        const [atClient, atServer] = await pair.during(Promise.all(reads), { fragment });
        await pair.during(Promise.all(writes));
        assert.equal(sha256(atClient as Buffer), sha256(whole));
        assert.equal(sha256(atServer as Buffer), sha256(whole));
      });
    }
  }

  it('1 MiB in one write', async () => {
    const pair = await connectedPair();
    const data = pattern(1 << 20);
    const written = pair.client.write(data);
    const got = await pair.during(readAtLeast(pair.server, data.length));
    await written;
    assert.equal(sha256(got), sha256(data));
  });

  it('10,000 pending writes arrive in order', async () => {
    const pair = await connectedPair();
    const parts = Array.from({ length: 10_000 }, (_, i) => Buffer.from(`${i};`));
    const writes = Promise.all(parts.map(part => pair.client.write(part)));
    const whole = Buffer.concat(parts);
    const got = await pair.during(readAtLeast(pair.server, whole.length));
    await writes;
    assert.ok(got.equals(whole));
  });

  it('10,000 writes pending before the handshake arrive in order after it', async () => {
    const pair = makePair();
    const parts = Array.from({ length: 10_000 }, (_, i) => Buffer.from(`${i};`));
    const writes = Promise.all(parts.map(part => pair.client.write(part)));
    const whole = Buffer.concat(parts);
    const got = await pair.during(readAtLeast(pair.server, whole.length));
    await writes;
    assert.ok(got.equals(whole));
  });

  it('a write of nothing is done and sends nothing', async () => {
    const pair = await connectedPair();
    const before = pair.toServer.bytes.length;
    await pair.client.write(Buffer.alloc(0));
    await pair.pump();
    assert.equal(pair.toServer.bytes.length, before);
    const read = pair.server.read();
    await pair.client.write(Buffer.from('after'));
    assert.equal(String(await pair.during(read)), 'after');
  });

  it('writes views of memory, and only the part that the view shows', async () => {
    const pair = await connectedPair();
    const memory = Buffer.from('[middle]');
    await pair.client.write(new Uint8Array(memory.buffer, memory.byteOffset + 1, 6));
    assert.equal(String(await pair.during(readAtLeast(pair.server, 6))), 'middle');
  });

  it('what is no data is refused, and the connection is as it was', async () => {
    const pair = await connectedPair();
    for (const wrong of [undefined, null, 7, {}, [1, 2], true, Symbol('x'), () => 0]) {
      await rejected(
        Promise.resolve().then(() => pair.client.write(wrong as never)),
        codes.wrongType,
      );
      await rejected(
        Promise.resolve().then(() => pair.client.readInto(wrong as never)),
        codes.wrongType,
      );
    }
    const read = pair.server.read();
    await pair.client.write(Buffer.from('fine'));
    assert.equal(String(await pair.during(read)), 'fine');
  });

  it('the memory of a finished write is the caller’s again', async () => {
    const pair = await connectedPair();
    const data = Buffer.from('original');
    await pair.client.write(data);
    data.fill('X');
    assert.equal(String(await pair.during(readAtLeast(pair.server, 8))), 'original');
  });

  it('reads are served in the order of their calls', async () => {
    const pair = await connectedPair();
    const reads = [pair.server.read(), pair.server.read(), pair.server.read()];
    for (const text of ['one', 'two', 'three']) {
      await pair.client.write(Buffer.from(text));
      await pair.pump();
    }
    assert.deepEqual((await pair.during(Promise.all(reads))).map(String), ['one', 'two', 'three']);
  });

  describe('readInto', () => {
    it('fills the caller’s memory and tells how much', async () => {
      const pair = await connectedPair();
      const memory = Buffer.alloc(10, '.');
      const read = pair.server.readInto(memory);
      await pair.client.write(Buffer.from('four'));
      assert.equal(await pair.during(read), 4);
      assert.equal(String(memory), 'four......');
    });

    it('leaves what does not fit for the next read', async () => {
      const pair = await connectedPair();
      await pair.client.write(Buffer.from('0123456789'));
      const memory = Buffer.alloc(4);
      assert.equal(await pair.during(pair.server.readInto(memory)), 4);
      assert.equal(String(memory), '0123');
      assert.equal(String(await pair.during(pair.server.read())), '456789');
    });

    it('writes into the view only', async () => {
      const pair = await connectedPair();
      const memory = Buffer.alloc(12, '.');
      await pair.client.write(Buffer.from('0123456789'));
      assert.equal(await pair.during(pair.server.readInto(memory.subarray(4, 8))), 4);
      assert.equal(String(memory), '....0123....');
    });

    it('many at once fill theirs in order', async () => {
      const pair = await connectedPair();
      const memories = Array.from({ length: 50 }, () => Buffer.alloc(3));
      const reads = memories.map(memory => pair.server.readInto(memory));
      await pair.client.write(pattern(150));
      assert.deepEqual(await pair.during(Promise.all(reads)), Array(50).fill(3));
      assert.ok(Buffer.concat(memories).equals(pattern(150)));
    });

    it('gives null after close_notify', async () => {
      const pair = await connectedPair();
      await pair.client.shutdown();
      assert.equal(await pair.during(pair.server.readInto(Buffer.alloc(1))), null);
    });

    it('of an empty buffer does not claim the end', async () => {
      const pair = await connectedPair();
      await pair.client.write(Buffer.from('there'));
      await pair.pump();
      await rejected(pair.server.readInto(Buffer.alloc(0)), codes.wrongValue);
      assert.equal(String(await pair.during(pair.server.read())), 'there');
    });
  });

  describe('as an async iterable', () => {
    it('ends with the peer’s close_notify', async () => {
      const pair = await connectedPair();
      const parts: string[] = [];
      const collecting = (async () => {
        for await (const chunk of pair.server) parts.push(String(chunk));
      })();
      for (const text of ['a', 'b', 'c']) {
        await pair.client.write(Buffer.from(text));
        await pair.pump();
      }
      await pair.client.shutdown();
      await pair.during(collecting);
      assert.deepEqual(parts, ['a', 'b', 'c']);
    });

    it('throws at a truncation, after all that came before', async () => {
      const pair = await connectedPair();
      const parts: string[] = [];
      const collecting = (async () => {
        for await (const chunk of pair.server) parts.push(String(chunk));
      })();
      await pair.client.write(Buffer.from('last words'));
      await pair.pump();
      pair.cut();
      await rejected(pair.during(collecting), codes.unexpectedEof);
      assert.deepEqual(parts, ['last words']);
    });

    it('left early, keeps the rest for others', async () => {
      const pair = await connectedPair();
      await pair.client.write(Buffer.from('first'));
      await pair.pump();
      pair.flow();
      for await (const chunk of pair.server) {
        assert.equal(String(chunk), 'first');
        break;
      }
      await pair.client.write(Buffer.from('second'));
      assert.equal(String(await pair.server.read()), 'second');
    });
  });

  it('data received before close_notify is all there after it', async () => {
    const pair = await connectedPair();
    await pair.client.write(pattern(50_000));
    await pair.client.shutdown();
    await pair.pump();
    assert.ok((await pair.during(readToEnd(pair.server))).equals(pattern(50_000)));
  });

  it('a writer waits while the transport is full, and goes on when it drains', async () => {
    const pair = makePair({ transport: 'pair' });
    await pair.handshake();
    pair.hold();
    const data = pattern(64 * 1024);
    const writes = Array.from({ length: 32 }, () => watch(pair.client.write(data)));
    await turns(10);
    const taken = writes.filter(({ outcome }) => outcome.status === 'fulfilled').length;
    assert.ok(taken < 16, `${taken} of 32 writes of 64 KiB were taken with nobody to take them away`);
    const got = await pair.during(readAtLeast(pair.server, 32 * data.length));
    assert.equal(got.length, 32 * data.length);
    await pair.during(Promise.all(writes.map(({ promise }) => promise)));
  });

  it('a pair of BIOs carries as well as two queues', async () => {
    const pair = makePair({ transport: 'pair' });
    await pair.handshake();
    const written = pair.client.write(pattern(300_000));
    const got = await pair.during(readAtLeast(pair.server, 300_000));
    await written;
    assert.ok(got.equals(pattern(300_000)));
  });
});
