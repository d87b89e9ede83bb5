// What the end of a process, or of all references, does to connections in memory. test/slow-sockets/process/ has servers and
// their clients.
import assert from 'node:assert/strict';
import { endings, endsWith, inTurn, prefixes, run, type Step } from '../../support/scripts.ts';

/** The life of a pair in memory, step by step; each may be the last. */
const memorySteps: readonly Step[] = [
  ['load', ''],
  [
    'contexts',
    'const contexts = [new SslContext({ ca, maxVersion: VERSION }), new SslContext({ cert, key, maxVersion: VERSION, clientRenegotiation: true })];',
  ],
  [
    'connections',
    `const client = new Ssl(contexts[0], { side: 'client', servername: 'localhost' }), server = new Ssl(contexts[1], { side: 'server' });`,
  ],
  ['transport', 'const [a, b] = Bio.pair({ size: 1 << 16 }); client.setBio(a, a); server.setBio(b, b);'],
  ['events', `for (const name of ['keylog', 'message', 'info', 'session']) client.on(name, ignore);`],
  ['handshake begun', 'const connecting = client.connect(); connecting.catch(ignore);'],
  ['handshake done', 'await Promise.all([connecting, server.accept()]);'],
  ['read pending', 'client.read().catch(ignore);'],
  ['write pending', 'client.write(Buffer.alloc(8 << 20)).catch(ignore);'],
  ['key update or renegotiation', 'server[RENEW]().catch(ignore);'],
  ['shutdown', 'server.shutdown({ wait: true }).catch(ignore);'],
  ['one side closed', 'client.close();'],
];

describe('process, in memory', () => {
  for (const [how, ending, code] of endings) {
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      it(`ends by ${how} at each step of a connection in memory, ${version}`, async () => {
        // Up to the handshake the version makes no difference.
        const first = version === 'TLSv1.2' ? 6 : 0;
        await inTurn(prefixes(memorySteps).slice(first), async ({ name, code: steps }) => {
          const text = steps
            .replaceAll('VERSION', JSON.stringify(version))
            .replaceAll('RENEW', JSON.stringify(version === 'TLSv1.2' ? 'renegotiate' : 'keyUpdate'));
          await endsWith(run(`${text}\n${ending}`), code, `after ${name}`);
        });
      });
    }
  }

  it('ends by itself when nothing is awaited any more, whatever was left unclosed', async () => {
    const idle = prefixes(memorySteps).filter(({ name }) =>
      ['load', 'contexts', 'connections', 'transport', 'events', 'handshake done'].includes(name),
    );
    await inTurn(idle, async ({ name, code }) => {
      const text = code.replaceAll('VERSION', '"TLSv1.3"');
      await endsWith(run(text), 0, `after ${name}`);
    });
  });

  describe('garbage collection', () => {
    it('of abandoned handles in each state frees them', async () => {
      const child = run(
        `
        const contexts = [new SslContext({ ca }), new SslContext({ cert, key })];
        let freed = 0, made = 0;
        const registry = new FinalizationRegistry(() => freed++);
        async function abandon(state) {
          const client = new Ssl(contexts[0], { side: 'client', servername: 'localhost' });
          const server = new Ssl(contexts[1], { side: 'server' });
          registry.register(client); registry.register(server); made += 2;
          if (state > 0) { const [a, b] = Bio.pair({ size: 1 << 14 }); client.setBio(a, a); server.setBio(b, b); }
          if (state > 1) await Promise.all([client.connect(), server.accept()]);
          if (state > 2) { const read = server.read(); await client.write(Buffer.from('x')); await read; }
          if (state > 3) await client.shutdown();
          if (state > 4) client.close();
        }
        async function round() {
          for (let i = 0; i < 120; i++) await abandon(i % 6);
          for (let i = 0; i < 10; i++) { await new Promise(resolve => setTimeout(resolve, 5)); globalThis.gc(); }
        }
        await round();
        await round();
        const before = process.memoryUsage().rss;
        for (let i = 0; i < 6; i++) await round();
        console.log(JSON.stringify({ made, freed, growth: (process.memoryUsage().rss - before) >> 20 }));
        `,
        ['--expose-gc'],
      );
      await endsWith(child, 0, 'the process');
      const { made, freed, growth } = JSON.parse(child.output) as Record<'made' | 'freed' | 'growth', number>;
      assert.ok(freed > made * 0.95, `${freed} of ${made} were freed`);
      assert.ok(growth < 20, `${growth} MiB more after 720 more connections`);
    });

    it('does not take what is at work', async () => {
      const child = run(
        `
        let done = 0;
        function begin(i) {
          const client = new Ssl(new SslContext({ ca }), { side: 'client', servername: 'localhost' });
          const server = new Ssl(new SslContext({ cert, key }), { side: 'server' });
          const [a, b] = Bio.pair({ size: 1 << 14 });
          client.setBio(a, a); server.setBio(b, b);
          const all = Buffer.alloc(1 << 18, i);
          let count = 0;
          const read = chunk => { count += chunk.length; return count < all.length ? server.read().then(read) : done++; };
          client.write(all);
          return server.read().then(read);
        }
        const work = Array.from({ length: 30 }, (_, i) => begin(i));
        const timer = setInterval(() => globalThis.gc(), 1);
        await Promise.all(work);
        clearInterval(timer);
        console.log('done', done);
        `,
        ['--expose-gc'],
      );
      await endsWith(child, 0, 'the process');
      assert.match(child.output, /^done 30$/m);
    });

    it('of contexts and sessions while connections use them', async () => {
      const child = run(
        `
        const make = () => {
          const client = new Ssl(new SslContext({ ca }), { side: 'client', servername: 'localhost' });
          const server = new Ssl(new SslContext({ cert, key }), { side: 'server' });
          const [a, b] = Bio.pair({ size: 1 << 14 });
          client.setBio(a, a); server.setBio(b, b);
          return { client, server };
        };
        const { client, server } = make();
        for (let i = 0; i < 5; i++) { globalThis.gc(); await new Promise(resolve => setTimeout(resolve, 2)); }
        const [chunk] = await Promise.all([server.read(), client.write(Buffer.from('x'))]);
        client.session; globalThis.gc();
        console.log('got', String(chunk), client.session !== null);
        `,
        ['--expose-gc'],
      );
      await endsWith(child, 0, 'the process');
      assert.match(child.output, /^got x true$/m);
    });
  });
});
