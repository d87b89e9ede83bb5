// What must hold beside the bytes of a TlsSocket: who the peer is by now, how transports end, whose listeners are whose.
import assert from 'node:assert/strict';
import { type EventEmitter, getEventListeners, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { OpenSslError, Ssl, TlsSocket } from 'system-tls';
import { pattern } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext, connectedPair, makePair, tls12, tls13 } from '../../support/memory-pair.ts';
import { collect, connectTo, socketPair, startServer } from '../../support/sockets.ts';
import { sleep, until, watch, within } from '../../support/wait.ts';

describe('what a TlsSocket says of its peer', () => {
  for (const [version, both] of [
    ['TLS 1.2', tls12],
    ['TLS 1.3', tls13],
  ] as const) {
    it(`follows a client authentication that was begun below it: ${version}`, async () => {
      const { cert, key } = certificates().client;
      const ca = certificates().ca.cert;
      const { client, server } = await socketPair({ ...both, ca }, { ...both, cert, key });
      client.resume();
      server.resume();
      assert.equal(server.authorized, false);
      assert.deepEqual(server.getPeerCertificate(), {});
      await within(server.ssl.requestClientCertificate(), 'the certificate');
      assert.equal(server.authorized, true);
      assert.equal(server.ssl.peerCertificate, server.ssl.peerCertificate, 'the same object as long as it is the same');
      assert.equal(server.getPeerX509Certificate()?.subject, 'CN=client');
      server.destroy();
      assert.equal(server.authorized, true, 'what was true last');
    });
  }

  it('follows a renegotiation of the peer', async () => {
    const { cert, key } = certificates().client;
    const forServer = { ...tls12, ca: certificates().ca.cert, clientRenegotiation: true };
    const { client, server } = await socketPair(forServer, { ...tls12, cert, key });
    client.resume();
    server.resume();
    assert.equal(server.authorized, false);
    server.ssl.setVerify({ requestCert: true });
    await within(client.renegotiate(), 'the renegotiation');
    assert.equal(server.authorized, true);
    assert.equal(server.ssl.peerCertificateChain[0]?.subject, 'CN=client');
  });
});

describe('a backlog of writes', () => {
  it('is not copied as a whole', async () => {
    const { client, server } = await socketPair();
    const block = pattern(100_000);
    const before = process.memoryUsage().rss;
    for (let i = 0; i < 2000; i++) client.write(block);
    await sleep(100);
    const grown = process.memoryUsage().rss - before;
    assert.ok(grown < 100 << 20, `${grown >> 20} MiB more`);
    let got = 0;
    server.on('data', (chunk: Buffer) => {
      got += chunk.length;
    });
    client.end();
    await within(once(server, 'end'), 'the end');
    assert.equal(got, 2000 * block.length);
    assert.equal(client.bytesWritten, 2000 * block.length);
  });

  it('arrives in order, whatever the sizes, and each callback comes once', async () => {
    const { client, server } = await socketPair();
    const got = collect(server);
    const sizes = Array.from({ length: 3000 }, (_, i) => [0, 1, 1000, 65_535, 65_536, 200_000][(i * 7) % 6] as number);
    const chunks = sizes.slice(0, 600).map((size, i) => pattern(size, i));
    // Many small ones, which are one group after the other that is taken at once.
    chunks.push(...Array.from({ length: 20_000 }, (_, i) => pattern(100, i)));
    const order: number[] = [];
    client.cork();
    for (const [i, chunk] of chunks.entries()) client.write(chunk, () => order.push(i));
    client.uncork();
    client.end();
    assert.ok((await within(got, 'the data')).equals(Buffer.concat(chunks)));
    assert.deepEqual(order, [...chunks.keys()]);
  });

  it('is given up at the first error', async () => {
    const { client, server } = await socketPair();
    const outcomes: unknown[] = [];
    for (let i = 0; i < 500; i++) client.write(pattern(100_000), error => outcomes.push(error));
    await sleep(20);
    server.destroy();
    client.resume();
    await within(new Promise(resolve => client.once('close', resolve)), 'close');
    await sleep(1);
    assert.equal(outcomes.length, 500);
    assert.ok(outcomes.at(-1) instanceof Error);
  });
});

describe('removeAllListeners()', () => {
  it('on a socket leaves what the socket itself hears', async () => {
    const { client, server } = await socketPair(tls13, tls13);
    server.resume();
    for (const names of [[], ['newListener'], ['keyUpdate'], [undefined]] as unknown as Array<[string]>) {
      client.removeAllListeners(...names);
      client.ssl.removeAllListeners(...names);
      const updated = once(client, 'keyUpdate');
      await client.keyUpdate();
      const [event] = (await within(updated, `keyUpdate after removing ${names.join()}`)) as [unknown];
      assert.deepEqual(event, { from: 'self', requested: false });
      const logged = once(client, 'keylog');
      await client.keyUpdate();
      await within(logged, `keylog after removing ${names.join()}`);
    }
  });

  it('on an Ssl leaves what makes events be recorded, and takes the user’s own hooks', async () => {
    const { client, server } = await socketPair(tls13, tls13);
    server.resume();
    for (const names of [[], ['newListener'], ['removeListener']] as unknown as Array<[never]>) {
      const untyped = client.ssl as unknown as EventEmitter;
      let heard = 0;
      untyped.on(names[0] ?? 'newListener', () => heard++);
      untyped.removeAllListeners(...names);
      heard = 0;
      const logged = once(client.ssl, 'keylog');
      await client.keyUpdate();
      await within(logged, `keylog after removing ${names.join()}`);
      assert.equal(heard, 0, 'the user’s own are gone');
    }
  });

  it('on a connection of a server does not keep the server from closing', async () => {
    const { client, server, running } = await socketPair();
    server.removeAllListeners();
    server.ssl.removeAllListeners();
    server.on('error', () => {});
    const closing = running.server.close();
    client.destroy();
    server.destroy();
    await within(closing, 'the server to close');
    assert.equal(running.server.connections, 0);
  });

  it('between destroySoon() and its end changes nothing', async () => {
    const { client, server } = await socketPair();
    server.resume();
    client.write(pattern(1 << 20));
    client.destroySoon();
    client.removeAllListeners();
    await until(() => client.destroyed, 'the end');
  });
});

describe('errors', () => {
  it('of independent misuses are objects of their own', async () => {
    const early = makePair({ both: tls13 });
    const sync = await Promise.allSettled([early.client.keyUpdate(), early.client.keyUpdate()]);
    const old = await connectedPair({ both: tls12 });
    // The first waits for the others' turn, so they fail by events.
    const late = await Promise.allSettled([old.client.keyUpdate(), old.client.keyUpdate(), old.client.keyUpdate()]);
    const gone = await connectedPair({ both: tls13 });
    const closing = gone.client.shutdown();
    const writes = await Promise.allSettled([gone.client.write('x'), gone.client.write('x'), gone.client.write('x')]);
    await closing;
    for (const outcomes of [sync, late, writes]) {
      const reasons = outcomes.map(outcome => (outcome.status === 'rejected' ? outcome.reason : undefined));
      assert.ok(reasons.every(reason => reason instanceof Error));
      assert.equal(new Set(reasons).size, outcomes.length);
    }
  });

  it('of a connection that dies are one and the same', async () => {
    const pair = await connectedPair({ both: tls12 });
    const reads = [pair.client.read(), pair.client.read(), pair.client.read()].map(promise => watch(promise));
    const closing = once(pair.client, 'close');
    pair.toClient.to.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
    const [error] = (await within(closing, 'close')) as [Error];
    const outcomes = await Promise.allSettled([...reads.map(({ promise }) => promise), pair.client.write('x')]);
    for (const outcome of outcomes) assert.equal((outcome as PromiseRejectedResult).reason, error);
  });
});

describe('one AbortSignal for many waits', () => {
  it('is no reason for a warning, and ends them all', async () => {
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    try {
      const controller = new AbortController();
      const { signal } = controller;
      const pair = await connectedPair();
      const reads = Array.from({ length: 30 }, () => watch(pair.client.read({ signal })));
      const others = await Promise.all(Array.from({ length: 12 }, () => connectedPair()));
      for (const other of others) reads.push(watch(other.client.read({ signal })));
      assert.equal(getEventListeners(signal, 'abort').length, 1);
      controller.abort();
      for (const read of reads) await rejected(read.promise, codes.aborted);
      assert.equal(getEventListeners(signal, 'abort').length, 0);
      await sleep(1);
      assert.deepEqual(warnings, []);
    } finally {
      process.removeListener('warning', note);
    }
  });

  it('is let go when nobody waits any more', async () => {
    const { signal } = new AbortController();
    const pair = await connectedPair();
    const reads = [pair.client.read({ signal }), pair.client.read({ signal })];
    await pair.server.write('x');
    assert.equal(String(await pair.during(reads[0] as Promise<unknown>)), 'x');
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    await pair.server.write('y');
    assert.equal(String(await pair.during(reads[1] as Promise<unknown>)), 'y');
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });
});

describe('asynchronous disposal of a TlsSocket', () => {
  it('says goodbye behind what was written, and tells no error', async () => {
    const { client, server } = await socketPair();
    const got = collect(server);
    const seen: unknown[] = [];
    client.on('error', error => seen.push(error));
    client.write(pattern(100_000));
    // All was read on both sides: closing a socket with bytes in it resets the connection.
    await until(() => server.bytesRead === 100_000, 'the data');
    await within(client[Symbol.asyncDispose](), 'the end');
    assert.equal(client.destroyed, true);
    assert.ok((await within(got, 'a clean end')).equals(pattern(100_000)));
    await sleep(5);
    assert.deepEqual(seen, []);
    await client[Symbol.asyncDispose]();
  });

  it('is over in time if the peer does not read, or is gone', async () => {
    for (const gone of [false, true]) {
      const { client, server } = await socketPair();
      const seen: unknown[] = [];
      client.removeAllListeners('error').on('error', error => seen.push(error));
      server.pause();
      client.write(Buffer.alloc(32 << 20));
      await sleep(10);
      if (gone) server.destroy();
      await within(client[Symbol.asyncDispose](), 'the end');
      assert.equal(client.destroyed, true);
      await sleep(5);
      assert.deepEqual(seen, []);
    }
  });
});

describe('what is wrong from the beginning', () => {
  it('is said at once', async () => {
    const early = makePair();
    const error = thrown(() => early.client.exportKeyingMaterial(32, 'EXPORTER-test'), 'ERR_SSL_STILL_IN_INIT');
    assert.ok(error instanceof OpenSslError);
    thrown(() => new TlsSocket(new Ssl(clientContext(), { side: 'client' })), codes.noTransport);
    for (const name of ['pause', 'resume'] as const) {
      for (const wrong of [undefined, {}, new PassThrough()]) {
        thrown(() => Reflect.apply(TlsSocket.prototype[name], wrong, []), codes.wrongThis);
      }
    }
  });

  it('is said before anything is connected', async () => {
    const running = await startServer();
    await rejected(connectTo(running.port, { path: '' }), codes.wrongValue);
    for (const name of ['allowHalfOpen', 'pauseOnConnect', 'noDelay', 'keepAlive', 'keepAliveInitialDelay']) {
      await rejected(connectTo(running.port, { [name]: 'yes' }), codes.wrongType);
    }
    await sleep(20);
    assert.equal(running.accepted.length + running.server.connections, 0);
  });
});
