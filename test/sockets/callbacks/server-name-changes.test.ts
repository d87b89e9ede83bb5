// Server names that are added, replaced and removed while connections come and go: each keeps what it began with.
import assert from 'node:assert/strict';
import { type Server, SslContext, type SslContextOptions, type TlsSocket } from 'system-tls';
import { certificates, issue } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { codes } from '../../support/codes.ts';
import { thrown } from '../../support/errors.ts';
import { tls12, tls13 } from '../../support/memory-pair.ts';
import { connectTo, type Running, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

const { server: own } = certificates();
const letters = ['a', 'b', 'c'] as const;

/** Contexts whose certificates tell them apart. */
function contexts(more: SslContextOptions = {}): SslContext[] {
  return letters.map(letter => {
    const { cert, key } = issue(`change-${letter}`, { subject: `/CN=${letter}`, names: `DNS:${letter}.example` });
    return new SslContext({ cert, key, ...more });
  });
}

/** Both ends of a connection that sends this name. */
async function under(running: Running, servername: string): Promise<{ client: TlsSocket; server: TlsSocket }> {
  const client = await connectTo(running.port, { servername, rejectUnauthorized: false });
  return { client, server: await running.next() };
}

/** The context of a connection that sends this name, on both sides the same; undefined: that of no name. */
async function contextUnder(running: Running, servername: string, known: readonly SslContext[]) {
  const { client, server } = await under(running, servername);
  const { context } = server.ssl;
  assert.equal(client.ssl.peerCertificate?.subject, context.certificate?.subject);
  client.destroy();
  return known.includes(context) ? context : undefined;
}

/** Changes between two connections, several at times. */
function changeSome(
  server: Server,
  expected: Map<string, SslContext>,
  known: readonly SslContext[],
  below: Below,
): void {
  for (let changes = below(4); changes > 0; changes--) change(server, expected, known, below);
}

/** Some change of some name, made in the server and in what it should have. */
function change(server: Server, expected: Map<string, SslContext>, known: readonly SslContext[], below: Below): void {
  const [name = ''] = pick(['x.example', 'y.example', '*.example', 'z.x.example', '*.x.example'], below);
  const [context] = pick(known, below);
  if (below(3) > 0 && context !== undefined) {
    server.addServerName(name, context);
    expected.set(name, context);
  } else {
    assert.equal(server.removeServerName(name), expected.delete(name));
  }
}

function lookUp(expected: ReadonlyMap<string, SslContext>, name: string): SslContext | undefined {
  return expected.get(name) ?? expected.get(name.replace(/^[^.]+/, '*'));
}

type Below = (limit: number) => number;
const pick = <T>(list: readonly T[], below: Below): T[] => list.slice(below(list.length)).slice(0, 1);

function numbers(seed: number): Below {
  let state = seed;
  return limit => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
}

describe('server names that change', () => {
  for (const seed of [1, 2]) {
    it(`are those of a map at every moment, whatever came before, seed ${seed}`, async () => {
      const below = numbers(seed);
      const known = contexts();
      const running = await startServer();
      const expected = new Map<string, SslContext>();
      const kept: Array<{ ssl: TlsSocket['ssl']; context: SslContext }> = [];
      for (let round = 0; round < 30; round++) {
        changeSome(running.server, expected, known, below);
        if (below(8) === 0) running.server.setSecureContext({ cert: own.cert, key: own.key });
        const name = ['x.example', 'y.example', 'w.example', 'z.x.example', 'w.x.example', 'none'][below(6)] ?? '';
        const context = lookUp(expected, name);
        if (below(3) > 0) {
          assert.equal(await contextUnder(running, name, known), context, name);
        } else {
          const { server } = await under(running, name);
          kept.push({ ssl: server.ssl, context: context ?? server.ssl.context });
        }
        for (const each of kept) assert.equal(each.ssl.context, each.context);
      }
      assert.ok(kept.length > 4);
    });
  }

  it('leave a context that has another name, or several times the same one, in place', async () => {
    const [a, b] = contexts() as [SslContext, SslContext, SslContext];
    const running = await startServer({ serverNames: { 'x.example': a, 'y.example': a } });
    const { server: first } = await under(running, 'x.example');
    running.server.removeServerName('x.example');
    running.server.addServerName('y.example', a);
    const { server: second } = await under(running, 'y.example');
    running.server.addServerName('y.example', b);
    running.server.addServerName('y.example', a);
    running.server.removeServerName('y.example');
    assert.equal(await contextUnder(running, 'y.example', [a, b]), undefined);
    assert.deepEqual([first.ssl.context === a, second.ssl.context === a], [true, true]);
  });

  it('bring the verification of a context that is gone along, for who began with it', async () => {
    const { ca, client: identity } = certificates();
    const asked: string[] = [];
    let go = () => {};
    const verify = (name: string) => (): Promise<boolean> => {
      asked.push(name);
      return new Promise(resolve => {
        go = () => resolve(true);
      });
    };
    const strict = (name: string) => ({ ca: ca.cert, requestCert: true, verify: verify(name) });
    for (const both of [tls12, tls13]) {
      const [, old = new SslContext()] = contexts({ ...both, ...strict('old') });
      const [fresh = new SslContext()] = contexts({ ...both, ...strict('fresh') });
      const running = await startServer({ ...both, serverNames: { 'x.example': old } });
      const { cert, key } = identity;
      const connecting = connectTo(running.port, {
        ...both,
        servername: 'x.example',
        rejectUnauthorized: false,
        cert,
        key,
      });
      await until(() => asked.length > 0, 'the question');
      running.server.addServerName('x.example', fresh);
      assert.equal(await contextUnder(running, 'other', [old, fresh]), undefined);
      go();
      await connecting;
      assert.equal((await running.next()).ssl.context, old);
      assert.deepEqual(asked.splice(0), ['old']);
    }
  });

  it('are not lost by a setSecureContext() that is refused', async () => {
    const known = contexts();
    const [a, b, c] = known as [SslContext, SslContext, SslContext];
    const running = await startServer({ serverNames: { 'x.example': a, 'y.example': b } });
    running.server.addServerName('z.example', c);
    running.server.removeServerName('y.example');
    // The contexts of these names do not say which groups they have.
    const refused = () => running.server.setSecureContext({ cert: own.cert, key: own.key, ecdhCurve: 'P-256' });
    thrown(refused, codes.wrongValue);
    const found = [];
    for (const name of ['x.example', 'y.example', 'z.example']) found.push(await contextUnder(running, name, known));
    assert.deepEqual(
      found.map(each => each && known.indexOf(each)),
      [0, undefined, 2],
    );
    // A name that is refused leaves those that wait for the next connection.
    running.server.addServerName('y.example', b);
    thrown(() => running.server.addServerName('x.example', 7 as never), codes.wrongType);
    assert.equal(await contextUnder(running, 'y.example', known), b);
    assert.equal(await contextUnder(running, 'x.example', known), a);
  });

  it('go to none and come back: what an unknown name gets is decided each time', async () => {
    const [a] = contexts() as [SslContext, SslContext, SslContext];
    const running = await startServer();
    for (let round = 0; round < 3; round++) {
      assert.equal(await contextUnder(running, 'x.example', [a]), undefined);
      running.server.addServerName('x.example', a);
      assert.equal(await contextUnder(running, 'x.example', [a]), a);
      running.server.removeServerName('x.example');
    }
  });

  /** Replaces one name a thousand times; prints how many contexts are left, and which of the kept connections' are right. */
  const thousand = (keepEach: number) => `
    import { once } from 'node:events';
    import { readFileSync } from 'node:fs';
    import { connect, createServer, SslContext } from 'system-tls';
    const [certFile, keyFile] = process.argv.slice(1);
    const [cert, key] = [readFileSync(certFile), readFileSync(keyFile)];
    const seen = [];
    const make = () => {
      const context = new SslContext({ cert, key });
      seen.push(new WeakRef(context));
      return context;
    };
    const server = createServer({ cert, key, serverNames: { 'x.example': make() } });
    await server.listen({ port: 0, host: '127.0.0.1' });
    const { port } = server.address();
    const kept = [];
    async function visit(keep) {
      const arrival = once(server, 'secureConnection');
      const client = await connect({ host: '127.0.0.1', port, servername: 'x.example', rejectUnauthorized: false });
      const [socket] = await arrival;
      for (const end of [client, socket]) end.on('error', () => {});
      if (keep) kept.push({ client, socket, number: seen.length - 1 });
      else await Promise.all([client, socket].map(end => new Promise(done => end.once('close', done).destroy())));
    }
    await visit(true);
    for (let n = 1; n <= 1000; n++) {
      server.addServerName('x.example', make());
      if (n % 10 === 0) await visit(n % ${keepEach} === 0);
    }
    const living = () => seen.filter(each => each.deref() !== undefined).length;
    for (let i = 0; i < 20 && living() > kept.length + 1; i++) {
      await new Promise(resolve => setTimeout(resolve, 10));
      globalThis.gc();
    }
    const right = kept.filter(({ socket, number }) => socket.ssl.context === seen[number].deref());
    console.log(JSON.stringify({ kept: kept.length, right: right.length, living: living() }));
    process.exit(0);`;

  async function afterThousand(keepEach: number): Promise<{ kept: number; right: number; living: number }> {
    const child = nodeScript(thousand(keepEach), { flags: ['--expose-gc'], args: [own.certFile, own.keyFile] });
    const exit = await within(child.exited, 'the end of the child');
    assert.deepEqual(exit, { code: 0, signal: null }, child.output);
    return JSON.parse(child.output) as { kept: number; right: number; living: number };
  }

  it('a thousand times leave the contexts that are in use: the newest, and that of who began before', async () => {
    const { kept, right, living } = await afterThousand(Number.POSITIVE_INFINITY);
    assert.deepEqual([kept, right], [1, 1]);
    assert.ok(living <= 3, `${living} contexts`);
  });

  it('a thousand times leave each connection its own, however many keep one', async () => {
    const { kept, right, living } = await afterThousand(50);
    assert.deepEqual([kept, right], [21, 21]);
    assert.ok(living >= 21 && living <= 23, `${living} contexts`);
  });
});
