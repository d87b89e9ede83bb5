// What a stream writes in one turn of JavaScript goes out together: the first write at once, the others at the end of the turn.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TlsSocket } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { collect, pool, socketPair, startServer } from '../../support/sockets.ts';
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

  for (const [how, last] of [
    ['process.exit()', 'process.exit(0)'],
    ['an exception that nobody catches', "throw new Error('on purpose')"],
  ] as const) {
    it(`leave before the process ends by ${how}`, async () => {
      const { port, next } = await startServer();
      const script = `
        import { connect, IoPool } from 'system-tls';
        const io = ${pool === undefined ? 'undefined' : 'new IoPool({ threads: 1 })'};
        const socket = await connect({ port: ${port}, host: '127.0.0.1', servername: 'localhost', ca: ${JSON.stringify(certificates().ca.cert)}, io });
        setTimeout(() => {
          socket.write('one');
          socket.write('two');
          socket.write('three');
          ${last};
        }, 10);`;
      const child = spawn(process.execPath, ['--input-type=module', '--eval', script], { stdio: 'ignore' });
      const socket = await next();
      let text = '';
      socket.on('data', data => {
        text += data;
      });
      await within(Promise.all([once(child, 'exit'), closed(socket)]), 'the end');
      assert.equal(text, 'onetwothree');
    });
  }
});
