import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Ssl } from 'system-tls';
import { readAtLeast } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { connectedPair, makePair, tls12, tls13 } from '../../support/memory-pair.ts';
import { handshakeType, trace } from '../../support/trace.ts';
import { turns, within } from '../../support/wait.ts';

describe('events', () => {
  it('keylog: lines in the NSS format, the same on both sides', async () => {
    for (const both of [tls12, tls13]) {
      const pair = makePair({ both });
      const [client, server] = [trace(pair.client), trace(pair.server)];
      await pair.handshake();
      assert.ok(client.secrets.length > 0);
      for (const line of client.secrets) assert.match(line, /^[A-Z0-9_]+ [0-9a-f]{64} [0-9a-f]+$/);
      assert.deepEqual([...client.secrets].sort(), [...server.secrets].sort());
    }
  });

  it('message: both directions, in order', async () => {
    const pair = makePair({ both: tls13 });
    const client = trace(pair.client);
    await pair.handshake();
    const { clientHello, serverHello, finished } = handshakeType;
    const order = client.messages
      .map(({ type }) => type)
      .filter(type => [clientHello, serverHello, finished].includes(type as never));
    assert.deepEqual(order, [clientHello, serverHello, finished, finished]);
    assert.equal(client.messages[0]?.sent, true);
  });

  it('message: what it carries is the listener’s own to keep', async () => {
    const pair = makePair({ both: tls13 });
    const kept: Buffer[] = [];
    pair.client.on('message', ({ data }) => kept.push(data));
    await pair.handshake();
    const copies = kept.map(data => Buffer.from(data));
    for (let i = 0; i < 50; i++) {
      await pair.client.write(Buffer.alloc(1000, i));
      await pair.pump();
      await pair.server.read();
    }
    assert.deepEqual(kept.slice(0, copies.length), copies);
  });

  it('session: each ticket of TLS 1.3', async () => {
    const pair = makePair({ both: tls13 });
    let sessions = 0;
    pair.client.on('session', session => {
      assert.ok(session.resumable);
      sessions++;
    });
    const read = pair.client.read();
    await pair.handshake();
    await pair.server.write(Buffer.from('x'));
    await pair.during(read);
    assert.equal(sessions, 2);
  });

  it('info and alert: states by name, close_notify seen by both', async () => {
    const pair = makePair();
    const states: string[] = [];
    const alerts: string[] = [];
    pair.client.on('info', info => states.push(JSON.stringify(info)));
    pair.server.on('alert', alert => alerts.push(`${alert.direction} ${alert.name}`));
    pair.client.on('alert', alert => alerts.push(`${alert.direction} ${alert.name}`));
    await pair.handshake();
    assert.ok(states.length > 3);
    await pair.client.shutdown();
    assert.equal(await pair.during(pair.server.read()), null);
    await turns(2);
    assert.deepEqual(alerts.sort(), ['received close_notify', 'sent close_notify']);
  });

  it('listeners that come after others have gone hear again', async () => {
    const pair = makePair({ both: tls13 });
    const first = () => {};
    pair.client.on('keylog', first);
    pair.client.off('keylog', first);
    await pair.handshake();
    const lines: string[] = [];
    pair.client.on('keylog', line => lines.push(String(line)));
    await pair.client.keyUpdate();
    await turns(2);
    assert.equal(lines.length, 1);
  });

  describe('operations started in a handler', () => {
    const inside: ReadonlyArray<readonly [name: string, start: (ssl: Ssl) => Promise<unknown>]> = [
      ['write', ssl => ssl.write(Buffer.from('from a handler'))],
      ['keyUpdate', ssl => ssl.keyUpdate()],
      ['read, withdrawn', ssl => ssl.read({ timeout: 1 }).catch(() => {})],
      ['shutdown', ssl => ssl.shutdown()],
    ];
    for (const event of ['keylog', 'message', 'info', 'session', 'keyUpdate'] as const) {
      for (const [name, start] of inside) {
        it(`${name} in '${event}' is queued like any other`, async () => {
          const pair = makePair({ both: tls13 });
          let started: Promise<unknown> | undefined;
          pair.client.on(event, () => {
            started ??= start(pair.client);
          });
          const read = pair.client.read();
          await pair.handshake();
          const atServer = pair.server.read();
          await pair.server.keyUpdate();
          await pair.server.write(Buffer.from('x'));
          assert.equal(String(await pair.during(read)), 'x');
          assert.ok(started, `'${event}' came`);
          await pair.during(started);
          if (name === 'write') assert.equal(String(await pair.during(atServer)), 'from a handler');
          if (name === 'shutdown') assert.equal(await pair.during(atServer), null);
        });
      }

      it(`close in '${event}'`, async () => {
        const pair = makePair({ both: tls13 });
        let came = false;
        pair.client.on(event, () => {
          came = true;
          pair.client.close();
        });
        const ends = [pair.client.connect(), pair.server.accept(), pair.client.read()].map(each =>
          each.catch(() => {}),
        );
        pair.flow();
        await turns(30);
        void pair.server.keyUpdate().catch(() => {});
        await turns(10);
        assert.ok(came, `'${event}' came`);
        pair.close();
        await within(Promise.all(ends), 'all to end');
      });
    }
  });

  it('AsyncLocalStorage: a handler runs in the context in which the connection was made', async () => {
    const storage = new AsyncLocalStorage<string>();
    const pair = storage.run('the maker', () => makePair({ both: tls13 }));
    const seen = new Set<string | undefined>();
    pair.client.on('keylog', () => seen.add(storage.getStore()));
    await storage.run('somebody else', () => pair.handshake());
    assert.deepEqual([...seen], ['the maker']);
    const after = storage.run('me', async () => {
      await pair.client.write(Buffer.from('x'));
      return storage.getStore();
    });
    assert.equal(await after, 'me');
  });

  // A thrown error is an uncaught one: that is for a process of its own.
  for (const [what, value] of [
    ['an Error', 'new Error("thrown on purpose")'],
    ['null', 'null'],
    ['undefined', 'undefined'],
    ['a symbol', 'Symbol("odd")'],
  ] as const) {
    it(`a handler that throws ${what} loses nothing but itself`, async () => {
      const { server, ca } = certificates();
      const child = nodeScript(
        `
        import { readFileSync } from 'node:fs';
        import { Bio, Ssl, SslContext } from 'system-tls';
        const [cert, key, ca] = process.argv.slice(-3).map(file => readFileSync(file, 'utf8'));
        let uncaught = 0, lines = 0, updates = 0;
        process.on('uncaughtException', () => uncaught++);
        const client = new Ssl(new SslContext({ ca }), { side: 'client', servername: 'localhost' });
        const server = new Ssl(new SslContext({ cert, key }), { side: 'server' });
        const [a, b] = Bio.pair({ size: 1 << 16 });
        client.setBio(a, a);
        server.setBio(b, b);
        client.on('keylog', () => { lines++; throw ${value}; });
        client.on('keyUpdate', () => { updates++; throw ${value}; });
        await Promise.all([client.connect(), server.accept()]);
        const read = client.read();
        await server.keyUpdate();
        await server.write(Buffer.from('after all'));
        const text = String(await read);
        await new Promise(resolve => setTimeout(resolve, 20));
        console.log(JSON.stringify({ text, lines, updates, uncaught }));
        process.exit(0);
      `,
        { args: [server.certFile, server.keyFile, ca.certFile] },
      );
      const { code } = await child.exited;
      assert.equal(code, 0, child.output);
      const seen = JSON.parse(child.output.trim().split('\n').at(-1) ?? '') as Record<string, number | string>;
      assert.equal(seen['text'], 'after all');
      assert.ok((seen['lines'] as number) >= 5, child.output);
      assert.equal(seen['updates'], 1);
      assert.equal(seen['uncaught'], (seen['lines'] as number) + 1);
    });
  }

  it('nothing is heard after close', async () => {
    const pair = await connectedPair({ both: tls13 });
    const client = trace(pair.client);
    const reading = readAtLeast(pair.server, 1);
    await pair.server.keyUpdate();
    await pair.client.write(Buffer.from('x'));
    await pair.during(reading);
    pair.client.close();
    const count = client.messages.length;
    await pair.pump();
    assert.equal(client.messages.length, count);
    assert.deepEqual(client.events, ['close']);
  });
});
