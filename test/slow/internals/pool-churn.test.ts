// A pool whose threads come and go all the time, under connections that carry data: nothing may be lost by it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { IoPool, type TlsSocket } from 'system-tls';
import { ByLoad } from '#dist/connection/io-pool.js';
import { Growth } from '#dist/connection/threads-by-load.js';
import { pattern, sha256 } from '../../support/bytes.ts';
import { collect, connectTo, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

type Decision = ReturnType<Growth['decide']>;

const { decide } = Growth.prototype;
const { setInterval: realInterval } = globalThis;
const each = 5;
let asked = 0;

/** Turn by turn: as many as there may be, then all but the first one go. */
function restless({ threads }: Parameters<Growth['decide']>[0]): Decision {
  const turn = asked++ % 30;
  if (turn < 5) return 'grow';
  const retire = threads.findLastIndex(({ retired, listeners }) => !retired && listeners === 0);
  return retire > 0 ? { retire } : undefined;
}

async function visit(port: number, io: IoPool, size: number): Promise<void> {
  const data = pattern(size);
  const socket: TlsSocket = await connectTo(port, { io });
  const received = collect(socket);
  socket.end(data);
  assert.equal(sha256(await within(received, 'the echo')), sha256(data));
}

describe('a pool whose threads come and go', () => {
  beforeEach(() => {
    Growth.prototype.decide = restless;
    globalThis.setInterval = ((act: () => void) => realInterval(act, each)) as typeof setInterval;
  });
  afterEach(() => {
    Growth.prototype.decide = decide;
    globalThis.setInterval = realInterval;
  });

  it('loses no byte, no end and no connection', async () => {
    const io = new IoPool(new ByLoad({ most: 4, processors: 64 }));
    const { server, port } = await startServer({ io }, socket => socket.pipe(socket));
    let [most, last, ended] = [0, 0, 0];
    const end = performance.now() + 6000;
    const visitor = async (size: number): Promise<void> => {
      while (performance.now() < end) {
        await visit(port, io, size);
        const { threads } = io;
        if (threads < last) ended++;
        last = threads;
        most = Math.max(most, threads);
      }
    };
    await Promise.all([0, 1, 1000, 70_000, 300_000, 2_000_000].map(visitor));
    assert.ok(most === 4 && ended > 10, `threads: at most ${most}, ended ${ended} times`);
    await until(() => io.connections.every(count => count === 0), 'the connections to be forgotten');
    const closed = once(server, 'close');
    void server.close();
    await within(closed, 'the server to close');
    await within(io.close(), 'the pool to close');
  });

  it('keeps a thread while last words wait for their peer there', async () => {
    let decision: Decision;
    Growth.prototype.decide = () => decision;
    const io = new IoPool(new ByLoad({ most: 2, processors: 64 }));
    const { server, port } = await startServer({ io });
    await connectTo(port, { io: undefined });
    decision = 'grow';
    await until(() => io.threads === 2, 'the second thread');
    const failed = once(server, 'tlsClientError');
    const raw = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const errors: Error[] = [];
    raw.on('error', error => errors.push(error));
    // A ClientHello of one byte.
    raw.write(Buffer.from([22, 3, 1, 0, 5, 1, 0, 0, 1, 0]));
    const [alert] = (await within(once(raw, 'data'), 'the alert')) as [Buffer];
    assert.equal(alert[0], 21);
    const told = performance.now();
    await within(failed, 'the failure');
    assert.deepEqual(io.connections, [1, 0]);

    // Longer than a second it waits for nobody.
    decision = { retire: 1 };
    const inTime = (): boolean => performance.now() - told < 900;
    while (performance.now() - told < 400) {
      raw.write('more, which a closed socket answers with a reset');
      await new Promise(resolve => setTimeout(resolve, 20));
      if (inTime()) assert.equal(io.threads, 2);
    }
    if (inTime()) assert.deepEqual(errors, []);
    raw.end();
    await until(() => io.threads === 1, 'the end of the thread');
    assert.deepEqual(io.connections, [1]);
    await server[Symbol.asyncDispose]();
    await io.close();
  });

  it('may be closed while some of them are about to end', async () => {
    for (let round = 0; round < 20; round++) {
      const io = new IoPool(new ByLoad({ most: 4, processors: 64 }));
      const { server, port } = await startServer({ io }, socket => socket.pipe(socket));
      const visits = [1000, 300_000].map(size => visit(port, io, size).catch(() => {}));
      await new Promise(resolve => setTimeout(resolve, round * 3));
      server.on('error', () => {});
      await within(io.close(), 'the pool to close');
      await Promise.all(visits);
    }
  });
});
