// Kernel TLS. Here it is mostly what a kernel without it does; `npm run test-ktls` runs the same file on one that has
// it, and says so by SYSTEM_TLS_KTLS, so that nothing passes there because the kernel did nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import { connect, createServer, IoPool, openssl, Ssl, SslContext, type SslSession } from 'system-tls';
import { pattern, readToEnd } from '../../support/bytes.ts';
import { callbackKinds } from '../../support/callback-kinds.ts';
import { needs } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectedPair, tls12, tls13 } from '../../support/memory-pair.ts';
import { collect, connectTo, socketPair, startServer } from '../../support/sockets.ts';
import { sleep, until, within } from '../../support/wait.ts';

const inKernel = process.env['SYSTEM_TLS_KTLS'] === '1' || existsSync('/sys/module/tls');
const noKernel = 'this kernel does no TLS; npm run test-ktls runs this on one that does';
const ktls = true;
/** OpenSSL 3.2 is the first to give the kernel the receiving keys of TLS 1.3. */
const receives13 = openssl.versionNumber >= 0x30200000;
const megabyte = 2 ** 20;

for (const both of [tls12, tls13]) {
  const receives = inKernel && (both === tls12 || receives13);

  describe(`kernel TLS, ${both.maxVersion}`, () => {
    const pair = (forServer = {}, forClient = {}) =>
      socketPair({ ...both, ktls, ...forServer }, { ...both, ktls, ...forClient });

    it('tells what the kernel does, and why no more', async () => {
      const { client, server } = await pair();
      for (const { ssl } of [client, server]) {
        assert.equal(ssl.ktls.send, inKernel);
        assert.equal(ssl.ktls.receive, receives);
        assert.equal(ssl.ktls.reason === undefined, inKernel && receives);
        if (!inKernel) assert.match(String(ssl.ktls.reason), /kernel/);
      }
    });

    it('begins behind a handshake that asks functions', async () => {
      for (const kind of callbackKinds) {
        const { server: forServer, client: forClient } = kind.options(() => sleep(2).then(kind.right));
        const { client, server } = await pair(forServer, forClient);
        for (const { ssl } of [client, server]) assert.equal(ssl.ktls.send, inKernel, kind.name);
        client.end('hello');
        assert.equal(String(await within(collect(server), 'the data')), 'hello');
      }
    });

    it('is not there unless asked for, by each side for itself', async () => {
      const { client, server } = await pair({}, { ktls: false });
      assert.deepEqual(client.ssl.ktls, {
        send: false,
        receive: false,
        reason: 'it was not asked for (option ktls)',
      });
      assert.equal(server.ssl.ktls.send, inKernel);
      client.end('hello');
      assert.equal(String(await within(collect(server), 'the data')), 'hello');
    });

    it('works without on a cipher that the kernel does not know', async () => {
      const odd =
        both === tls12 ? { ciphers: 'ECDHE-ECDSA-AES128-SHA256' } : { ciphers: 'TLS_CHACHA20_POLY1305_SHA256' };
      const { client, server } = await pair(odd, odd);
      assert.equal(server.ssl.ktls.send, false);
      assert.equal(server.ssl.ktls.receive, false);
      if (inKernel) assert.match(String(server.ssl.ktls.reason), /AES128-SHA256|CHACHA20/);
      const bytes = pattern(megabyte);
      client.end(bytes);
      assert.deepEqual(await within(collect(server), 'the data'), bytes);
    });

    for (const [name, forServer, forClient] of [
      ['both', {}, {}],
      ['only the server', {}, { ktls: false }],
      ['only the client', { ktls: false }, {}],
    ] as const) {
      it(`8 MiB each way at once arrive as they were and end cleanly: ${name}`, async () => {
        const { client, server } = await pair(forServer, forClient);
        const [up, down] = [pattern(8 * megabyte, 3), pattern(8 * megabyte, 5)];
        client.end(up);
        server.end(down);
        const [atClient, atServer] = await within(Promise.all([collect(client), collect(server)]), 'data');
        assert.ok(atClient.equals(down));
        assert.ok(atServer.equals(up));
        await within(Promise.all([client, server].map(async socket => socket.closed || once(socket, 'close'))), 'ends');
      });
    }

    it('small messages go back and forth', async () => {
      const { client, server } = await pair();
      server.on('data', (chunk: Buffer) => server.write(chunk));
      let heard = '';
      client.on('data', (chunk: Buffer) => {
        heard += String(chunk);
      });
      for (let i = 0; i < 200; i++) {
        heard = '';
        client.write(`message ${i}`);
        await until(() => heard === `message ${i}`, 'the echo');
      }
    });

    it('goes into the memory of the caller', async () => {
      const buffer = Buffer.alloc(100_000);
      const pieces: Buffer[] = [];
      const onread = { buffer, callback: (count: number) => void pieces.push(Buffer.from(buffer.subarray(0, count))) };
      const { server } = await pair({}, { onread });
      const bytes = pattern(megabyte);
      server.end(bytes);
      await until(() => pieces.reduce((sum, piece) => sum + piece.length, 0) === megabyte, 'the data');
      assert.ok(Buffer.concat(pieces).equals(bytes));
    });

    it('a reader that takes little at a time gets it all', async () => {
      const { port, next } = await startServer({ ...both, ktls });
      const ssl = await plainClient(port, both, true);
      const server = await next();
      const bytes = pattern(300_000);
      server.end(bytes);
      const first = await ssl.read({ max: 1 });
      const second = Buffer.alloc(16_385);
      const count = (await ssl.readInto(second)) as number;
      const rest = await readToEnd(ssl);
      assert.ok(Buffer.concat([first as Buffer, second.subarray(0, count), rest]).equals(bytes));
      ssl.close();
    });

    it('a slow reader holds up the writer, and memory stays bounded', async () => {
      const { client, server } = await pair();
      const bytes = pattern(64 * 1024);
      let written = 0;
      while (client.write(bytes) && written < 1000) written++;
      await sleep(100);
      assert.ok(written < 1000, 'nothing held the writer up');
      assert.ok(client.ssl.bufferedAmount < 512 * 1024);
      client.end();
      const all = await within(collect(server), 'the data');
      assert.equal(all.length, (written + 1) * bytes.length);
    });

    it('one direction may end while the other goes on', async () => {
      const { client, server } = await pair({ allowHalfOpen: true }, { allowHalfOpen: true });
      client.end('that was all');
      assert.equal(String(await within(collect(server), 'the end')), 'that was all');
      server.end('and this too');
      assert.equal(String(await within(collect(client), 'the other end')), 'and this too');
    });

    it('a shutdown that waits hears the goodbye of the peer', async () => {
      const { client, server } = await pair();
      server.on('end', () => server.end());
      server.resume();
      await within(client.ssl.shutdown({ wait: true }), 'both goodbyes');
    });

    it('truncation is no end', async () => {
      const { client, server } = await pair();
      client.resume();
      const failed = once(client, 'error');
      server.write('a part');
      await sleep(20);
      server.ssl.close();
      const [error] = await within(failed, 'the error');
      assert.equal((error as NodeJS.ErrnoException).code, codes.unexpectedEof);
    });

    it('a reset is the error of the system', async () => {
      const { port, client } = await throughProxy(both);
      client.resume();
      const failed = once(client, 'error');
      port.resetAndDestroy();
      const [error] = await within(failed, 'the error');
      assert.equal((error as NodeJS.ErrnoException).code, 'ECONNRESET');
    });

    it('a record that was changed on the way ends the connection, with an alert', async () => {
      const { client, server, tamper } = await throughProxy(both);
      client.resume();
      const alert = once(client, 'error');
      const failed = once(server, 'error');
      server.resume();
      tamper();
      client.write('this will be changed');
      const [error] = await within(failed, 'the error');
      assert.equal((error as NodeJS.ErrnoException).code, 'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC');
      const [told] = await within(alert, 'the alert');
      assert.match(String((told as NodeJS.ErrnoException).code), /BAD_RECORD_MAC/);
    });

    it('is closed in the middle of anything', async () => {
      for (let after = 0; after < 6; after++) {
        const { client, server } = await pair();
        client.write(pattern(megabyte));
        server.write(pattern(megabyte));
        client.resume();
        if (after > 2) server.resume();
        await sleep(after);
        (after % 2 === 0 ? client : server).ssl.close();
        server.resume();
        await until(() => client.destroyed && server.destroyed, 'the end of both');
      }
    });

    it('sessions are resumed', async () => {
      const sessions: SslSession[] = [];
      const { running, client } = await pair({}, { on: { session: (session: SslSession) => sessions.push(session) } });
      client.resume();
      await until(() => sessions.length > 0, 'a session');
      const again = await connectTo(running.port, { ...both, ktls, session: sessions[0] });
      assert.equal(again.ssl.sessionReused, true);
      assert.equal(again.ssl.ktls.send, inKernel);
      again.end('resumed');
      const server = running.accepted[1] ?? (await running.next());
      assert.equal(String(await within(collect(server), 'the data')), 'resumed');
    });

    it('OpenSSL refuses a KeyUpdate or renegotiation that its library cannot do, as always', async () => {
      const { client } = await pair();
      if (both === tls12) await rejected(client.keyUpdate(), 'ERR_SSL_WRONG_SSL_VERSION');
      else await rejected(client.renegotiate(), 'ERR_SSL_WRONG_SSL_VERSION');
    });
  });
}

describe('kernel TLS and new keys', () => {
  it('a key update is refused while the kernel has the keys, and nothing changes', async () => {
    const { client, server } = await socketPair({ ...tls13, ktls }, { ...tls13, ktls });
    server.on('data', (chunk: Buffer) => server.write(chunk));
    if (inKernel) {
      await rejected(client.keyUpdate(), 'ERR_TLS_KTLS');
      await rejected(client.keyUpdate({ requestPeer: true }), 'ERR_TLS_KTLS');
      thrown(() => client.ssl.scheduleKeyUpdate('requested'), 'ERR_TLS_KTLS');
      assert.equal(client.ssl.keyUpdateType, 'none');
      thrown(() => client.ssl.scheduleKeyUpdate('none'), 'ERR_SSL_INVALID_KEY_UPDATE_TYPE');
    } else {
      await client.keyUpdate();
      client.ssl.scheduleKeyUpdate('not-requested');
    }
    client.write('still here');
    assert.equal(String((await within(once(client, 'data'), 'the echo'))[0]), 'still here');
  });

  it('so is a renegotiation, from either side', async () => {
    const { client, server } = await socketPair({ ...tls12, ktls }, { ...tls12, ktls });
    server.on('data', (chunk: Buffer) => server.write(chunk));
    client.resume();
    for (const socket of [client, server]) {
      if (inKernel) {
        await rejected(socket.renegotiate(), 'ERR_TLS_KTLS');
        thrown(() => socket.ssl.scheduleRenegotiate(), 'ERR_TLS_KTLS');
        assert.equal(socket.ssl.renegotiatePending, false);
      }
    }
    if (inKernel) await rejected(server.requestClientCertificate(), 'ERR_TLS_KTLS');
    else await server.renegotiate();
    client.write('still here');
    assert.equal(String((await within(once(client, 'data'), 'the echo'))[0]), 'still here');
  });

  it("the peer's own key update is followed where OpenSSL receives", async function () {
    needs(this, !receives13 || !inKernel, 'this OpenSSL lets the kernel receive');
    const { client, server } = await socketPair({ ...tls13, ktls }, tls13);
    await client.keyUpdate();
    client.end('with new keys');
    assert.equal(String(await within(collect(server), 'the data')), 'with new keys');
  });

  it("the peer's key update ends a connection whose kernel receives and cannot follow", async function () {
    needs(this, receives13 && inKernel, 'the kernel does not receive TLS 1.3 here');
    const { client, server } = await socketPair({ ...tls13, ktls }, tls13);
    server.resume();
    const failed = once(server, 'error');
    await client.keyUpdate();
    client.write('with new keys');
    const [error] = await within(failed, 'the error');
    assert.equal((error as NodeJS.ErrnoException).code, 'ERR_TLS_KTLS_KEY_UPDATE');
  });

  it('a peer that asks for new keys ends a connection that cannot give them, by name', async function () {
    needs(this, inKernel, noKernel);
    const { client, server } = await socketPair({ ...tls13, ktls }, tls13);
    server.resume();
    const failed = once(server, 'error');
    await client.keyUpdate({ requestPeer: true });
    const [error] = await within(failed, 'the error');
    assert.equal((error as NodeJS.ErrnoException).code, 'ERR_TLS_KTLS_KEY_UPDATE');
    await rejected(server.ssl.write('too late'), [codes.closed, 'ERR_TLS_KTLS_KEY_UPDATE']);
  });

  it('a client that renegotiates is turned down', async function () {
    needs(this, inKernel, noKernel);
    const { client, server } = await socketPair({ ...tls12, ktls, clientRenegotiation: true }, tls12);
    client.resume();
    server.resume();
    await rejected(client.renegotiate(), codes.noRenegotiation);
  });

  it('the certificate of a client can be asked for later, in TLS 1.3', async () => {
    const { client: identity, ca } = certificates();
    const { client, server } = await socketPair(
      { ...tls13, ktls, ca: ca.cert, requestCert: false },
      { ...tls13, ktls, cert: identity.cert, key: identity.key },
    );
    client.resume();
    server.resume();
    await within(server.requestClientCertificate(), 'the certificate');
    assert.ok(server.ssl.peerCertificate);
  });
});

describe('kernel TLS, I/O threads', () => {
  for (const both of [tls12, tls13]) {
    it(`follows a connection from its thread to the loop, ${both.maxVersion}`, async () => {
      await using io = new IoPool({ threads: 1 });
      const { client, server } = await socketPair({ ...both, ktls, io, data: 'loop' }, { ...both, ktls, io });
      assert.equal(server.ssl.ktls.send, inKernel);
      assert.equal(server.ssl.ktls.receive, inKernel && (both === tls12 || receives13));
      const [up, down] = [pattern(megabyte, 3), pattern(megabyte, 5)];
      client.end(up);
      server.end(down);
      const [atClient, atServer] = await within(Promise.all([collect(client), collect(server)]), 'the data');
      assert.ok(atClient.equals(down));
      assert.ok(atServer.equals(up));
    });
  }
});

describe('kernel TLS, the option', () => {
  it('is a boolean', async () => {
    const context = new SslContext({});
    for (const wrong of [1, 'yes', {}] as never[]) {
      thrown(() => new Ssl(context, { side: 'client', ktls: wrong }), codes.wrongType);
      thrown(() => createServer({ ktls: wrong }), codes.wrongType);
      await rejected(connect({ port: 1, ktls: wrong }), codes.wrongType);
    }
  });

  it('is nothing to memory: the reason says what it would take', async () => {
    const pair = await connectedPair({ clientSsl: { ktls }, serverSsl: { ktls } });
    const { client, server } = pair;
    assert.match(String(client.ktls.reason), /TCP/);
    await client.write('hello');
    assert.equal(String(await pair.during(server.read())), 'hello');
    assert.deepEqual([client.ktls.send, server.ktls.receive], [false, false]);
  });

  it('tells nothing before the handshake and throws after close()', async () => {
    const { port } = await startServer({ ...tls13, ktls });
    const ssl = new Ssl(new SslContext({ ca: certificates().ca.cert }), {
      side: 'client',
      servername: 'localhost',
      ktls,
    });
    const socket = await lendSocket(port, ssl);
    assert.equal(ssl.ktls.send, false);
    assert.match(String(ssl.ktls.reason), inKernel ? /handshake/ : /kernel/);
    ssl.close();
    thrown(() => ssl.ktls, codes.closed);
    socket.destroy();
  });

  it('over a Unix socket the connection works without', async () => {
    const path = `${certificates().folder}/ktls-${process.pid}.sock`;
    const { cert, key } = certificates().server;
    const server = createServer({ cert, key, ktls }, socket => socket.pipe(socket));
    await server.listen({ path });
    try {
      const client = await connect({ path, servername: 'localhost', ca: certificates().ca.cert, ktls });
      assert.equal(client.ssl.ktls.send, false);
      assert.match(String(client.ssl.ktls.reason), inKernel ? /TCP/ : /kernel/);
      client.end('hello');
      assert.equal(String(await within(collect(client), 'the echo')), 'hello');
    } finally {
      await server.close();
    }
  });
});

/** An Ssl of its own on a socket that nobody else uses. */
async function plainClient(port: number, version: object, useKtls: boolean): Promise<Ssl> {
  const context = new SslContext({ ca: certificates().ca.cert, ...version });
  const ssl = new Ssl(context, { side: 'client', servername: 'localhost', ktls: useKtls });
  await lendSocket(port, ssl);
  await ssl.connect();
  return ssl;
}

/** A connection of node's, which only lends its descriptor. */
async function lendSocket(port: number, ssl: Ssl): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').pause();
  await once(socket, 'connect');
  ssl.setFd((socket as unknown as { _handle: { fd: number } })._handle.fd);
  return socket;
}

/** A pair with somebody in between who can change or break what goes to the server. */
async function throughProxy(version: object) {
  const running = await startServer({ ...version, ktls });
  let changes = false;
  const toClient = new Promise<net.Socket>(resolve => {
    const proxy = net.createServer(near => {
      const far = net.connect(running.port, '127.0.0.1');
      near.on('data', data => {
        if (changes) data[data.length - 1] = (data.at(-1) as number) ^ 1;
        far.write(data);
      });
      far.on('data', data => near.write(data));
      near.on('error', () => far.destroy()).on('close', () => far.destroy());
      far.on('error', () => near.destroy()).on('close', () => near.end());
      proxy.close();
      resolve(near);
    });
    proxy.listen(0, '127.0.0.1', () => started((proxy.address() as net.AddressInfo).port));
  });
  let started!: (port: number) => void;
  const listening = new Promise<number>(resolve => {
    started = resolve;
  });
  const [client, server] = await Promise.all([
    listening.then(port => connectTo(port, { ...version, ktls })),
    running.next(),
  ]);
  const tamper = () => {
    changes = true;
  };
  return { client, server, port: await toClient, tamper };
}
