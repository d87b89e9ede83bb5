import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import { Bio, Ssl } from 'system-tls';
import { pattern, readAtLeast, readToEnd } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext, serverContext, versions } from '../../support/memory-pair.ts';
import { fdOf, quietPair } from '../../support/quiet-pair.ts';
import { pool, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

function makeSsl(side: 'client' | 'server', options = {}): Ssl {
  const context = side === 'client' ? clientContext(options) : serverContext(options);
  const ssl = new Ssl(context, side === 'client' ? { side, io: pool, servername: 'localhost' } : { side, io: pool });
  open.add({ destroy: () => ssl.close() });
  return ssl;
}

const open = new Set<{ destroy(): unknown }>();

afterEach('closes sockets', () => {
  for (const each of open) each.destroy();
  open.clear();
});

const isOpen = (fd: number): boolean => {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
};

describe('setFd', () => {
  for (const [version, both] of versions) {
    it(`${version}: a descriptor of the user’s stays the user’s`, async () => {
      const [near, far] = await quietPair();
      const [client, server] = [makeSsl('client', both), makeSsl('server', both)];
      client.setFd(fdOf(near));
      server.setFd(fdOf(far));
      await within(Promise.all([client.connect(), server.accept()]), 'the handshake');
      const data = pattern(2 << 20);
      const [got] = await within(Promise.all([readAtLeast(server, data.length), client.write(data)]), 'the data');
      assert.ok(got.equals(data));
      await within(Promise.all([client.shutdown({ wait: true }), server.shutdown({ wait: true })]), 'the shutdown');
      client.close();
      server.close();
      // TLS is over; the connection goes on in clear.
      assert.ok(isOpen(fdOf(near)) && isOpen(fdOf(far)));
      far.resume();
      near.write('in clear');
      const [chunk] = (await within(once(far, 'data'), 'clear text')) as [Buffer];
      assert.equal(String(chunk), 'in clear');
    });
  }

  it('the user closes it under the connection: no other socket with the same number is touched', async () => {
    const [near, far] = await quietPair();
    const client = makeSsl('client');
    const number = fdOf(near);
    client.setFd(number);
    const connecting = client.connect();
    near.destroy();
    await until(() => !isOpen(number), 'the descriptor to be closed');
    // Sockets of other tests, on their way out, may have freed lower ones meanwhile.
    const others = [openSync('/dev/null', 'r')];
    while ((others.at(-1) as number) < number) others.push(openSync('/dev/null', 'r'));
    assert.equal(others.at(-1), number, 'the number is in use again');
    // Ours is a duplicate: the connection still works.
    const server = makeSsl('server');
    server.setFd(fdOf(far));
    await within(Promise.all([connecting, server.accept()]), 'the handshake');
    client.close();
    assert.ok(isOpen(number), 'and is not closed by us');
    for (const other of others) closeSync(other);
  });

  it('with close: true it is ours, and closed with the connection', async () => {
    const { port, next } = await startServer();
    const plain = net.connect(port, '127.0.0.1').pause();
    await once(plain, 'connect');
    const child = nodeScript(
      `
      import { readFileSync, fstatSync } from 'node:fs';
      import { Ssl, SslContext } from 'system-tls';
      const ssl = new Ssl(new SslContext({ ca: readFileSync(process.argv[1]) }), { side: 'client', servername: 'localhost' });
      ssl.setFd(3, { close: true });
      await ssl.connect();
      await ssl.write(Buffer.from('from the child'));
      await ssl.shutdown({ wait: true });
      fstatSync(3);
      ssl.close();
      try { fstatSync(3); console.log('still open'); } catch (error) { console.log(error.code); }
      `,
      { handOver: plain, args: [certificates().ca.certFile] },
    );
    plain.destroy();
    const socket = await next();
    socket.resume();
    assert.deepEqual(await within(child.exited, 'the child'), { code: 0, signal: null }, child.output);
    assert.match(child.output, /^EBADF$/m);
  });

  it('without close it survives the connection', async () => {
    const { port, next } = await startServer();
    const plain = net.connect(port, '127.0.0.1').pause();
    await once(plain, 'connect');
    const child = nodeScript(
      `
      import { readFileSync, fstatSync } from 'node:fs';
      import { Ssl, SslContext } from 'system-tls';
      const ssl = new Ssl(new SslContext({ ca: readFileSync(process.argv[1]) }), { side: 'client', servername: 'localhost' });
      ssl.setFd(3);
      await ssl.connect();
      ssl.close();
      console.log(fstatSync(3).isSocket() ? 'still open' : 'something else');
      `,
      { handOver: plain, args: [certificates().ca.certFile] },
    );
    plain.destroy();
    (await next()).resume();
    assert.deepEqual(await within(child.exited, 'the child'), { code: 0, signal: null }, child.output);
    assert.match(child.output, /^still open$/m);
  });

  it('a failed setFd leaves the descriptor with its owner, and the connection may have another', async () => {
    const ssl = makeSsl('client');
    const file = openSync('/dev/null', 'r+');
    thrown(() => ssl.setFd(file, { close: true }), 'ENOTSOCK');
    assert.ok(isOpen(file));
    closeSync(file);
    const [near, far] = await quietPair();
    ssl.setFd(fdOf(near));
    const server = makeSsl('server');
    server.setFd(fdOf(far));
    await within(Promise.all([ssl.connect(), server.accept()]), 'the handshake');
  });

  it('with close: true refuses a descriptor that node polls, and leaves it open and working', async () => {
    const [near, far] = await quietPair();
    far.resume();
    near.resume();
    far.write('read by node');
    await within(once(near, 'data'), 'that node reads');
    const fd = fdOf(near);
    const ssl = makeSsl('client');
    thrown(() => ssl.setFd(fd, { close: true }), 'EEXIST');
    ssl.close();
    assert.ok(isOpen(fd));
    const arrived = once(far, 'data');
    near.write('still there');
    await within(arrived, 'data');
  });

  it('a fatal error leaves the user’s own socket as it is', async () => {
    const [near, far] = await quietPair();
    const ssl = makeSsl('server');
    ssl.setFd(fdOf(near));
    const accepting = ssl.accept();
    far.write('GET / HTTP/1.0\r\n\r\n');
    await rejected(accepting, 'ERR_SSL_HTTP_REQUEST');
    far.resume();
    const arrived = once(far, 'data');
    near.write('not shut down');
    await within(arrived, 'data');
    await until(() => far.bytesRead >= 'not shut down'.length, 'all of it');
    assert.equal(near.writable, true);
  });

  it('refuses what is no connected stream socket', async () => {
    const ssl = makeSsl('client');
    const file = openSync(certificates().ca.certFile, 'r');
    thrown(() => ssl.setFd(file), 'ENOTSOCK');
    closeSync(file);
    thrown(() => ssl.setFd(file), 'EBADF');

    const fifo = join(certificates().folder, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const pipe = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    thrown(() => ssl.setFd(pipe), 'ENOTSOCK');
    closeSync(pipe);

    const datagrams = createSocket('udp4');
    datagrams.bind(0, '127.0.0.1');
    await once(datagrams, 'listening');
    const udp = (datagrams as unknown as Record<symbol, { handle: { fd: number } }>)[
      Object.getOwnPropertySymbols(datagrams).find(symbol => symbol.description === 'state symbol') as symbol
    ]?.handle.fd;
    thrown(() => ssl.setFd(udp as number), /^E[A-Z]+$|^ERR_/);
    datagrams.close();

    const listener = net.createServer().listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const listening = async () => {
      ssl.setFd(fdOf(listener));
      await ssl.connect();
    };
    await rejected(listening(), /^E[A-Z]+$|^ERR_/);
    listener.close();
  });

  it('refuses what is no number of a descriptor', () => {
    const ssl = makeSsl('client');
    for (const wrong of [-1, 1.5, Number.NaN, 2 ** 40, '3', null, undefined, {}]) {
      thrown(
        () => ssl.setFd(wrong as never),
        ['ERR_INVALID_ARG_TYPE', 'ERR_OUT_OF_RANGE', 'ERR_INVALID_ARG_VALUE', 'EBADF'],
      );
    }
    thrown(() => ssl.setFd(1 << 20), 'EBADF');
  });

  it('the peer closes TCP: the end of the handshake, and of reading', async () => {
    const [near, far] = await quietPair();
    const client = makeSsl('client');
    client.setFd(fdOf(near));
    const connecting = client.connect();
    far.end();
    await rejected(connecting, 'ERR_SSL_UNEXPECTED_EOF');
  });

  it('the peer closes TCP without close_notify after data: the data, then the truncation', async () => {
    const [near, far] = await quietPair();
    const [client, server] = [makeSsl('client'), makeSsl('server')];
    client.setFd(fdOf(near));
    server.setFd(fdOf(far));
    await within(Promise.all([client.connect(), server.accept()]), 'the handshake');
    await server.write(Buffer.from('all of it'));
    far.end();
    await rejected(readToEnd(client), 'ERR_SSL_UNEXPECTED_EOF');
  });
});

describe('Bio.socket', () => {
  for (const [version, both] of versions) {
    it(`${version}: carries a connection on either side, and leaves the descriptor to its user`, async () => {
      const [near, far] = await quietPair();
      const [client, server] = [makeSsl('client', both), makeSsl('server', both)];
      const [nearBio, farBio] = [Bio.socket(fdOf(near)), Bio.socket(fdOf(far), { close: false })];
      client.setBio(nearBio, nearBio);
      server.setBio(farBio, farBio);
      await within(Promise.all([client.connect(), server.accept()]), 'the handshake');
      const data = pattern(1 << 18);
      const [got] = await within(Promise.all([readAtLeast(server, data.length), client.write(data)]), 'the data');
      assert.ok(got.equals(data));
      client.close();
      server.close();
      assert.ok(isOpen(fdOf(near)) && isOpen(fdOf(far)));
    });
  }

  it('with close: true is closed with its connection', async () => {
    const { port, next } = await startServer();
    const plain = net.connect(port, '127.0.0.1').pause();
    await once(plain, 'connect');
    const child = nodeScript(
      `
      import { readFileSync, fstatSync } from 'node:fs';
      import { Bio, Ssl, SslContext } from 'system-tls';
      const ssl = new Ssl(new SslContext({ ca: readFileSync(process.argv[1]) }), { side: 'client', servername: 'localhost' });
      const bio = Bio.socket(3, { close: true });
      ssl.setBio(bio, bio);
      await ssl.connect();
      await ssl.shutdown({ wait: true });
      fstatSync(3);
      ssl.close();
      try { fstatSync(3); console.log('still open'); } catch (error) { console.log(error.code); }
      `,
      { handOver: plain, args: [certificates().ca.certFile] },
    );
    plain.destroy();
    (await next()).resume();
    assert.deepEqual(await within(child.exited, 'the child'), { code: 0, signal: null }, child.output);
    assert.match(child.output, /^EBADF$/m);
  });

  it('has no bytes of its own, serves both directions, and must be a socket', async () => {
    const [near] = await quietPair();
    const bio = Bio.socket(fdOf(near));
    thrown(() => bio.write('x'), 'ERR_TLS_BIO_IS_SOCKET');
    thrown(() => bio.read(), 'ERR_TLS_BIO_IS_SOCKET');
    const client = makeSsl('client');
    thrown(() => client.setBio(bio, Bio.memory()), 'ERR_INVALID_ARG_VALUE');
    thrown(() => client.setBio(Bio.memory(), bio), 'ERR_INVALID_ARG_VALUE');
    thrown(() => client.setBio(bio, Bio.socket(fdOf(near))), 'ERR_INVALID_ARG_VALUE');
    for (const wrong of [-1, 1.5, 2 ** 31]) thrown(() => Bio.socket(wrong), 'ERR_OUT_OF_RANGE');
    thrown(() => Bio.socket('3' as never), 'ERR_INVALID_ARG_TYPE');
    thrown(() => Bio.socket(fdOf(near), { close: 1 as never }), 'ERR_INVALID_ARG_TYPE');
    const file = openSync('/dev/null', 'r');
    const noSocket = Bio.socket(file);
    thrown(() => client.setBio(noSocket, noSocket), /./);
    closeSync(file);
    client.setBio(bio, bio);
  });
});

describe('a second transport', () => {
  it('is refused, whichever there are, and the first goes on', async () => {
    const [near, far] = await quietPair();
    const [other] = await quietPair();
    const [client, server] = [makeSsl('client'), makeSsl('server')];
    client.setFd(fdOf(near));
    const [end, otherEnd] = Bio.pair();
    const bio = Bio.socket(fdOf(far));
    server.setBio(bio, bio);
    for (const ssl of [client, server]) {
      thrown(() => ssl.setFd(fdOf(other)), 'ERR_TLS_HAS_TRANSPORT');
      thrown(() => ssl.setBio(end, end), 'ERR_TLS_HAS_TRANSPORT');
      thrown(() => ssl.setBio(bio, bio), 'ERR_TLS_HAS_TRANSPORT');
    }
    await within(Promise.all([client.connect(), server.accept()]), 'the handshake');
    assert.ok(isOpen(fdOf(other)));
    // What was refused belongs to nobody.
    const third = new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
    const fourth = new Ssl(serverContext(), { side: 'server' });
    for (const ssl of [third, fourth]) open.add({ destroy: () => ssl.close() });
    third.setBio(end, end);
    fourth.setBio(otherEnd, otherEnd);
    await within(Promise.all([third.connect(), fourth.accept()]), 'the handshake');
    thrown(() => third.setFd(fdOf(other)), 'ERR_TLS_HAS_TRANSPORT');
  });
});
