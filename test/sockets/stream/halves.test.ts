// A connection ends by halves: what fails while sending costs nothing of what was received, everything that was called
// settles, every socket closes, and the last words reach the peer.
import assert from 'node:assert/strict';
import { createCipheriv, createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { Bio, Ssl, type TlsSocket } from 'system-tls';
import { pattern, readToEnd, sha256 } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { rejected } from '../../support/errors.ts';
import { sayLastWords } from '../../support/last-words.ts';
import { clientContext, connectedPair, serverContext, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { fdOf, quietPair } from '../../support/quiet-pair.ts';
import { collect, connectTo, pool, socketPair, startServer } from '../../support/sockets.ts';
import { turns, until, watch, within } from '../../support/wait.ts';

const descriptors = (): number => readdirSync('/proc/self/fd').length;

/** What a socket told, in its order, until 'close'. */
async function told(socket: TlsSocket): Promise<string[]> {
  const log: string[] = [];
  socket.on('error', (error: NodeJS.ErrnoException) => log.push(error.code ?? error.message));
  for (const name of ['end', 'finish'] as const) socket.on(name, () => log.push(name));
  await within(
    once(socket, 'close').catch(() => undefined),
    'close',
  );
  return log;
}

async function readAll(ssl: Ssl): Promise<{ bytes: Buffer; end: string }> {
  const chunks: Buffer[] = [];
  try {
    for (let chunk = await ssl.read(); chunk !== null; chunk = await ssl.read()) chunks.push(chunk);
    return { bytes: Buffer.concat(chunks), end: 'null' };
  } catch (error) {
    return { bytes: Buffer.concat(chunks), end: (error as NodeJS.ErrnoException).code ?? '' };
  }
}

describe('what a peer said last, and is gone', () => {
  for (const [version] of versions) {
    for (const [when, wait] of [
      ['at once', () => Promise.resolve()],
      ['a turn of the loop later', () => turns(1)],
      ['when the reset is there', () => sleep(30)],
    ] as const) {
      it(`arrives, ${version}, with somebody who listens ${when}`, async () => {
        const running = await startServer();
        const words = pattern(1000);
        const [socket] = await Promise.all([
          running.next(),
          sayLastWords(running.port, words, { maxVersion: version }),
        ]);
        await wait();
        const [got, log] = await Promise.all([within(collect(socket), 'the words'), told(socket)]);
        assert.ok(got.equals(words));
        assert.deepEqual(log, ['end', 'finish']);
        await until(() => running.server.connections === 0, 'the connection to be counted off');
      });
    }

    it(`arrives by reads, ${version}, whether a write failed before or a read waits`, async () => {
      for (const waits of [false, true]) {
        const listener = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
        await once(listener, 'listening');
        const context = serverContext({ maxVersion: version });
        const accepted = once(listener, 'connection') as Promise<[net.Socket]>;
        const gone = sayLastWords((listener.address() as net.AddressInfo).port, 'hello', { maxVersion: version });
        const [socket] = await accepted;
        socket.on('error', () => {});
        const ssl = new Ssl(context, { side: 'server', ...(pool && { io: pool }) });
        ssl.setFd(fdOf(socket));
        await ssl.accept();
        const early = waits ? ssl.read() : undefined;
        await gone;
        // The first brings the reset, the second meets it.
        await ssl.write('x').catch(() => {});
        await sleep(20);
        await ssl.write('x').catch(() => {});
        assert.equal(String(await within(early ?? ssl.read(), 'the words')), 'hello');
        assert.equal(await within(ssl.read(), 'the end'), null);
        await within(
          ssl.shutdown().catch(() => {}),
          'shutdown() to settle',
        );
        ssl.close();
        socket.destroy();
        listener.close();
      }
    });
  }

  it('arrives before the error, where it said no goodbye', async () => {
    const running = await startServer({ pauseOnConnect: true });
    const words = pattern(3000);
    const gone = sayLastWords(running.port, words, { goodbye: false, reset: true });
    const socket = await running.next();
    await gone;
    await sleep(30);
    socket.write('x', () => {});
    await sleep(30);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    const log = await told(socket);
    assert.ok(Buffer.concat(chunks).equals(words));
    assert.equal(log.length, 1);
    assert.match(log[0] ?? '', /^(ECONNRESET|EPIPE|ERR_SSL_UNEXPECTED_EOF)$/);
  });

  it('arrives at a server that greets at once, whether or not it said goodbye', async () => {
    for (const goodbye of [true, false]) {
      const got: Buffer[] = [];
      const logs: Array<Promise<string[]>> = [];
      const running = await startServer({}, socket => {
        const at = got.push(Buffer.alloc(0)) - 1;
        socket.on('data', (chunk: Buffer) => {
          got[at] = Buffer.concat([got[at] as Buffer, chunk]);
        });
        logs.push(told(socket));
        socket.write(pattern(1000));
      });
      const words = pattern(5000);
      for (let n = 0; n < 20; n++) await sayLastWords(running.port, words, { goodbye, reset: true });
      await until(() => logs.length === 20, 'every connection');
      for (const log of await Promise.all(logs)) assert.equal(log[0] === 'end', goodbye, log.join());
      for (const each of got) assert.ok(each.equals(words), `${each.length} bytes`);
    }
  });

  it('arrives by async iteration that begins late, and what was written fails once', async () => {
    const running = await startServer({ pauseOnConnect: true });
    const words = pattern(60_000);
    const gone = sayLastWords(running.port, words);
    const socket = await running.next();
    await gone;
    const failures: unknown[] = [];
    socket.write(pattern(300_000), error => failures.push(error));
    socket.write(pattern(300_000), error => failures.push(error));
    await sleep(30);
    let got = 0;
    const closed = once(socket, 'close').catch(() => undefined);
    await (async () => {
      for await (const chunk of socket) got += (chunk as Buffer).length;
    })().catch(() => undefined);
    await within(closed, 'close');
    assert.equal(got, words.length);
    assert.equal(failures.length, 2);
    // A thread's writes are copied, and told as taken.
    if (pool === undefined) assert.ok(failures.every(error => error instanceof Error));
  });

  it('stays in the kernel beyond what may be read ahead', async () => {
    const [near, far] = await quietPair();
    const server = new Ssl(serverContext(), { side: 'server', readAhead: 10_000, ...(pool && { io: pool }) });
    const client = new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
    server.setFd(fdOf(near));
    client.setFd(fdOf(far));
    await Promise.all([server.accept(), client.connect()]);
    // What its kernel has not sent goes with a reset: this fits into the window of ours.
    const words = pattern(50_000);
    await client.write(words);
    await until(() => client.bufferedAmount === 0, 'all to be sent');
    await sleep(30);
    client.close();
    far.resetAndDestroy();
    await sleep(30);
    await server.write('x').catch(() => {});
    await within(
      server.write('x').catch(() => {}),
      'a write to settle',
    );
    await sleep(30);
    const { readableAmount } = server;
    assert.ok(readableAmount > 0 && readableAmount <= 10_000 + 16_384, `${readableAmount} bytes read ahead`);
    const { bytes, end } = await within(readAll(server), 'the data');
    assert.equal(sha256(bytes), sha256(words));
    assert.match(end, /^(ECONNRESET|EPIPE|ERR_SSL_UNEXPECTED_EOF)$/);
    server.close();
    near.destroy();
  });

  it('is dropped with a socket that is destroyed, and what waits is told once', async () => {
    const running = await startServer({ pauseOnConnect: true });
    const gone = sayLastWords(running.port, pattern(200_000));
    const socket = await running.next();
    await gone;
    let told = 0;
    socket.write(pattern(300_000), () => told++);
    await sleep(30);
    const closed = once(socket, 'close');
    socket.destroy();
    await within(closed, 'close');
    await turns(2);
    assert.equal(told, 1);
  });
});

describe('bytes that were read ahead', () => {
  for (const [name, wait] of [
    ['a key update', (ssl: Ssl) => ssl.keyUpdate({ requestPeer: true }).then(({ peerUpdated }) => peerUpdated)],
    ['a shutdown', (ssl: Ssl) => ssl.shutdown({ wait: true })],
  ] as const) {
    it(`come before a truncation that ends ${name}`, async () => {
      const pair = await connectedPair({ both: tls13 });
      const data = pattern(60_000);
      const pending = watch(wait(pair.client));
      await pair.server.write(data);
      await pair.pump();
      pair.cut();
      await pair.pump();
      const { bytes, end } = await within(readAll(pair.client), 'the data');
      assert.ok(bytes.equals(data));
      assert.equal(end, 'ERR_SSL_UNEXPECTED_EOF');
      assert.equal(pending.outcome.status, 'rejected');
      await rejected(pair.client.write('x'), 'ERR_SSL_UNEXPECTED_EOF');
    });
  }

  it('come before the close_notify that a renegotiation meets', async () => {
    const pair = await connectedPair({ both: tls12, server: { clientRenegotiation: true } });
    const data = pattern(150_000);
    const wrote = pair.server.write(data);
    const said = pair.server.shutdown();
    const renegotiation = watch(pair.client.renegotiate());
    await pair.during(Promise.all([wrote, said]));
    await pair.pump();
    const reading = readAll(pair.client);
    const { bytes, end } = await pair.during(reading);
    assert.ok(bytes.equals(data));
    assert.equal(end, 'null');
    await rejected(renegotiation.promise, 'ERR_TLS_PEER_CLOSED');
    await rejected(pair.client.write('x'), 'ERR_TLS_PEER_CLOSED');
    await within(pair.client.shutdown(), 'the goodbye');
  });

  it('go with a connection that is closed', async () => {
    const pair = await connectedPair({ both: tls13 });
    const pending = watch(pair.client.shutdown({ wait: true }));
    await pair.server.write(pattern(1000));
    await pair.pump();
    pair.client.close();
    await rejected(pending.promise, 'ERR_TLS_CLOSED');
    await rejected(pair.client.read(), 'ERR_TLS_CLOSED');
  });
});

describe('a peer that resets', () => {
  for (const options of [{}, { wait: true }, { timeout: 60_000 }]) {
    it(`lets shutdown(${JSON.stringify(options)}) settle`, async () => {
      const [near, far] = await quietPair();
      const client = new Ssl(clientContext(), { side: 'client', servername: 'localhost', ...(pool && { io: pool }) });
      const server = new Ssl(serverContext(), { side: 'server' });
      client.setFd(fdOf(near));
      server.setFd(fdOf(far));
      await Promise.all([client.connect(), server.accept()]);
      server.close();
      far.resetAndDestroy();
      await sleep(30);
      await within(
        client.shutdown(options).catch(() => {}),
        'shutdown() to settle',
        30_000,
      );
      client.close();
      near.destroy();
    });
  }

  it('leaves no connection behind, whatever the server was about to say', async () => {
    const before = descriptors();
    const running = await startServer({}, socket => {
      socket.on('data', () => socket.write(pattern(200_000)));
    });
    const ca = certificates().ca.cert;
    const visit = async (round: number): Promise<void> => {
      const socket = tls.connect({ port: running.port, host: '127.0.0.1', ca, servername: 'localhost' });
      const closed = new Promise(resolve => socket.on('error', () => {}).once('close', resolve));
      await once(socket, 'secureConnect');
      socket.pause();
      socket.write('x');
      await sleep(round % 7);
      socket.end();
      await turns(round % 4);
      // With the answer unread, which makes it a reset.
      socket.destroy();
      await within(closed, 'the client to close');
    };
    for (let round = 0; round < 60; round += 6) {
      await Promise.all(Array.from({ length: 6 }, (_, i) => visit(round + i)));
    }
    await until(() => running.server.connections === 0, 'all connections to end');
    await within(running.server.close(), 'the server to close');
    await until(() => descriptors() <= before, 'the descriptors to be closed');
  });

  it('lets a server that greets at once close its sockets', async () => {
    const logs: Array<Promise<string[]>> = [];
    const running = await startServer({}, socket => {
      socket.resume();
      logs.push(told(socket));
      socket.write('220 hello\r\n');
    });
    for (let n = 0; n < 5; n++) await sayLastWords(running.port, 'hello');
    await until(() => logs.length === 5, 'all connections');
    for (const log of await Promise.all(logs)) assert.equal(log[0], 'end');
    await until(() => running.server.connections === 0, 'all connections to end');
  });
});

/** RFC 5246 section 5: the keys of a connection of TLS 1.2, whose records are made by hand. */
function prf(secret: Buffer, label: string, seed: Buffer, length: number): Buffer {
  const hmac = (data: Buffer): Buffer => createHmac('sha256', secret).update(data).digest();
  const labelled = Buffer.concat([Buffer.from(label), seed]);
  const parts: Buffer[] = [];
  for (let a = hmac(labelled); parts.length * 32 < length; a = hmac(a)) parts.push(hmac(Buffer.concat([a, labelled])));
  return Buffer.concat(parts).subarray(0, length);
}

/** A client of TLS 1.2, and a way to send records of one's own in its place, behind its handshake. */
async function forger(port: number): Promise<{ send(type: number, body: Buffer): void; end(): void }> {
  const up = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {});
  const fromServer: Buffer[] = [];
  let cut = false;
  const gate = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      if (!cut) up.write(chunk);
      done();
    },
  });
  up.on('data', chunk => {
    fromServer.push(chunk);
    if (!cut) gate.push(chunk);
  });
  const ca = certificates().ca.cert;
  const ciphers = 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256';
  const client = tls.connect({ socket: gate, servername: 'localhost', ca, maxVersion: 'TLSv1.2', ciphers });
  client.on('error', () => {});
  const logged = once(client, 'keylog') as Promise<[Buffer]>;
  await once(client, 'secureConnect');
  cut = true;
  const [, clientRandom = '', master = ''] = String((await logged)[0])
    .trim()
    .split(' ');
  // Behind the headers of record and message, and the version.
  const serverRandom = Buffer.concat(fromServer).subarray(11, 43);
  const seed = Buffer.concat([serverRandom, Buffer.from(clientRandom, 'hex')]);
  const keys = prf(Buffer.from(master, 'hex'), 'key expansion', seed, 40);
  let sequence = 1n; // its Finished was the first
  return {
    send(type, body) {
      const nonce = Buffer.alloc(8);
      nonce.writeBigUInt64BE(sequence++);
      const header = (length: number): Buffer => Buffer.from([type, 3, 3, length >> 8, length & 255]);
      const cipher = createCipheriv('aes-128-gcm', keys.subarray(0, 16), Buffer.concat([keys.subarray(32, 36), nonce]));
      cipher.setAAD(Buffer.concat([nonce, header(body.length)]));
      const record = Buffer.concat([nonce, cipher.update(body), cipher.final(), cipher.getAuthTag()]);
      up.write(Buffer.concat([header(record.length), record]));
    },
    end() {
      up.end();
      client.destroy();
    },
  };
}

describe('a client that begins a renegotiation, and leaves', () => {
  for (const [name, options] of [
    ['where it may not', {}],
    ['where it may', { clientRenegotiation: true }],
  ] as const) {
    it(`in the middle of its ClientHello leaves no connection behind, ${name}`, async () => {
      const running = await startServer(options, socket => socket.resume());
      const { send, end } = await forger(running.port);
      const log = told(await running.next());
      send(22, Buffer.concat([Buffer.from([1, 0, 0, 200, 3, 3]), Buffer.alloc(40, 7)]));
      send(21, Buffer.from([1, 0]));
      end();
      assert.deepEqual(await within(log, 'the socket to close'), ['end', 'finish']);
      await until(() => running.server.connections === 0, 'the connection to be counted off');
    });
  }
});

describe('a call in the wrong state', () => {
  it('fails at once, though the peer goes on', async () => {
    const { client, server } = await socketPair({ allowHalfOpen: true });
    server.resume();
    client.resume();
    await client.ssl.shutdown();
    const [error] = (await within(
      new Promise<[Error | null | undefined]>(resolve => client.write('x', failure => resolve([failure]))),
      'the write to fail',
    )) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ERR_SSL_PROTOCOL_IS_SHUTDOWN');
  });
});

describe('a socket that nobody reads', () => {
  it('is given up some time after its peer has reset the connection', async () => {
    const running = await startServer({ pauseOnConnect: true });
    const gone = sayLastWords(running.port, pattern(1000), { goodbye: false, reset: true });
    const socket = await running.next();
    const closed = new Promise(resolve => socket.once('close', resolve));
    await gone;
    const failing = new Promise<Error | null | undefined>(resolve => socket.write(pattern(100_000), resolve));
    socket.write(pattern(100_000));
    await within(closed, 'close');
    if (pool === undefined) assert.ok((await failing) instanceof Error);
    await until(() => running.server.connections === 0, 'the connection to be counted off');
  });
});

describe('the last words', () => {
  it('reach a peer that is still writing: a fatal alert', async () => {
    const { ca } = certificates();
    const running = await startServer({ ca: ca.cert, requestCert: true, rejectUnauthorized: true });
    running.server.on('tlsClientError', () => {});
    for (let n = 0; n < 5; n++) {
      // Without a certificate a client of TLS 1.3 has ended its handshake, and hears of it afterwards.
      const raw = net.connect(running.port, '127.0.0.1');
      const socket = tls.connect({ socket: raw, ca: ca.cert, servername: 'localhost', minVersion: 'TLSv1.3' });
      const failed = once(socket, 'error') as Promise<[NodeJS.ErrnoException]>;
      socket.on('secureConnect', () => {
        for (let k = 0; k < 16; k++) socket.write(pattern(16_384));
      });
      socket.resume();
      const [error] = await within(failed, 'the alert');
      assert.equal(error.code, 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED');
      socket.destroy();
    }
  });

  it('wait a second, and no longer, for a peer that does not stop writing', async () => {
    const { ca } = certificates();
    const running = await startServer({ ca: ca.cert, requestCert: true, rejectUnauthorized: true });
    const refused = once(running.server, 'tlsClientError');
    const before = descriptors();
    const raw = net.connect({ port: running.port, host: '127.0.0.1', allowHalfOpen: true });
    const socket = tls.connect({ socket: raw, ca: ca.cert, servername: 'localhost' }).on('error', () => {});
    await within(refused, 'the refusal');
    // It neither ends nor closes: ours has to.
    await until(() => descriptors() <= before + 1, 'our descriptor to be closed');
    raw.destroy();
    socket.destroy();
  });

  it('of a disposed socket arrive whole, though tickets come behind its close_notify', async () => {
    const data = pattern(1_000_000);
    const { ca, server } = certificates();
    const got: Buffer[] = [];
    const raws: net.Socket[] = [];
    const listener = net.createServer({ pauseOnConnect: true }, raw => raws.push(raw)).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const opening = connectTo((listener.address() as net.AddressInfo).port, { ca: ca.cert });
    await until(() => raws.length === 1, 'the connection');
    const raw = raws[0] as net.Socket;
    const socket = new tls.TLSSocket(raw, { isServer: true, cert: server.cert, key: server.key });
    const ended = Promise.race([
      once(socket, 'end').then(() => 'end'),
      once(raw, 'error').then(([error]) => error.code),
    ]);
    socket.on('error', () => {});
    // Reads late, and writes late: when the client has closed.
    const client = await opening;
    await new Promise<unknown>(resolve => client.write(data, resolve));
    const disposed = client[Symbol.asyncDispose]();
    await sleep(20);
    socket.write('what the client does not read any more');
    await sleep(20);
    socket.on('data', (chunk: Buffer) => got.push(chunk));
    await within(disposed, 'the disposal');
    assert.equal(await within(ended, 'the end'), 'end');
    assert.equal(sha256(Buffer.concat(got)), sha256(data));
    socket.destroy();
    listener.close();
  });

  it('keep no descriptor where the socket is the user’s own', async () => {
    const [near, far] = await quietPair();
    const server = new Ssl(serverContext(), { side: 'server' });
    const client = new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
    server.setFd(fdOf(near));
    client.setFd(fdOf(far));
    await Promise.all([server.accept(), client.connect()]);
    await server.shutdown();
    const before = descriptors();
    server.close();
    client.close();
    assert.equal(descriptors(), before - 2, 'the duplicates');
    near.destroy();
    far.destroy();
  });
});

describe('two sides that both write', () => {
  for (const outgoingMark of [1, 16_000]) {
    it(`go on with an outgoingMark of ${outgoingMark}`, async () => {
      const [toServer, toClient] = [Bio.pair({ size: 64 * 1024 }), Bio.pair({ size: 64 * 1024 })];
      const client = new Ssl(clientContext(), { side: 'client', servername: 'localhost', outgoingMark });
      const server = new Ssl(serverContext(), { side: 'server', outgoingMark });
      client.setBio(toClient[0], toServer[0]);
      server.setBio(toServer[1], toClient[1]);
      await Promise.all([client.connect(), server.accept()]);
      const data = pattern(3_000_000);
      const ends = [client, server].map(async ssl => {
        const [read] = await Promise.all([
          readToEnd(ssl),
          (async () => {
            for (let at = 0; at < data.length; at += 500_000) await ssl.write(data.subarray(at, at + 500_000));
            await ssl.shutdown();
          })(),
        ]);
        return sha256(read);
      });
      for (const sum of await within(Promise.all(ends), 'both')) assert.equal(sum, sha256(data));
      client.close();
      server.close();
    });
  }
});

describe('an I/O thread that is stopped', () => {
  it('settles what waits behind data that nobody reads', async function () {
    if (pool !== undefined) return this.skip();
    const { IoPool } = await import('system-tls');
    const io = new IoPool({ threads: 1 });
    const { client, server } = await socketPair({ io, pauseOnConnect: true });
    client.write(pattern(300_000));
    const waits = [watch(server.ssl.shutdown({ wait: true }))];
    await sleep(30);
    const log = told(server);
    await within(io.close(), 'the pool to close');
    await within(log, 'close');
    for (const each of waits) {
      await within(
        each.promise.catch(() => {}),
        'an operation to settle',
      );
      assert.equal(each.outcome.status, 'rejected');
    }
  });
});
