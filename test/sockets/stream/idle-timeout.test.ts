// TlsSocket.setTimeout(): 'timeout' means that no byte has moved, whatever is under way.
import assert from 'node:assert/strict';
import { closeSync, openSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TlsSocket } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { socketPair } from '../../support/sockets.ts';
import { sleep, until, watch } from '../../support/wait.ts';

const size = 256 << 20;
const milliseconds = 1000;
/** So that all of it takes longer than the timeout several times. */
const bytesPerMillisecond = 80_000;

function bigFile(): number {
  const file = join(certificates().folder, 'big');
  writeFileSync(file, '');
  truncateSync(file, size);
  return openSync(file, 'r');
}

/** One call that takes far longer than the timeout. */
const ways: ReadonlyArray<readonly [name: string, send: (socket: TlsSocket) => void]> = [
  ['one write()', socket => void socket.write(Buffer.alloc(size))],
  [
    'one sendFile()',
    socket => {
      const file = bigFile();
      watch(socket.sendFile(file));
      closeSync(file);
    },
  ],
];

interface Transfer {
  readonly timedOut: boolean;
  /** The longest time between two chunks that the reader took: a machine that stands still stops the transfer too. */
  readonly longestPause: number;
}

/** To a reader that is slow and steady. */
async function transfer(send: (socket: TlsSocket) => void): Promise<Transfer> {
  const { client, server } = await socketPair();
  let timedOut = false;
  client.setTimeout(milliseconds, () => {
    timedOut = true;
  });
  send(client);
  const begin = performance.now();
  let last = begin;
  let longestPause = 0;
  let got = 0;
  for await (const chunk of server) {
    const now = performance.now();
    longestPause = Math.max(longestPause, now - last);
    last = now;
    got += (chunk as Buffer).length;
    if (timedOut || got === size || now - begin > 2.5 * milliseconds) break;
    // By size: what a thread hands over at once may be a large part of it.
    await sleep(2 + (chunk as Buffer).length / bytesPerMillisecond);
  }
  client.destroy();
  return { timedOut, longestPause };
}

describe('the idle timeout of a socket', () => {
  for (const [name, send] of ways) {
    it(`does not come while the peer takes the bytes of ${name}`, async () => {
      for (let attempt = 1; ; attempt++) {
        const { timedOut, longestPause } = await transfer(send);
        if (!timedOut) return;
        const paused = `the longest pause was ${longestPause} ms`;
        assert.ok(longestPause > milliseconds / 3 && attempt < 10, `attempt ${attempt}: ${paused}`);
      }
    });

    it(`comes when the peer does not take the bytes of ${name}`, async () => {
      const { client, server } = await socketPair();
      server.pause();
      let timeouts = 0;
      client.setTimeout(100, () => timeouts++);
      send(client);
      await until(() => timeouts === 1, 'the timeout');
      assert.equal(client.destroyed, false, 'and leaves the socket alone');
    });
  }

  it('comes when nothing was ever sent, and after the last byte', async () => {
    const { client, server } = await socketPair();
    server.resume();
    let timeouts = 0;
    client.setTimeout(50, () => timeouts++);
    await until(() => timeouts === 1, 'the timeout');
    client.setTimeout(50, () => timeouts++);
    client.write('x');
    await until(() => timeouts === 2, 'the timeout after a byte');
  });

  it('comes again for each pause that a message ends, also for one that is sent when it comes', async () => {
    const { client, server } = await socketPair();
    server.resume();
    let timeouts = 0;
    client.setTimeout(50).on('timeout', () => {
      timeouts++;
      if (timeouts < 3) client.write('still there?');
    });
    await until(() => timeouts === 3, 'the third');
    await sleep(200);
    assert.equal(timeouts, 3, 'nothing has happened since');
  });

  it('comes for a socket whose time http sets and takes back for each request', async () => {
    const { client, server } = await socketPair();
    let timeouts = 0;
    client.setTimeout(100).on('timeout', () => timeouts++);
    for (let i = 0; i < 10; i++) {
      client.setTimeout(0);
      await sleep(10);
      client.setTimeout(100);
    }
    assert.equal(timeouts, 0);
    await until(() => timeouts === 1, 'the timeout');
    server.destroy();
  });

  it('does not come once the socket is closed, or when it was taken back', async () => {
    const { client, server } = await socketPair();
    const heard: string[] = [];
    client.setTimeout(30, () => heard.push('client'));
    server.setTimeout(30, () => heard.push('server'));
    client.destroy();
    client.setTimeout(30);
    server.setTimeout(0);
    await sleep(200);
    assert.deepEqual(heard, []);
  });
});
