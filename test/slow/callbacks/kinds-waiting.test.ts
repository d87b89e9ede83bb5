// What ends a process or a worker while its handshakes wait for every function of test/support/callback-kinds.ts.
import assert from 'node:assert/strict';
import { asking, pausedEndings } from '../../support/paused.ts';
import { endsWith, run } from '../../support/scripts.ts';

/** A pair in memory for each function, in each version; all of them wait for `verify` of `asking`, whatever it is called. */
const waiting = `${asking}
  const own = { cert, key };
  const kinds = [
    ['onClientHello', { onClientHello: verify }, {}],
    ['onServerName', { onServerName: verify }, {}],
    ['onALPN', { onALPN: verify }, { ALPNProtocols: ['a'] }],
    ['onCertificate', { onCertificate: verify }, {}],
    ['onStatusRequest', { onStatusRequest: verify }, { requestOCSP: true }],
    ['verify', { requestCert: true, ca, verify }, own],
    ['onCertificate of a client', { requestCert: true, ca }, { onCertificate: verify }],
    ['onStatus', {}, { onStatus: verify }],
    ['verify of a client', {}, { verify }],
    ['onPsk', { onPsk: verify }, { psk: { identity: 'one', key: Buffer.alloc(32) } }],
    ['onPsk of a client', {}, { onPsk: verify }],
  ];
  const contexts = {};
  function begin([name, forServer, forClient], version) {
    const both = { minVersion: version, maxVersion: version };
    contexts[name + version] ??= {
      server: new SslContext({ ...own, ...both, ...forServer }),
      client: new SslContext({ ca, ...both, ...forClient }),
    };
    const server = new Ssl(contexts[name + version].server, { side: 'server' });
    const client = new Ssl(contexts[name + version].client, { side: 'client', servername: 'localhost' });
    const [a, b] = Bio.pair({ size: 1 << 16 });
    client.setBio(a, a);
    server.setBio(b, b);
    const done = Promise.all([client.connect(), server.accept()]);
    done.catch(ignore);
    return { client, server, done };
  }
  function beginAll() {
    return kinds.flatMap(kind => [begin(kind, 'TLSv1.2'), begin(kind, 'TLSv1.3')]);
  }
`;
const all = `${waiting}
  const begun = beginAll();
  await asked(begun.length);
`;

describe('handshakes that wait for every function', () => {
  for (const [how, code, expected] of pausedEndings) {
    it(`end with the process, by ${how}`, async () => {
      await endsWith(run(`${all}\n${code}`), expected, how);
    });
  }

  it('end with their worker, by terminate() and by itself', async () => {
    for (const how of ['terminate', 'exit'] as const) {
      const child = run(`
        import { Worker } from 'node:worker_threads';
        const source = \`import('system-tls').then(async ({ Bio, Ssl, SslContext }) => {
          const { parentPort, workerData: { cert, key, ca } } = await import('node:worker_threads');
          const ignore = () => {};
          ${all.replaceAll('`', '\\`').replaceAll('${', '\\${')}
          parentPort.postMessage('waiting');
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

  it('that are closed are freed, before they are answered or after', async () => {
    const child = run(
      `${waiting}
      let freed = 0, made = 0;
      const registry = new FinalizationRegistry(() => freed++);
      async function round(begin, answered) {
        const begun = begin();
        await asked(begun.length);
        for (const { client, server } of begun) {
          registry.register(client);
          registry.register(server);
          made += 2;
        }
        if (answered) for (const answer of answers) answer(null);
        for (const { client, server } of begun) client.close(), server.close();
        await Promise.allSettled(begun.map(({ done }) => done));
        answers.length = 0;
      }
      async function rounds(begin, count) {
        for (let i = 0; i < count; i++) await round(begin, i % 2 === 0);
        for (let i = 0; i < 10; i++) { await new Promise(resolve => setTimeout(resolve, 5)); globalThis.gc(); }
      }
      await rounds(beginAll, 6);
      // Of all that paused in jobs, the one that no other test has.
      const inJobs = () => Array.from({ length: 60 }, () => begin(['with onStatus', {}, { onStatus: verify }], 'TLSv1.3'));
      await rounds(inJobs, 4);
      const before = process.memoryUsage().rss;
      await rounds(inJobs, 12);
      console.log(JSON.stringify({ made, freed, growth: (process.memoryUsage().rss - before) >> 20 }));`,
      ['--expose-gc'],
    );
    await endsWith(child, 0, 'the process');
    const { made, freed, growth } = JSON.parse(child.output) as Record<'made' | 'freed' | 'growth', number>;
    assert.ok(freed > made * 0.9, `${freed} of ${made} were freed`);
    // 720 stacks of 41 KB would be 29 MB.
    assert.ok(growth < 20, `${growth} MB`);
  });
});
