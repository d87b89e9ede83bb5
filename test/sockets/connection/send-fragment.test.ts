// maxSendFragment over sockets, with everything else that decides how data goes out.
import assert from 'node:assert/strict';
import { closeSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConnectOptions, MessageEvent, ServerOptions } from 'system-tls';
import { pattern } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { thrown } from '../../support/errors.ts';
import { tls12, tls13, versions } from '../../support/memory-pair.ts';
import { opensslClient, pythonClient } from '../../support/peers.ts';
import { collect, connectTo, socketPair, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

const recordHeader = 256;
const applicationData = 23;
/** Of TLS 1.3: content type and tag; of TLS 1.2 with AES-GCM: number and tag. */
const overhead = 24;

/** Lengths of the records of data that arrive, without their headers. */
function arriving(): { lengths: number[]; on: { message: (event: MessageEvent) => void } } {
  const lengths: number[] = [];
  const message = ({ direction, contentType, data }: MessageEvent) => {
    const record = direction === 'received' && contentType === recordHeader && data[0] === applicationData;
    if (record) lengths.push(data.readUInt16BE(3));
  };
  return { lengths, on: { message } };
}

const largest = (lengths: readonly number[]): number => Math.max(...lengths);

describe('the largest fragment, over sockets', () => {
  for (const [version, both] of versions) {
    it(`holds for writes of all sizes and for files: ${version}`, async () => {
      const { lengths, on } = arriving();
      const options: ServerOptions = { ...both, maxSendFragment: 1000 };
      const { client, server } = await socketPair(options, { ...both, on } as Partial<ConnectOptions>);
      const content = pattern(200_000);
      const path = join(certificates().folder, `fragment-${version}`);
      writeFileSync(path, content);
      const all = collect(client);
      lengths.length = 0;
      for (const size of [1, 999, 1000, 1001, 70_000, 3_000_000]) server.write(pattern(size));
      server.cork();
      for (let n = 0; n < 100; n++) server.write(pattern(1500));
      server.uncork();
      const file = openSync(path, 'r');
      await server.sendFile(file);
      closeSync(file);
      server.end();
      const received = await within(all, 'the data');
      const sizes = [1, 999, 1000, 1001, 70_000, 3_000_000, ...Array.from({ length: 100 }, () => 1500)];
      assert.ok(received.equals(Buffer.concat([...sizes.map(size => pattern(size)), content])));
      assert.ok(largest(lengths) <= 1000 + overhead, String(largest(lengths)));
      assert.ok(lengths.length >= 3400);
    });
  }

  it('of a socket holds from when it is set', async () => {
    const { lengths, on } = arriving();
    const { client, server } = await socketPair(tls13, { ...tls13, on });
    let got = 0;
    client.on('data', (chunk: Buffer) => {
      got += chunk.length;
    });
    const send = async (size: number) => {
      lengths.length = 0;
      got = 0;
      server.write(pattern(size));
      await until(() => got === size, 'the data');
      return largest(lengths);
    };
    assert.ok((await send(100_000)) > 16_000);
    assert.equal(server.setMaxSendFragment(512), true);
    assert.ok((await send(100_000)) <= 512 + overhead);
    assert.equal(server.setMaxSendFragment(), true);
    assert.ok((await send(100_000)) > 16_000);
    for (const size of [0, 511, 16385, 512.5, Number.NaN]) assert.equal(server.setMaxSendFragment(size), false);
    thrown(() => server.setMaxSendFragment('512' as never), codes.wrongType);
    assert.ok((await send(100_000)) > 16_000);
    server.destroy();
    assert.equal(server.setMaxSendFragment(512), false);
  });

  it('comes with the context of a name', async () => {
    const { cert, key } = certificates().server;
    const { port, next } = await startServer({
      ...tls13,
      maxSendFragment: 512,
      serverNames: {
        'large.example': { cert, key, maxSendFragment: 16384 },
        'same.example': { cert, key },
        'small.example': { cert, key, maxSendFragment: 2000 },
      },
    });
    const at = async (servername: string): Promise<number> => {
      const { lengths, on } = arriving();
      const client = await connectTo(port, { ...tls13, servername, host: '127.0.0.1', rejectUnauthorized: false, on });
      const server = await next();
      const all = collect(client);
      lengths.length = 0;
      server.end(pattern(60_000));
      await within(all, 'the data');
      return largest(lengths) - 1 - 16;
    };
    assert.deepEqual(
      [await at('localhost'), await at('same.example'), await at('small.example'), await at('large.example')],
      [512, 512, 2000, 16384],
    );
  });

  it('carries data to and from Python', async () => {
    const { port } = await startServer({ ...tls12, maxSendFragment: 512 }, socket => socket.pipe(socket));
    await pythonClient(port, 'TLSv1_2').printed(/closed cleanly/);
  });

  it('gives way to what a client of OpenSSL negotiates', async () => {
    for (const [maxSendFragment, asked] of [
      [16384, 512],
      [16384, 2048],
      [600, 512],
    ] as const) {
      const { port, next } = await startServer({ ...tls13, maxSendFragment });
      const peer = opensslClient(port, ['-tls1_3', '-maxfraglen', String(asked)]);
      const socket = await next();
      await peer.printed(/Verify return code: .*\n[\s\S]*?---/);
      const from = peer.output.length;
      socket.end(Buffer.alloc(5000, 'x'));
      await within(peer.exited, 'its end');
      const records = [...peer.output.slice(from).matchAll(/<<<.*RecordHeader \[length 0005\]\s+17 03 03 (..) (..)/g)];
      const lengths = records.map(([, high, low]) => Number.parseInt(`${high}${low}`, 16));
      assert.ok(
        lengths.length >= 2 && largest(lengths) <= asked + 17,
        `${asked}: ${lengths}\n${peer.output.slice(from)}`,
      );
    }
  });
});
