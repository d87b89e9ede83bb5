// What ends a process, a thread or an object while a handshake in memory is paused in a callback: nobody will answer any more, and
// a job that is left paused would leak with its stack, or be resumed on another.
import assert from 'node:assert/strict';
import { asking, pausedEndings } from '../../support/paused.ts';
import { endsWith, run } from '../../support/scripts.ts';

/** A pair in memory whose `side` waits. */
const inMemory = `
  const contexts = {};
  function contextsOf(side, version) {
    const identity = { cert, key, minVersion: version, maxVersion: version };
    contexts[side + version] ??= {
      client: new SslContext({ ca, ...identity }),
      server: new SslContext({ ...identity, requestCert: side === 'server', verify }),
    };
    return contexts[side + version];
  }
  function pair(side, version) {
    const made = contextsOf(side, version);
    const client = new Ssl(made.client, { side: 'client', servername: 'localhost', verify: side === 'client' ? verify : null });
    const server = new Ssl(made.server, { side: 'server' });
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

const sides = ['client', 'server', 'in SSL_read'] as const;
const versions = ['TLSv1.2', 'TLSv1.3'] as const;

const paused = `${asking}${inMemory}
  const pauses = [];
  for (const side of ${JSON.stringify(sides)}) {
    for (const version of ${JSON.stringify(versions)}) pauses.push(await pause(side, version));
  }
  await asked(pauses.length);
`;

describe('a handshake in memory that is paused in a callback', () => {
  for (const [how, code, expected] of pausedEndings) {
    it(`ends with the process, by ${how}`, async () => {
      await endsWith(run(`${paused}\n${code}`), expected, how);
    });
  }

  it('ends with its worker, by terminate() and by itself', async () => {
    for (const how of ['terminate', 'exit'] as const) {
      const child = run(`
        import { Worker } from 'node:worker_threads';
        const source = \`import('system-tls').then(async ({ Bio, Ssl, SslContext }) => {
          const { parentPort, workerData: { cert, key, ca } } = await import('node:worker_threads');
          const ignore = () => {};
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
      `${asking}${inMemory}
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
      `${asking}${inMemory}
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
