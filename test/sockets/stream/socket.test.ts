import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { connect, TlsSocket } from 'system-tls';
import { pattern, sha256 } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected } from '../../support/errors.ts';
import { tls12, tls13, versions } from '../../support/memory-pair.ts';
import { collect, connectTo, socketPair, startServer } from '../../support/sockets.ts';
import { patience, sleep, until, within } from '../../support/wait.ts';

/** 50 MiB without holding them. */
function* chunks(count: number, size: number): Generator<Buffer> {
  const block = pattern(size);
  for (let i = 0; i < count; i++) {
    block.writeUInt32LE(i);
    yield Buffer.from(block);
  }
}

function expectedHash(count: number, size: number): string {
  const hash = createHash('sha256');
  for (const chunk of chunks(count, size)) hash.update(chunk);
  return hash.digest('hex');
}

async function hashOf(source: Readable): Promise<string> {
  const hash = createHash('sha256');
  // The end of what comes in is not the end of what is still being sent.
  for await (const chunk of source.iterator({ destroyOnReturn: false })) hash.update(chunk as Buffer);
  return hash.digest('hex');
}

/** What comes within 20 ms goes on together, as on a busy network. */
async function relayInBursts(port: number): Promise<number> {
  const pass = (from: net.Socket, to: net.Socket) => {
    const held: Buffer[] = [];
    const send = () => to.write(Buffer.concat(held.splice(0)));
    from.on('error', () => to.destroy()).on('close', () => to.destroy());
    from.on('data', chunk => held.push(chunk) === 1 && setTimeout(send, 20));
  };
  const relay = net.createServer(near => {
    const far = net.connect(port, '127.0.0.1');
    pass(near, far);
    pass(far, near);
    relay.close();
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  return (relay.address() as net.AddressInfo).port;
}

describe('TlsSocket', () => {
  for (const both of [tls12, tls13]) {
    describe(String(both.maxVersion), () => {
      it('is a Duplex that tells who is at the other end', async () => {
        const { client, server, running } = await socketPair(both, both);
        assert.ok(client instanceof Duplex);
        assert.ok(client instanceof TlsSocket);
        assert.equal(client.ssl.version, both.maxVersion);
        assert.equal(client.encrypted, true);
        assert.equal(client.authorized, true);
        assert.equal(client.authorizationError, null);
        assert.equal(client.remoteAddress, '127.0.0.1');
        assert.equal(client.remotePort, running.port);
        assert.equal(client.remoteFamily, 'IPv4');
        assert.equal(server.remotePort, client.localPort);
        assert.equal(server.localPort, running.port);
      });

      it('carries data both ways and closes cleanly', async () => {
        const { client, server } = await socketPair(both, both);
        client.end('from the client');
        server.end('from the server');
        const [atClient, atServer] = await within(Promise.all([collect(client), collect(server)]), 'the data');
        assert.equal(String(atServer), 'from the client');
        assert.equal(String(atClient), 'from the server');
        await within(Promise.all([closed(client), closed(server)]), 'both to close');
      });

      it('50 MiB piped, both ways at once, arrive as they were', async () => {
        const [count, size] = [800, 64 * 1024];
        // The end of one direction is not to end the other.
        const open = { ...both, allowHalfOpen: true };
        const { client, server } = await socketPair(open, open);
        const [atClient, atServer] = await within(
          Promise.all([
            hashOf(client),
            hashOf(server),
            pipeline(Readable.from(chunks(count, size)), client),
            pipeline(Readable.from(chunks(count, size)), server),
          ]),
          '100 MiB',
        );
        const expected = expectedHash(count, size);
        assert.equal(atClient, expected);
        assert.equal(atServer, expected);
      });

      it('half-close with allowHalfOpen: the server may write long after the client ended', async () => {
        const { client, server } = await socketPair({ ...both, allowHalfOpen: true }, both);
        client.end('question');
        assert.equal(String(await within(collect(server), 'the question')), 'question');
        await sleep(20);
        assert.equal(server.writable, true);
        server.end(pattern(1 << 20));
        assert.ok((await within(collect(client), 'the answer')).equals(pattern(1 << 20)));
      });

      it('destroy: the peer sees a truncation as an error, never a clean end', async () => {
        const { client, server } = await socketPair(both, both);
        const ended: string[] = [];
        server.on('end', () => ended.push('end'));
        server.resume();
        const failing = once(server, 'error');
        client.destroy();
        const [error] = (await within(failing, 'an error')) as [NodeJS.ErrnoException];
        assert.ok(['ERR_SSL_UNEXPECTED_EOF', 'ECONNRESET'].includes(String(error.code)), String(error.code));
        assert.deepEqual(ended, []);
        await closed(client);
      });

      it('destroy(error) tells that error, once', async () => {
        const { client } = await socketPair(both, both);
        const errors: unknown[] = [];
        client.on('error', error => errors.push(error));
        const mine = new Error('mine');
        const closing = new Promise(resolve => client.once('close', resolve));
        client.destroy(mine);
        client.destroy(new Error('another'));
        await within(closing, 'close');
        assert.deepEqual(errors, [mine]);
      });
    });
  }

  describe('backpressure', () => {
    it('a slow reader stops the peer’s writes, and nothing piles up', async () => {
      const { client, server } = await socketPair();
      const block = Buffer.alloc(64 * 1024);
      let taken = 0;
      const before = process.memoryUsage();
      while (taken < 200 << 20) {
        if (!server.write(block)) {
          const drained = await Promise.race([once(server, 'drain').then(() => true), sleep(150).then(() => false)]);
          if (!drained) break;
        }
        taken += block.length;
      }
      assert.ok(taken < 64 << 20, `${taken >> 20} MiB were taken for a reader that never reads`);
      const { rss } = process.memoryUsage();
      assert.ok(rss - before.rss < 96 << 20, `${(rss - before.rss) >> 20} MiB more memory`);
      assert.equal(server.writableNeedDrain, true);
      // And it all flows once somebody reads.
      let got = 0;
      client.on('data', (chunk: Buffer) => {
        got += chunk.length;
      });
      server.end();
      await within(once(client, 'end'), 'the rest');
      assert.ok(got >= taken);
    });

    it('pause and resume', async () => {
      const { client, server } = await socketPair();
      let got = 0;
      client.on('data', (chunk: Buffer) => {
        got += chunk.length;
      });
      client.pause();
      server.end(pattern(3 << 20));
      await sleep(50);
      assert.equal(got, 0);
      client.resume();
      await within(once(client, 'end'), 'the end');
      assert.equal(got, 3 << 20);
    });

    it('write callbacks come in order, and each once', async () => {
      const { client, server } = await socketPair();
      server.resume();
      const order: number[] = [];
      for (let i = 0; i < 1000; i++) client.write(Buffer.from(`${i}`), () => order.push(i));
      client.end();
      await within(once(client, 'finish'), 'all to be written');
      assert.deepEqual(
        order,
        Array.from({ length: 1000 }, (_, i) => i),
      );
    });

    it('cork, uncork and strings in an encoding', async () => {
      const { client, server } = await socketPair();
      client.cork();
      client.write('6869', 'hex');
      client.write('äö', 'latin1');
      client.uncork();
      client.end();
      assert.ok((await within(collect(server), 'the text')).equals(Buffer.from([0x68, 0x69, 0xe4, 0xf6])));
    });
  });

  it('pieces share memory that nobody can take away from the others', async () => {
    const { client, server } = await socketPair();
    const first = once(client, 'data');
    server.write('first');
    const [piece] = (await within(first, 'the first piece')) as [Buffer];
    try {
      structuredClone(null, { transfer: [piece.buffer as ArrayBuffer] });
    } catch (error) {
      // Node 20 ignores the wish, later ones refuse it.
      assert.equal((error as Error).name, 'DataCloneError');
    }
    assert.equal(String(piece), 'first');
    try {
      // Node 22 has a way that heeds no mark: what comes later must come all the same.
      (piece.buffer as { transfer?: () => unknown }).transfer?.();
    } catch (error) {
      // Node 24 and later refuse that too.
      assert.equal((error as Error).name, 'TypeError');
    }
    const second = once(client, 'data');
    server.write('second');
    const [later] = (await within(second, 'the second piece')) as [Buffer];
    assert.equal(String(later), 'second');
    client.destroy();
    server.destroy();
  });

  it('readable: a handler that reads once for each event gets all, and the end', async () => {
    const { client, server } = await socketPair();
    const sent = pattern(300_000);
    const got: Buffer[] = [];
    client.on('readable', () => {
      const chunk = client.read() as Buffer | null;
      if (chunk !== null) got.push(chunk);
    });
    server.end(sent);
    await within(once(client, 'end'), 'end');
    assert.ok(Buffer.concat(got).equals(sent));
  });

  it('readable: a handler that takes nothing is told of what is there, and not for ever', async () => {
    const { client, server } = await socketPair();
    let told = 0;
    client.on('readable', () => told++);
    server.write(pattern(300_000));
    await until(() => client.readableLength > 0, 'data');
    await sleep(50);
    const before = told;
    assert.ok(before > 0 && before < 50, `told ${before} times`);
    await sleep(50);
    assert.equal(told, before);
    client.destroy();
    server.destroy();
  });

  it('onread: data comes in the caller’s memory', async () => {
    const memory = Buffer.alloc(16 * 1024);
    const hash = createHash('sha256');
    let [total, foreign] = [0, 0];
    const running = await startServer();
    const [, server] = await Promise.all([
      connectTo(running.port, {
        onread: {
          buffer: memory,
          callback: (count: number, filled: Uint8Array) => {
            if (filled.buffer !== memory.buffer) foreign++;
            hash.update(filled.subarray(0, count));
            total += count;
            return true;
          },
        },
      }),
      running.next(),
    ]);
    server.write(pattern(5 << 20));
    await until(() => total >= 5 << 20, 'all data');
    assert.equal(foreign, 0);
    assert.equal(hash.digest('hex'), sha256(pattern(5 << 20)));
  });

  it('onread: false from the callback pauses until resume()', async () => {
    let calls = 0;
    const running = await startServer();
    const [client, server] = await Promise.all([
      connectTo(running.port, { onread: { buffer: Buffer.alloc(1024), callback: () => ++calls > 2 } }),
      running.next(),
    ]);
    server.write(pattern(100_000));
    await until(() => calls === 1, 'the first call');
    await sleep(30);
    assert.equal(calls, 1);
    client.resume();
    await until(() => calls === 2, 'the second call');
    client.resume();
    await until(() => calls > 90, 'the rest');
  });

  for (const [name, both] of versions) {
    it(`onread: data that comes with the end of the handshake is not the last, ${name}`, async () => {
      const got = { client: '', server: '' };
      const onread = (side: keyof typeof got) => ({
        buffer: Buffer.alloc(1024),
        callback(count: number, bytes: Uint8Array) {
          got[side] += Buffer.from(bytes.subarray(0, count));
        },
      });
      const running = await startServer({ ...both, onread: onread('server') }, socket => socket.write('one '));
      const relayed = await relayInBursts(running.port);
      const client = await connectTo(relayed, { ...both, onread: onread('client') });
      client.write('one ');
      const server = await running.next();
      for (const [sent, text] of [
        ['one ', 'two '],
        ['one two ', 'three'],
      ] as const) {
        await until(() => got.client === sent && got.server === sent, `${sent}: ${JSON.stringify(got)}`);
        for (const socket of [client, server]) socket.write(text);
      }
      await until(() => got.client === 'one two three' && got.server === got.client, 'three');
    });
  }

  describe('onread without a buffer lends memory', () => {
    async function received(
      size: number,
      look: (memory: Uint8Array, calls: number) => boolean,
    ): Promise<{ data: Buffer; client: TlsSocket }> {
      const running = await startServer();
      const got: Buffer[] = [];
      let count = 0;
      let calls = 0;
      const callback = (length: number, memory: Uint8Array): boolean => {
        assert.equal(memory.length, length);
        got.push(Buffer.from(memory));
        count += length;
        return look(memory, ++calls);
      };
      const [client, server] = await Promise.all([connectTo(running.port, { onread: { callback } }), running.next()]);
      server.end(pattern(size));
      await until(() => count === size, 'all data');
      return { data: Buffer.concat(got), client };
    }

    it('with everything in it', async () => {
      const { data, client } = await received(3 << 20, () => true);
      assert.equal(sha256(data), sha256(pattern(3 << 20)));
      if (!client.readableEnded) await within(once(client, 'end'), 'the end');
    });

    it('and stops, and goes on', async () => {
      let socket: TlsSocket | undefined;
      const goOn = setInterval(() => socket?.resume(), 2);
      const running = await startServer();
      const got: Buffer[] = [];
      const callback = (_length: number, memory: Uint8Array): boolean => got.push(Buffer.from(memory)) < 0;
      const [client, server] = await Promise.all([connectTo(running.port, { onread: { callback } }), running.next()]);
      socket = client;
      server.end(pattern(1 << 20));
      await within(once(client, 'end'), 'the end');
      clearInterval(goOn);
      assert.equal(sha256(Buffer.concat(got)), sha256(pattern(1 << 20)));
    });

    it('which may be detached: what comes later is whole all the same', async () => {
      let detached = 0;
      const detach = (memory: Uint8Array): boolean => {
        try {
          structuredClone(memory.buffer, { transfer: [memory.buffer as ArrayBuffer] });
          detached++;
        } catch {
          // Node 22 and later refuse.
        }
        const { buffer } = memory as { buffer: { transfer?: () => unknown; detached?: boolean } };
        if (buffer.detached === false) buffer.transfer?.();
        return true;
      };
      const { data } = await received(2 << 20, detach);
      assert.equal(sha256(data), sha256(pattern(2 << 20)));
      assert.ok(detached > 0 || process.versions.node.split('.')[0] !== '20');
      // And for others.
      const { client, server } = await socketPair();
      server.end(pattern(500_000));
      assert.equal(sha256(await within(collect(client), 'the data')), sha256(pattern(500_000)));
    });
  });

  it('setTimeout: tells that nothing happened, and leaves the socket alone', async () => {
    const { client, server } = await socketPair();
    let timeouts = 0;
    client.setTimeout(30, () => timeouts++);
    await until(() => timeouts === 1, 'a timeout');
    assert.equal(client.destroyed, false);
    client.setTimeout(0);
    server.end('x');
    assert.equal(String(await collect(client)), 'x');
  });

  it('setTimeout: traffic starts it anew', async () => {
    const { client, server } = await socketPair();
    server.resume();
    let timeouts = 0;
    const quiet = 1700;
    client.setTimeout(quiet, () => timeouts++);
    for (const end = performance.now() + 1.2 * quiet; performance.now() < end; ) {
      client.write('x');
      await sleep(25);
    }
    assert.equal(timeouts, 0);
  });

  it('setNoDelay, setKeepAlive, ref and unref give the socket back', async () => {
    const { client } = await socketPair();
    assert.equal(client.setNoDelay(true), client);
    assert.equal(client.setKeepAlive(true, 1000), client);
    assert.equal(client.unref(), client);
    assert.equal(client.ref(), client);
  });

  it('key update and renegotiation are reached from the socket', async () => {
    const modern = await socketPair(tls13, tls13);
    modern.server.resume();
    const { peerUpdated } = await modern.client.keyUpdate({ requestPeer: true });
    await within(peerUpdated as Promise<unknown>, 'the server’s update');
    const old = await socketPair({ ...tls12, clientRenegotiation: true }, tls12);
    old.server.resume();
    await within(old.client.renegotiate(), 'a renegotiation');
    assert.equal(old.client.ssl.renegotiations, 1);
  });

  it('key updates, requested and not, in the middle of bulk data both ways', async () => {
    const open = { ...tls13, allowHalfOpen: true };
    const { client, server } = await socketPair(open, open);
    const [count, size] = [100, 64 * 1024];
    const work = Promise.all([
      hashOf(client),
      hashOf(server),
      pipeline(Readable.from(chunks(count, size)), client),
      pipeline(Readable.from(chunks(count, size)), server),
    ]);
    for (let i = 0; i < 20; i++) {
      await Promise.all([client.keyUpdate({ requestPeer: i % 2 === 0 }), server.keyUpdate()]).catch(() => {});
    }
    const [atClient, atServer] = await within(work, 'the data');
    assert.equal(atClient, expectedHash(count, size));
    assert.equal(atServer, expectedHash(count, size));
  });

  it('renegotiations in the middle of bulk data both ways', async () => {
    const { client, server } = await socketPair({ ...tls12, clientRenegotiation: { limit: 100 } }, tls12);
    const [count, size] = [100, 64 * 1024];
    let running = true;
    const arrived = Promise.all([hashOf(client), hashOf(server)]);
    const sent = Promise.all([
      pipeline(Readable.from(chunks(count, size)), client, { end: false }),
      pipeline(Readable.from(chunks(count, size)), server, { end: false }),
    ]);
    const finishing = (async () => {
      for (let i = 0; i < 6; i++) {
        await (i % 2 === 0 ? client : server).renegotiate({ timeout: patience });
      }
      running = false;
    })();
    await within(finishing, 'six renegotiations');
    assert.equal(running, false);
    assert.equal(server.ssl.renegotiations, 6);
    await within(sent, 'the data to be sent');
    client.end();
    server.end();
    const [atClient, atServer] = await within(arrived, 'the data');
    assert.equal(atClient, expectedHash(count, size));
    assert.equal(atServer, expectedHash(count, size));
  });

  describe('connect', () => {
    it('to a port where nobody listens', async () => {
      const { port, server } = await startServer();
      await server.close();
      await rejected(connectTo(port), 'ECONNREFUSED');
    });

    it('to a server with a certificate for another host', async () => {
      const { cert, key } = certificates().wrongHost;
      const { port } = await startServer({ cert, key });
      await rejected(connectTo(port), 'ERR_TLS_CERT_ALTNAME_INVALID');
    });

    it('to a server that is not trusted', async () => {
      const { port } = await startServer();
      await rejected(connectTo(port, { ca: certificates().otherCa.cert }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    });

    it('unverified on request, and says why it would not have been', async () => {
      const { cert, key } = certificates().selfSigned;
      const { port } = await startServer({ cert, key });
      const socket = await connectTo(port, { rejectUnauthorized: false });
      assert.equal(socket.authorized, false);
      assert.equal(socket.authorizationError, 'DEPTH_ZERO_SELF_SIGNED_CERT');
    });

    it('checks the host when there is no servername', async () => {
      const { port } = await startServer();
      const socket = await connect({ host: '127.0.0.1', port, ca: certificates().ca.cert });
      assert.equal(socket.authorized, true);
      socket.destroy();
    });

    it('by name, and by IPv6', async () => {
      const { port } = await startServer();
      (await connect({ host: 'localhost', port, ca: certificates().ca.cert })).destroy();
    });

    it('aborted at once, and while it waits for a silent server', async () => {
      const kept: net.Socket[] = [];
      const silent = net.createServer(socket => void kept.push(socket.on('error', () => {}))).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const { port } = silent.address() as net.AddressInfo;
      try {
        await rejected(connectTo(port, { signal: AbortSignal.abort() }), codes.aborted);
        await rejected(connectTo(port, { signal: AbortSignal.timeout(20) }), codes.aborted);
        await rejected(connectTo(port, { timeout: 20 }), codes.timeout);
      } finally {
        for (const socket of kept) socket.destroy();
        silent.close();
      }
    });

    it('to what speaks no TLS, or closes at once', async () => {
      for (const [answer, code] of [
        ['220 hello\r\n', 'ERR_SSL_WRONG_VERSION_NUMBER'],
        ['', /^ERR_SSL_UNEXPECTED_EOF$|^ECONNRESET$/],
      ] as const) {
        const plain = net.createServer(socket => socket.on('error', () => {}).end(answer)).listen(0, '127.0.0.1');
        await once(plain, 'listening');
        await rejected(connectTo((plain.address() as net.AddressInfo).port), code);
        plain.close();
      }
    });

    it('with options that are none', async () => {
      for (const wrong of [
        undefined,
        null,
        7,
        'x',
        {},
        { port: 70_000 },
        { port: -1 },
        { port: 'x' },
        { port: 1, host: 7 },
      ]) {
        await rejected(
          Promise.resolve().then(() => connect(wrong as never)),
          /^ERR_/,
        );
      }
    });

    it('resumes a session', async () => {
      const { port } = await startServer({}, socket => socket.write('x'));
      const first = await connectTo(port);
      await once(first, 'data');
      const session = first.ssl.session;
      assert.ok(session);
      const second = await connectTo(port, { session });
      assert.equal(second.ssl.sessionReused, true);
      assert.equal(second.authorized, true);
    });
  });

  describe('the peer', () => {
    it('resets in the middle of a transfer: one error, one close', async () => {
      const { client, server } = await socketPair();
      const seen: string[] = [];
      server.on('error', error => seen.push(`error ${(error as { code?: string }).code}`));
      server.on('close', () => seen.push('close'));
      server.write(pattern(4 << 20));
      client.destroy();
      await until(() => seen.includes('close'), 'close');
      assert.equal(seen.length, 2, seen.join());
      assert.match(String(seen[0]), /^error (ERR_SSL_UNEXPECTED_EOF|ECONNRESET|EPIPE)$/);
    });

    it('sends a fatal alert: TCP is closed', async () => {
      const { cert, key } = certificates().server;
      const { server, port } = await startServer({ cert, key, ...tls12 });
      const failing = once(server, 'tlsClientError');
      const plain = net.connect(port, '127.0.0.1');
      await once(plain, 'connect');
      plain.write(Buffer.from([21, 3, 3, 0, 2, 2, 40]));
      await within(once(plain.resume(), 'close'), 'the server to close TCP');
      await within(failing, 'tlsClientError');
    });

    it('sends garbage after the handshake: we send an alert and close TCP', async () => {
      const { port, next } = await startServer();
      const plain = net.connect(port, '127.0.0.1');
      plain.on('error', () => {});
      // A proxy that turns to garbage once the handshake is over.
      const front = net.createServer(near => {
        near.on('error', () => {}).pipe(plain);
        plain.pipe(near);
      });
      front.listen(0, '127.0.0.1');
      await once(front, 'listening');
      const client = await connectTo((front.address() as net.AddressInfo).port);
      const server = await next();
      const failing = once(server.resume(), 'error');
      // The thread may have closed before its error is told here.
      const closed = once(plain, 'close');
      plain.write(Buffer.from([23, 3, 3, 0, 30, ...pattern(30)]));
      const [error] = (await within(failing, 'an error')) as [NodeJS.ErrnoException];
      assert.equal(error.code, 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC');
      await within(closed, 'TCP to close');
      client.destroy();
      front.close();
    });
  });

  it('AsyncLocalStorage: handlers run in the context of their connection', async () => {
    const storage = new AsyncLocalStorage<string>();
    const seen: Array<string | undefined> = [];
    const { port } = await startServer({}, socket => socket.end('x'));
    const socket = await storage.run('client', () => connectTo(port));
    await storage.run('client', async () => {
      socket.on('data', () => seen.push(storage.getStore()));
    });
    await within(once(socket, 'end'), 'the end');
    assert.deepEqual(seen, ['client']);
  });

  it('AsyncLocalStorage: the callback of a write that waits runs in the context of the write', async () => {
    const storage = new AsyncLocalStorage<string>();
    const { client, server } = await storage.run('connection', () => socketPair());
    server.pause();
    const seen: Array<string | undefined> = [];
    const see = (): void => void seen.push(storage.getStore());
    const large = pattern(16 << 20);
    storage.run('one', () => client.write(large, see));
    await sleep(50);
    assert.deepEqual(seen, [], 'not before the peer reads');
    storage.run('end', () => client.end(see));
    server.resume();
    await within(once(server, 'end'), 'the end');
    await until(() => seen.length === 2, 'both callbacks');
    assert.equal(seen[0], 'one');
  });

  it('AsyncLocalStorage: so does the callback of one that fails', async () => {
    const storage = new AsyncLocalStorage<string>();
    const { client, server } = await storage.run('connection', () => socketPair());
    server.pause();
    const seen: Array<string | undefined> = [];
    storage.run('one', () => client.write(pattern(16 << 20), () => seen.push(storage.getStore())));
    await sleep(50);
    storage.run('destroyer', () => client.destroy());
    await until(() => seen.length === 1, 'the callback');
    assert.deepEqual(seen, ['one']);
  });

  it('500 connections at once', async () => {
    const { port, accepted } = await startServer({}, socket => socket.pipe(socket));
    const sockets = await Promise.all(Array.from({ length: 500 }, () => connectTo(port)));
    const echoes = await within(
      Promise.all(
        sockets.map(async (socket, i) => {
          socket.end(`connection ${i}`);
          return String(await collect(socket));
        }),
      ),
      'all echoes',
    );
    assert.deepEqual(
      echoes,
      sockets.map((_, i) => `connection ${i}`),
    );
    assert.equal(accepted.length, 500);
  });
});

function closed(socket: TlsSocket): Promise<unknown> {
  return socket.closed ? Promise.resolve() : within(once(socket, 'close'), 'close');
}
