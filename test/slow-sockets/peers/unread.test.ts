// A peer that is alive and never reads: what is written waits, until whoever waits gives up, and then nothing is left over.
import assert from 'node:assert/strict';
import type { ServerOptions, TlsSocket } from 'system-tls';
import { BrokenWire } from '../../support/broken-wire.ts';
import { pattern } from '../../support/bytes.ts';
import { rejected } from '../../support/errors.ts';
import { descriptors, lifeOf } from '../../support/lives.ts';
import { connectTo, type Running, startServer } from '../../support/sockets.ts';
import { settled, until, watch, within } from '../../support/wait.ts';

/**
 * More than the buffers between two peers hold: twice what a receiving and a sending socket may have together, since the wire has
 * one of each, too (tcp_rmem and tcp_wmem of Linux: up to 32 and 4 MiB).
 */
const large = 100_000_000;
const some = 1 << 20;

/** A server and a client that is alive, and no longer reads when it has had some. */
async function blocked(options: ServerOptions = {}): Promise<{
  wire: BrokenWire;
  client: TlsSocket;
  server: TlsSocket;
  running: Running;
  arrived: () => number;
}> {
  const running = await startServer(options);
  const wire = await BrokenWire.open(running.port);
  const [client, server] = await Promise.all([connectTo(wire.port), running.next()]);
  let arrived = 0;
  // At once: what a turn brings may be all there is.
  client.on('data', (chunk: Buffer) => {
    arrived += chunk.length;
    if (arrived > some) wire.stall('toClient');
  });
  return { wire, client, server, running, arrived: () => arrived };
}

/** Everything is as it was, though the wire and what is in it are still there. */
async function assertFreed({ running, wire }: { running: Running; wire: BrokenWire }, before: number): Promise<void> {
  await until(() => running.server.connections === 0, 'the connection to be counted off');
  await within(running.server.close(), 'the server to close');
  wire.break('reset');
  await within(wire.closed, 'the wire to be closed');
  await until(() => descriptors() <= before, 'the descriptors to be closed');
}

/** What ends a write that nobody reads: how a stream is given up, and what the write is told. */
const givingUp = [
  ['destroyed', ({ server }) => void server.destroy(), /^ERR_STREAM_DESTROYED$|^ERR_TLS_CLOSED$/],
  ['destroyed with an error', ({ server }) => void server.destroy(new Error('given up')), /./],
  [
    'destroyed after a time without a byte',
    ({ server }) => void server.setTimeout(200, () => server.destroy()),
    /^ERR_STREAM_DESTROYED$|^ERR_TLS_CLOSED$/,
  ],
  ['ended, and destroyed', ({ server }) => void server.end().destroy(), /^ERR_STREAM_DESTROYED$|^ERR_TLS_CLOSED$/],
  ['disposed', ({ server }) => void server[Symbol.asyncDispose](), /^ERR_STREAM_DESTROYED$|^ERR_TLS_CLOSED$/],
  ['closed with all connections', ({ running }) => running.server.closeAllConnections(), /./],
  ['reset by the peer', ({ wire }) => wire.break('reset'), /^(ECONNRESET|EPIPE)$/],
] as const satisfies ReadonlyArray<readonly [string, (each: Awaited<ReturnType<typeof blocked>>) => void, RegExp]>;

describe('a peer that never reads', () => {
  for (const [how, giveUp, code] of givingUp) {
    it(`lets a stream wait until it is ${how}`, async () => {
      const before = descriptors();
      const all = await blocked();
      const { client, server, arrived } = all;
      const errors: unknown[] = [];
      server.write(pattern(large), error => errors.push(error));
      server.write('behind it', error => errors.push(error));
      await until(() => arrived() > some, 'some of it');
      await settled(() => server.ssl.bufferedAmount, 'what is on its way');
      assert.deepEqual(errors, [], 'the writes wait');
      assert.ok(server.writableNeedDrain);
      const closed = lifeOf(server);
      giveUp(all);
      await within(closed, 'close');
      await until(() => errors.length === 2, 'the writes to be told');
      for (const error of errors) assert.match((error as NodeJS.ErrnoException)?.code ?? String(error), code);
      client.destroy();
      await assertFreed(all, before);
      assert.equal(errors.length, 2);
    });
  }

  for (const [how, code] of [
    ['timeout', 'ERR_TLS_TIMEOUT'],
    ['abort', 'ABORT_ERR'],
    ['close', 'ERR_TLS_CLOSED'],
  ] as const) {
    it(`lets a write by promise wait until ${how}, and what waits behind it goes too`, async () => {
      const before = descriptors();
      const all = await blocked({ pauseOnConnect: true });
      const { wire, client, server } = all;
      // What the kernel takes is less than this.
      wire.stall('toClient');
      const abort = new AbortController();
      const options = how === 'timeout' ? { timeout: 300 } : how === 'abort' ? { signal: abort.signal } : {};
      const write = watch(server.ssl.write(pattern(large), options));
      const behind: Array<Promise<unknown>> = [
        server.ssl.write('behind it'),
        server.ssl.keyUpdate(),
        server.ssl.shutdown({ wait: true }),
      ];
      const watched = behind.map(watch);
      if (how !== 'timeout') {
        await settled(() => server.ssl.bufferedAmount, 'what is on its way');
        assert.equal(write.outcome.status, 'pending');
      }
      if (how === 'abort') abort.abort();
      if (how === 'close') server.ssl.close();
      await rejected(write.promise, code);
      for (const { promise } of watched) await rejected(promise, [code, 'ERR_TLS_CLOSED']);
      client.destroy();
      await assertFreed(all, before);
    });
  }
});
