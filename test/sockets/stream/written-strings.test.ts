// Strings that are written: they come to the connection as they are, among Buffers, and are encoded there.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { collect, socketPair } from '../../support/sockets.ts';
import { within } from '../../support/wait.ts';

const encodings = [
  'utf8',
  'utf-8',
  'latin1',
  'binary',
  'ascii',
  'hex',
  'base64',
  'base64url',
  'ucs2',
  'utf16le',
] as const satisfies readonly BufferEncoding[];

/** One byte, two, three and four of UTF-8, halves of pairs that have lost the other one, and what is not hex. */
const texts = ['', '6869', 'äöü', '日本語', '😀', '\ud83d', '\ude00 and \ud83d', 'zz68', 'YWJj', 'x'.repeat(70_000)];

describe('strings that are written', () => {
  for (const encoding of encodings) {
    it(`${encoding}: arrive as Buffer.from() makes them, alone and among others`, async () => {
      const { client, server } = await socketPair();
      const received = collect(server);
      const expected: Buffer[] = [];
      for (const text of texts) {
        const bytes = Buffer.from(text, encoding);
        client.write(text, encoding);
        client.cork();
        client.write(text, encoding);
        client.write('<');
        client.write(bytes);
        client.write(text, encoding);
        client.uncork();
        expected.push(bytes, bytes, Buffer.from('<'), bytes, bytes);
      }
      client.end();
      assert.ok((await within(received, 'the text')).equals(Buffer.concat(expected)));
      assert.equal(client.bytesWritten, Buffer.concat(expected).length);
    });
  }

  it('count in bytes, also those that wait', async () => {
    const { client, server } = await socketPair();
    const text = '日本語😀'.repeat(100_000);
    const { length } = Buffer.from(text);
    for (let i = 1; i <= 20; i++) {
      client.write(text);
      assert.equal(client.bytesWritten, i * length);
    }
    assert.ok(client.writableLength > 0, 'some wait');
    client.end();
    const { length: arrived } = await within(collect(server), 'the text');
    assert.equal(arrived, 20 * length);
    assert.equal(client.bytesWritten, 20 * length);
  });

  it('as many as fit side by side, one byte less, and one more', async () => {
    for (const size of [65_535, 65_536, 65_537]) {
      const { client, server } = await socketPair();
      client.cork();
      client.write('head', 'latin1');
      client.write(Buffer.alloc(size - 4, 'b'));
      client.uncork();
      client.end();
      const received = await within(collect(server), 'the bytes');
      assert.equal(String(received), `head${'b'.repeat(size - 4)}`);
    }
  });

  it('two connections that write in turn do not mix', async () => {
    const pairs = await Promise.all([socketPair(), socketPair()]);
    const all = pairs.map(({ server }) => collect(server));
    for (let i = 0; i < 500; i++) {
      for (const [number, { client }] of pairs.entries()) {
        client.cork();
        client.write(`${number}`, 'latin1');
        client.write(Buffer.from([0x30 + number]));
        client.uncork();
      }
    }
    for (const { client } of pairs) client.end();
    const [first, second] = await within(Promise.all(all), 'both');
    assert.equal(String(first), '00'.repeat(500));
    assert.equal(String(second), '11'.repeat(500));
  });

  it('in an encoding that there is not: refused, and nothing is sent', async () => {
    const { client, server } = await socketPair();
    assert.throws(() => client.write('x', 'utf9' as BufferEncoding), { code: 'ERR_UNKNOWN_ENCODING' });
    client.end('y');
    assert.equal(String(await within(collect(server), 'the rest')), 'y');
  });

  it('after the connection was closed: an error, and nothing thrown', async () => {
    const { client, server } = await socketPair();
    server.on('error', () => {});
    client.destroy();
    const failed = new Promise<Error | null | undefined>(resolve => client.write('x', resolve));
    client.on('error', () => {});
    assert.equal(((await within(failed, 'the callback')) as NodeJS.ErrnoException).code, 'ERR_STREAM_DESTROYED');
    assert.equal(client.bytesWritten, 0);
    if (!client.closed) await once(client, 'close');
  });
});
