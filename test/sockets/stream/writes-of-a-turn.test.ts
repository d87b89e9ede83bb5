// What a stream writes in one turn of JavaScript goes out together: the first write at once, the others at the end of the turn.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TlsSocket } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { collect, pool, type Running, socketPair, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

/** Also with an error. */
const closed = (socket: TlsSocket) => new Promise(resolve => socket.once('close', resolve));

describe('the writes of one turn', () => {
  it('on the loop: the first is sent at once, the others behind the turn', async function () {
    if (pool !== undefined) this.skip();
    const { client, server } = await socketPair();
    const received = collect(server);
    await new Promise(setImmediate);
    client.write('first');
    assert.equal(client.ssl.bufferedAmount, 0);
    client.write('second');
    const one = client.ssl.bufferedAmount;
    assert.ok(one > 0, 'held');
    client.write('third');
    assert.ok(client.ssl.bufferedAmount > one, 'with the other one');
    await null;
    await null;
    assert.equal(client.ssl.bufferedAmount, 0, 'sent');
    client.end();
    assert.equal(String(await within(received, 'the text')), 'firstsecondthird');
  });

  it('what is large does not wait', async function () {
    if (pool !== undefined) this.skip();
    const { client, server } = await socketPair();
    const received = collect(server);
    client.write('first');
    client.write(Buffer.alloc(20_000, 'x'));
    assert.equal(client.ssl.bufferedAmount, 0);
    client.end();
    assert.equal((await within(received, 'the bytes')).length, 20_005);
  });

  it('what a promise resolves for is sent: ssl.write()', async function () {
    if (pool !== undefined) this.skip();
    const { client, server } = await socketPair();
    const received = collect(server);
    client.write('first');
    client.write('second');
    assert.ok(client.ssl.bufferedAmount > 0);
    const written = client.ssl.write('third');
    assert.equal(client.ssl.bufferedAmount, 0, 'with what was held');
    await written;
    client.end();
    assert.equal(String(await within(received, 'the text')), 'firstsecondthird');
  });

  it('in order among other operations, on many connections at once', async () => {
    const pairs = await Promise.all(Array.from({ length: 8 }, () => socketPair()));
    const texts = pairs.map(({ server }) => collect(server));
    let expected = '';
    for (let round = 0; round < 20; round++) {
      const updates: Promise<unknown>[] = [];
      for (const { client } of pairs) {
        client.write(`a${round}`);
        client.write(`b${round}`);
        updates.push(client.keyUpdate());
        client.write(`c${round}`);
      }
      expected += `a${round}b${round}c${round}`;
      await Promise.all(updates);
    }
    for (const { client } of pairs) client.end('.');
    for (const text of await within(Promise.all(texts), 'all')) assert.equal(String(text), `${expected}.`);
  });

  it('reach the peer before the end, whichever way the socket ends in the same turn', async () => {
    for (const way of ['end', 'destroySoon', 'destroy'] as const) {
      const { client, server } = await socketPair();
      let text = '';
      server.on('data', data => {
        text += data;
      });
      server.on('error', () => {});
      client.write('one');
      client.write('two');
      client.write('three');
      client[way]();
      await within(closed(server), 'the end');
      assert.equal(text, 'onetwothree', way);
    }
  });

  it('are told of a failure as any other write', async () => {
    const { client, server } = await socketPair();
    server.on('error', () => {});
    server.resume();
    client.on('error', () => {});
    server.destroy();
    let failed = false;
    const timer = setInterval(() => {
      for (let i = 0; i < 3; i++)
        client.write('x', error => {
          failed ||= error !== null && error !== undefined;
        });
    }, 5);
    await until(() => failed, 'a failed write');
    clearInterval(timer);
    assert.equal(client.destroyed, true);
  });

  /** Where a script writes three times, and how it ends in the same turn. */
  const begins = {
    'a timer': 'setTimeout(act, 10);',
    'a handler of data': "socket.once('data', act);",
    'a tick behind a handler': "socket.once('data', () => process.nextTick(act));",
    'a promise behind a handler': "socket.once('data', () => Promise.resolve().then(act));",
  } as const;
  const ends = {
    'process.exit()': 'process.exit(0);',
    'an exception that nobody catches': "throw new Error('on purpose');",
  } as const;

  /** In a process, or in a worker of one. */
  const script = (port: number, begin: string, end: string): string => `
    import { connect, IoPool } from 'system-tls';
    const io = ${pool === undefined ? 'undefined' : 'new IoPool({ threads: 1 })'};
    const ca = ${JSON.stringify(certificates().ca.cert)};
    const socket = await connect({ port: ${port}, host: '127.0.0.1', servername: 'localhost', ca, io });
    const act = () => {
      socket.write('one');
      socket.write('two');
      socket.write('three');
      ${end}
    };
    ${begin}`;

  async function textOf(running: Running, args: readonly string[]): Promise<string> {
    const child = spawn(process.execPath, args, { stdio: 'ignore' });
    const socket = await running.next();
    let text = '';
    socket.on('data', data => {
      text += data;
    });
    socket.write('go');
    await within(Promise.all([once(child, 'exit'), closed(socket)]), 'the end');
    return text;
  }

  for (const [where, begin] of Object.entries(begins)) {
    for (const [how, end] of Object.entries(ends)) {
      it(`in ${where}: leave before the process ends by ${how}`, async () => {
        const running = await startServer();
        const code = script(running.port, begin, end);
        assert.equal(await textOf(running, ['--input-type=module', '--eval', code]), 'onetwothree');
      });
    }
  }

  it('leave before a worker ends by process.exit() in a handler', async () => {
    const running = await startServer();
    const code = script(running.port, begins['a handler of data'], ends['process.exit()']);
    const url = `data:text/javascript,${encodeURIComponent(code.replace("'system-tls'", JSON.stringify(import.meta.resolve('system-tls'))))}`;
    const main = `new (require('node:worker_threads').Worker)(new URL(${JSON.stringify(url)}))`;
    assert.equal(await textOf(running, ['--eval', main]), 'onetwothree');
  });

  it('the first does not wait for what its handler does behind it', async () => {
    const { port, next } = await startServer();
    const code = script(port, begins['a handler of data'], 'while (true);');
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], { stdio: 'ignore' });
    const socket = await next();
    socket.write('go');
    // The others may come with it, if its thread was not awake yet.
    const first = await within(new Promise(resolve => socket.once('data', resolve)), 'the first');
    assert.match(String(first), /^one/);
    child.kill('SIGKILL');
    await once(child, 'exit');
  });
});
