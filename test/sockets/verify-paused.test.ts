// What ends a process, a thread or an object while a handshake is paused in a callback: nobody will answer any more, and a
// job that is left paused would leak with its stack, or be resumed on another.
import assert from 'node:assert/strict';
import { endsWith, run } from '../support/scripts.ts';
import { startServer } from '../support/sockets.ts';

/** `asked()` resolves when so many questions wait; they are answered by calling what is in `answers`. */
const preamble = `
  const answers = [];
  const verify = () => new Promise(resolve => answers.push(resolve));
  const asked = async count => {
    while (answers.length < count) await new Promise(resolve => setTimeout(resolve, 2));
  };
`;

/** A pair in memory whose `side` waits. */
const inMemory = `
  function pair(side, version) {
    const identity = { cert, key, minVersion: version, maxVersion: version };
    const client = new Ssl(new SslContext({ ca, ...identity }), {
      side: 'client', servername: 'localhost', verify: side === 'client' ? verify : null,
    });
    const server = new Ssl(new SslContext({ ...identity, requestCert: side === 'server', verify }), { side: 'server' });
    const [a, b] = Bio.pair({ size: 1 << 16 });
    client.setBio(a, a);
    server.setBio(b, b);
    return { client, server };
  }
  async function pause(side, version) {
    const { client, server } = pair(side, version);
    const done = side === 'in SSL_read'
      ? Promise.all([client.connect(), server.accept()]).then(() => {
          client.read().catch(ignore);
          return server.requestClientCertificate();
        })
      : Promise.all([client.connect(), server.accept()]);
    done.catch(ignore);
    return { client, server, done };
  }
`;

const overSockets = `
  const server = createServer({ cert, key, ca, io, requestCert: true, verify }, socket => socket.on('error', ignore).end());
  server.on('tlsClientError', ignore);
  await server.listen({ port: 0, host: '127.0.0.1' });
  const reach = options => connect({ ...server.address(), ca, cert, key, io, servername: 'localhost', ...options });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    reach({ maxVersion }).then(socket => socket.on('error', ignore), ignore);
    reach({ maxVersion, verify }).catch(ignore);
  }
  // Two clients wait for themselves, and two for the server.
  await asked(4);
`;

const sides = ['client', 'server', 'in SSL_read'] as const;
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

const paused = `${preamble}${inMemory}
  const pauses = [];
  for (const side of ${JSON.stringify(sides)}) {
    for (const version of ${JSON.stringify(versions)}) pauses.push(await pause(side, version));
  }
  await asked(pauses.length);
`;

const endings = [
  ['process.exit()', 'process.exit(7);', 7],
  ['process.exit() in the function', 'answers[0](new Promise(() => process.exit(7)));', 7],
  ['an uncaught error', 'setImmediate(() => { throw new Error("thrown on purpose"); });', 1],
  ['a rejection that nobody handles', 'Promise.reject(new Error("thrown on purpose"));', 1],
  ['process.exit() right after an answer', 'for (const answer of answers) answer(true); process.exit(7);', 7],
] as const;

describe('a handshake that is paused in a callback', () => {
  for (const [how, code, expected] of endings) {
    it(`ends with the process, by ${how}, in memory`, async () => {
      await endsWith(run(`${paused}\n${code}`), expected, how);
    });

    it(`ends with the process, by ${how}, over sockets`, async () => {
      await endsWith(run(`${preamble}${overSockets}\n${code}`), expected, how);
    });
  }

  it('keeps the process alive by its socket, unless unref()', async () => {
    const { port } = await startServer();
    const waits = `${preamble}
      const socket = createConnection({ host: '127.0.0.1', port: ${port} }).pause();
      await new Promise(resolve => socket.once('connect', resolve));
      const ssl = new Ssl(new SslContext({ ca }), { side: 'client', servername: 'localhost', verify, io });
      ssl.setFd(socket._handle.fd);
      socket.destroy();
      ssl.connect().catch(ignore);
      await asked(1);
      console.log('paused');
    `;
    const alive = run(`import { createConnection } from 'node:net'; ${waits}`);
    await alive.printed(/paused/);
    const early = await Promise.race([alive.exited, new Promise(resolve => setTimeout(resolve, 150, 'alive'))]);
    assert.equal(early, 'alive', alive.output);
    await alive.stop();
    await endsWith(run(`import { createConnection } from 'node:net'; ${waits} ssl.unref();`), 0, 'after unref()');
  });

  it('ends with its worker, by terminate() and by itself', async () => {
    for (const how of ['terminate', 'exit'] as const) {
      const child = run(`
        import { Worker } from 'node:worker_threads';
        const source = \`import('system-tls').then(async ({ Bio, Ssl, SslContext, connect, createServer, IoPool }) => {
          const { parentPort, workerData: { cert, key, ca } } = await import('node:worker_threads');
          const ignore = () => {};
          const io = process.env.SYSTEM_TLS_TEST_IO === 'threads' ? new IoPool({ threads: 2 }) : undefined;
          ${paused.replaceAll('`', '\\`').replaceAll('${', '\\${')}
          parentPort.postMessage('paused');
          if (${how === 'exit'}) process.exit(0);
        })\`;
        for (let round = 0; round < 3; round++) {
          const workers = Array.from({ length: 2 }, () => new Worker(source, { eval: true, workerData: { cert, key, ca } }));
          await Promise.all(workers.map(worker => new Promise((resolve, reject) => {
            worker.once('error', reject);
            worker.once('message', () => ${how === 'exit'} || worker.terminate());
            worker.once('exit', resolve);
          })));
        }
        console.log('all ended');
      `);
      await endsWith(child, 0, how);
      assert.match(child.output, /all ended/);
    }
  });

  it('is not collected: who answers late is heard, though nobody else holds it', async () => {
    const child = run(
      `${preamble}${inMemory}
      let done = 0;
      async function begin(side, version) {
        (await pause(side, version)).done.then(() => done++);
      }
      let count = 0;
      for (let round = 0; round < 5; round++) {
        for (const side of ${JSON.stringify(sides)}) {
          for (const version of ${JSON.stringify(versions)}) await begin(side, version), count++;
        }
      }
      await asked(count);
      for (let i = 0; i < 10; i++) { await new Promise(resolve => setTimeout(resolve, 5)); globalThis.gc(); }
      for (const answer of answers) answer(true);
      while (done < count) await new Promise(resolve => setTimeout(resolve, 2));
      console.log(done);
      process.exit(0);`,
      ['--expose-gc'],
    );
    await endsWith(child, 0, 'the process');
    assert.equal(child.output.trim(), '30');
  });

  it('that is closed is freed with its stack, before it is answered or after', async () => {
    const child = run(
      `${preamble}${inMemory}
      let freed = 0, made = 0;
      const registry = new FinalizationRegistry(() => freed++);
      async function abandon(side, version, answered) {
        const before = answers.length;
        const { client, server, done } = await pause(side, version);
        registry.register(client); registry.register(server); made += 2;
        await asked(before + 1);
        if (answered) answers.at(-1)(true);
        client.close();
        server.close();
        await done.catch(ignore);
      }
      async function round() {
        for (let i = 0; i < 60; i++) {
          await abandon(${JSON.stringify(sides)}[i % 3], ${JSON.stringify(versions)}[i % 2], i % 4 === 0);
        }
        answers.length = 0;
        for (let i = 0; i < 10; i++) { await new Promise(resolve => setTimeout(resolve, 5)); globalThis.gc(); }
      }
      for (let i = 0; i < 3; i++) await round();
      const before = process.memoryUsage().rss;
      for (let i = 0; i < 7; i++) await round();
      console.log(JSON.stringify({ made, freed, growth: (process.memoryUsage().rss - before) >> 20 }));`,
      ['--expose-gc'],
    );
    await endsWith(child, 0, 'the process');
    const { made, freed, growth } = JSON.parse(child.output) as Record<'made' | 'freed' | 'growth', number>;
    assert.ok(freed > made * 0.95, `${freed} of ${made} were freed`);
    // About 4 without a leak.
    assert.ok(growth < 10, `${growth} MiB more after 420 more handshakes, of which 280 had a stack of 41 KB`);
  });
});
