import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { endings, endsWith, inTurn, prefixes, run, type Step } from '../../support/scripts.ts';
import { collect, connectTo, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

/** The life of a server and its client, step by step; each may be the last. */
const socketSteps: readonly Step[] = [
  ['server', `const server = createServer({ cert, key, io }, socket => socket.on('error', ignore).pipe(socket));`],
  ['listening', `await server.listen({ port: 0, host: '127.0.0.1' });`],
  [
    'connecting',
    `const connecting = connect({ ...server.address(), host: '127.0.0.1', ca, io, servername: 'localhost' }); connecting.catch(ignore);`,
  ],
  ['connected', `const socket = await connecting; socket.on('error', ignore);`],
  ['bulk', `socket.write(Buffer.alloc(8 << 20)); socket.resume();`],
  ['server closing', 'server.close();'],
  ['destroyed', 'socket.destroy();'],
];

describe('process', () => {
  for (const [how, ending, code] of endings) {
    it(`ends by ${how} at each step of a server and its client`, async () => {
      await inTurn(prefixes(socketSteps), async ({ name, code: steps }) => {
        await endsWith(run(`${steps}\n${ending}`), code, `after ${name}`);
      });
    });
  }

  it('ends by itself after server and socket are closed', async () => {
    const code = socketSteps.map(([, step]) => step).join('\n');
    await endsWith(run(`${code}\nawait new Promise(resolve => socket.once('close', resolve));`), 0, 'closed');
  });

  it('an operation that waits keeps it alive; unref() lets it go', async () => {
    const { port } = await startServer();
    const waits = `
      const socket = await connect({ host: '127.0.0.1', port: ${port}, ca, io, servername: 'localhost' });
      socket.on('data', ignore).on('error', ignore);
      console.log('waiting');
    `;
    const waiting = run(waits);
    await waiting.printed(/waiting/);
    const early = await Promise.race([waiting.exited, new Promise(resolve => setTimeout(resolve, 150, 'alive'))]);
    assert.equal(early, 'alive', waiting.output);
    await waiting.stop();
    await endsWith(run(`${waits} socket.unref();`), 0, 'after unref()');
  });

  describe('worker_threads', () => {
    const workerFile = fileURLToPath(new URL('../../support/worker.js', import.meta.url));
    const start = (modes: readonly string[], terminate: boolean, inMain = '') => {
      return run(`
        import { Worker } from 'node:worker_threads';
        ${inMain}
        const start = mode => new Promise((resolve, reject) => {
          const worker = new Worker(${JSON.stringify(workerFile)}, { execArgv: [], workerData: { cert, key, ca, mode } });
          let told = false;
          worker.on('error', reject);
          worker.on('exit', code => (told ? resolve(code) : reject(new Error(mode + ' ended with ' + code))));
          worker.on('message', what => {
            told = true;
            if (${terminate} && what === 'in the middle') worker.terminate();
          });
        });
        await Promise.all(${JSON.stringify(modes)}.map(start));
        console.log('all ended');
      `);
    };

    it('several at once, while the main thread uses it too', async () => {
      const here = `
        const server = createServer({ cert, key, io }, socket => socket.on('error', ignore).end('main'));
        await server.listen({ port: 0, host: '127.0.0.1' });
        for (let i = 0; i < 5; i++) (await connect({ ...server.address(), ca, io, servername: 'localhost' })).destroy();
        await server.close();
      `;
      const child = start(Array(4).fill('round-trip'), false, here);
      await endsWith(child, 0, 'the process');
      assert.match(child.output, /all ended/);
    });

    it('used in workers only, and after each other', async () => {
      const child = run(`
        import { Worker } from 'node:worker_threads';
        for (let i = 0; i < 4; i++) {
          const worker = new Worker(${JSON.stringify(workerFile)}, { execArgv: [], workerData: { cert, key, ca, mode: 'round-trip' } });
          await new Promise((resolve, reject) => worker.once('error', reject).once('exit', resolve));
        }
        console.log('all ended');
      `);
      await endsWith(child, 0, 'the process');
      assert.match(child.output, /all ended/);
    });

    for (const mode of ['stuck-handshake', 'bulk', 'renegotiation', 'sockets', 'server']) {
      it(`terminated in the middle: ${mode}`, async () => {
        const child = start([mode, mode, 'round-trip'], true);
        await endsWith(child, 0, mode);
        assert.match(child.output, /all ended/);
      });
    }

    it('the process exits while workers are in the middle of it', async () => {
      const child = run(`
        import { Worker } from 'node:worker_threads';
        let told = 0;
        for (const mode of ['stuck-handshake', 'bulk', 'sockets']) {
          const worker = new Worker(${JSON.stringify(workerFile)}, { execArgv: [], workerData: { cert, key, ca, mode } });
          let first = true;
          worker.on('message', () => { if (first && ++told === 3) process.exit(7); first = false; });
        }
      `);
      await endsWith(child, 7, 'the process');
    });
  });

  it('no descriptor left for accept: the server says so, lives, and goes on when there is one', async function () {
    needs(this, process.platform === 'linux', 'descriptors are limited with prlimit of Linux');
    needsProgram(this, 'prlimit');
    const child = run(`
      import { execFileSync } from 'node:child_process';
      import { openSync, closeSync } from 'node:fs';
      const server = createServer({ cert, key, io }, socket => socket.on('error', ignore).end('accepted'));
      await server.listen({ port: 0, host: '127.0.0.1' });
      execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=64:64']);
      const held = [];
      try { for (;;) held.push(openSync('/dev/null', 'r')); } catch {}
      server.once('error', error => {
        for (const fd of held) closeSync(fd);
        console.log(error.code);
      });
      console.log('port', server.address().port);
    `);
    const [, port] = await child.printed(/port (\d+)/);
    const socket = await connectTo(Number(port)).catch(error => {
      throw new Error(`refused; the server printed:\n${child.output}`, { cause: error });
    });
    assert.equal(String(await within(collect(socket), 'to be served after all')), 'accepted');
    assert.match(child.output, /^EMFILE$/m);
    await child.stop();
  });

  it('no descriptor left for accept is told once, until a connection was accepted again', async function () {
    needs(this, process.platform === 'linux', 'descriptors are limited with prlimit of Linux');
    needsProgram(this, 'prlimit');
    const child = run(`
      import { execFileSync } from 'node:child_process';
      import { openSync, closeSync } from 'node:fs';
      import { setTimeout as sleep } from 'node:timers/promises';
      const server = createServer({ cert, key, io }, socket => socket.on('error', ignore).end('accepted'));
      await server.listen({ port: 0, host: '127.0.0.1' });
      const warnings = [];
      process.on('warning', ({ code }) => warnings.push(code));
      execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=64:64']);
      console.error('and standard error is open too: port', server.address().port);
      const held = [];
      for (const episode of [1, 2]) {
        while (server.connections > 0) await sleep(5);
        // A thread closes the descriptor of a connection that is over a moment later.
        for (let before = -1; held.length > before; await sleep(100)) {
          before = held.length;
          try { for (;;) held.push(openSync('/dev/null', 'r')); } catch {}
        }
        console.log('full', episode);
        while (warnings.length < episode) await sleep(5);
        await sleep(450);
        console.log('episode', episode, 'told', warnings.join());
        const served = new Promise(resolve => server.once('secureConnection', resolve));
        for (const fd of held.splice(0)) closeSync(fd);
        await served;
      }
      await server.close();
    `);
    const [, port] = await child.printed(/port (\d+)/);
    for (const [episode, told] of [
      [1, 'EMFILE'],
      [2, 'EMFILE,EMFILE'],
    ]) {
      await child.printed(new RegExp(`full ${episode}`));
      const client = connectTo(Number(port)).catch(error => error as Error);
      await child.printed(new RegExp(`episode ${episode} told .*\n`));
      assert.match(child.output, new RegExp(`^episode ${episode} told ${told}$`, 'm'));
      const socket = await within(client, 'to be served after all');
      if (socket instanceof Error) throw socket;
      assert.equal(String(await collect(socket)), 'accepted');
    }
    await endsWith(child, 0, 'the process');
  });

  it('no descriptor is left over after many connections, good and bad', async function () {
    let count = () => readdirSync('/proc/self/fd').length;
    try {
      count();
    } catch {
      needs(this, false, 'no /proc/self/fd');
      count = () => 0;
    }
    const round = async () => {
      const { port, server } = await startServer({}, socket => socket.resume().end('bye'));
      await Promise.all(
        Array.from({ length: 30 }, async (_, i) => {
          if (i % 3 === 0) await connectTo(port, { ca: certificates().otherCa.cert }).catch(() => {});
          else if (i % 3 === 1) await buffer(await connectTo(port));
          else (await connectTo(port)).destroy();
        }),
      );
      await server.close();
    };
    await round();
    const before = count();
    for (let i = 0; i < 5; i++) await round();
    await until(() => count() <= before, `descriptors: ${before} before, ${count()} after`);
  });

  it('no descriptor is left over when workers are terminated while clients arrive', async function () {
    if (!existsSync('/proc/self/fd')) needs(this, false, 'no /proc/self/fd');
    const child = run(`
      import { readdirSync, readlinkSync } from 'node:fs';
      import { connect as connectTcp } from 'node:net';
      import { Worker } from 'node:worker_threads';
      const sockets = () => readdirSync('/proc/self/fd').filter(fd => {
        try { return readlinkSync('/proc/self/fd/' + fd).startsWith('socket:'); } catch { return false; }
      }).length;
      async function terminated() {
        const worker = new Worker(${JSON.stringify(fileURLToPath(new URL('../../support/worker.js', import.meta.url)))}, {
          execArgv: [],
          workerData: { cert, key, ca, mode: 'busy-server' },
        });
        const port = await new Promise((resolve, reject) => worker.once('message', port => resolve(Number(port))).once('error', reject));
        const clients = new Set();
        let over = false;
        const arrive = () => {
          if (over) return;
          const client = connectTcp(port, '127.0.0.1', () => setImmediate(() => client.destroy()));
          clients.add(client);
          client.on('error', ignore).on('close', () => { clients.delete(client); setImmediate(arrive); });
        };
        for (let i = 0; i < 20; i++) arrive();
        await new Promise(resolve => setTimeout(resolve, 100));
        await worker.terminate();
        over = true;
        for (const client of clients) client.destroy();
      }
      const before = sockets();
      for (let i = 0; i < 4; i++) await Promise.all([terminated(), terminated(), terminated()]);
      for (let i = 0; i < 100 && sockets() > before; i++) await new Promise(resolve => setTimeout(resolve, 20));
      console.log(sockets() - before, 'left over');
    `);
    await endsWith(child, 0, 'the process');
    assert.match(child.output, /^0 left over$/m);
  });
});
