// A transport written in JavaScript: any Duplex, as a Bio.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex, duplexPair, PassThrough } from 'node:stream';
import { Bio, BufferBio, IoPool, Ssl, SslBio, SslContext } from 'system-tls';
import { pattern, readAtLeast } from '../../support/bytes.ts';
import { nodeScript } from '../../support/child.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext, serverContext } from '../../support/memory-pair.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { patience, turns, until, watch, within } from '../../support/wait.ts';

/** Two Duplexes, each reading what the other writes. */
function pipes(): [Duplex, Duplex] {
  if (typeof duplexPair === 'function') return duplexPair() as [Duplex, Duplex];
  const [there, back] = [new PassThrough(), new PassThrough()];
  return [Duplex.from({ readable: back, writable: there }), Duplex.from({ readable: there, writable: back })];
}

const open = new Set<Ssl>();

function on(side: 'client' | 'server', stream: Duplex, close = false): Ssl {
  const context = side === 'client' ? clientContext() : serverContext();
  const ssl = new Ssl(context, { side, servername: side === 'client' ? 'localhost' : undefined });
  const bio = Bio.duplex(stream, { close });
  ssl.setBio(bio, bio);
  open.add(ssl);
  return ssl;
}

async function connected(close = false): Promise<{ client: Ssl; server: Ssl; near: Duplex; far: Duplex }> {
  const [near, far] = pipes();
  const [client, server] = [on('client', near, close), on('server', far)];
  await within(Promise.all([client.connect(), server.accept()]), 'the handshake');
  return { client, server, near, far };
}

/** Takes what is written until it is told to stop, and gives nothing. */
function stuck(): { stream: Duplex; taken: () => number; goOn: () => void } {
  let taken = 0;
  let held: (() => void) | undefined;
  const stream = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, callback) => {
      taken += chunk.length;
      held = callback;
    },
  });
  return { stream, taken: () => taken, goOn: () => held?.() };
}

describe('Bio.duplex', () => {
  afterEach(() => {
    for (const ssl of open) ssl.close();
    open.clear();
  });

  it('carries a connection both ways', async () => {
    const { client, server } = await connected();
    const data = pattern(2 << 20);
    const [there, back] = await within(
      Promise.all([
        readAtLeast(server, data.length),
        readAtLeast(client, data.length),
        client.write(data),
        server.write(data),
      ]),
      'the data',
    );
    assert.ok(there.equals(data) && back.equals(data));
    await within(Promise.all([client.shutdown({ wait: true }), server.shutdown({ wait: true })]), 'the end');
  });

  it('may be one stream to read and another to write', async () => {
    const [there, back] = [new PassThrough(), new PassThrough()];
    const client = new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
    open.add(client);
    client.setBio(Bio.duplex(back), Bio.duplex(there));
    const server = on('server', Duplex.from({ readable: there, writable: back }));
    await within(Promise.all([client.connect(), server.accept()]), 'the handshake');
  });

  it('a stream that takes nothing holds the writer back', async () => {
    const { client, near } = await connected();
    // From now on nobody reads at the other end.
    const { stream, taken, goOn } = stuck();
    const ssl = on('client', stream);
    const connecting = watch(ssl.connect());
    await turns(5);
    assert.ok(taken() > 0);
    assert.equal(connecting.outcome.status, 'pending');
    goOn();
    open.delete(ssl);
    ssl.close();
    await rejected(connecting.promise, codes.closed);
    near.cork();
    let written = 0;
    let writing = watch(Promise.resolve());
    while (writing.outcome.status !== 'pending' && written < 16 << 20) {
      writing = watch(client.write(pattern(1 << 16)));
      written += 1 << 16;
      await turns(4);
    }
    assert.ok(written < 2 << 20, `${written} bytes written`);
    near.uncork();
    await within(writing.promise, 'the write, when the stream goes on');
  });

  it('a stream is held back when nobody reads the connection', async () => {
    const { client, server, near } = await connected();
    const data = pattern(8 << 20);
    const writing = watch(server.write(data));
    await turns(50);
    assert.equal(near.isPaused(), true);
    assert.equal(writing.outcome.status, 'pending');
    assert.ok(client.readableAmount < 1 << 17);
    assert.ok((await within(readAtLeast(client, data.length), 'all of it')).equals(data));
    await within(writing.promise, 'the write');
  });

  it('a stream that ends without close_notify is a truncation', async () => {
    const { client, far } = await connected();
    const read = client.read();
    far.end();
    await rejected(read, codes.unexpectedEof);
  });

  it('a stream that fails: its error is the cause', async () => {
    const { client, near } = await connected();
    const [read, again] = [client.read(), client.read()];
    const mine = new Error('mine');
    near.destroy(mine);
    assert.equal((await rejected(read, codes.unexpectedEof)).cause, mine);
    assert.equal((await rejected(again, codes.unexpectedEof)).cause, mine);
    assert.equal((await rejected(client.write('x'), codes.unexpectedEof)).cause, mine);
  });

  it('a stream that is destroyed under who only writes: EPIPE', async () => {
    const { client, near } = await connected();
    near.destroy();
    await turns(3);
    await rejected(client.write(pattern(1 << 20)), 'EPIPE');
  });

  it('a stream that throws instead of writing: its error is the cause', async () => {
    for (const thrower of [new Error('mine'), 'no Error']) {
      const duplex = new Duplex({
        read() {},
        write() {
          throw thrower;
        },
      });
      const bio = Bio.duplex(duplex, { close: true });
      const ssl = new Ssl(new SslContext(), { side: 'client' });
      ssl.setBio(bio, bio);
      const { cause } = await rejected(ssl.connect({ timeout: patience }), codes.unexpectedEof);
      if (thrower instanceof Error) assert.equal(cause, thrower);
      else assert.equal((cause as Error).cause, thrower);
      ssl.close();
      await within(new Promise(resolve => (duplex.closed ? resolve(true) : duplex.once('close', resolve))), 'its end');
    }
  });

  it('a stream that gives no bytes: its misuse is the cause', async () => {
    const stream = new Duplex({ objectMode: true, read: () => undefined, write: (_chunk, _encoding, done) => done() });
    const connecting = on('client', stream).connect();
    stream.push({ no: 'bytes' });
    const error = await rejected(connecting, codes.unexpectedEof);
    assert.ok(error.cause instanceof TypeError);
    const [near] = pipes();
    near.setEncoding('utf8');
    const text = on('client', near).connect();
    near.push(Buffer.from('text'));
    assert.ok((await rejected(text, codes.unexpectedEof)).cause instanceof TypeError);
  });

  it('a stream that has ended or is destroyed before', async () => {
    const [near, far] = pipes();
    far.end();
    near.resume();
    await once(near, 'end');
    await rejected(on('client', near).connect(), codes.unexpectedEof);
    far.destroy();
    await rejected(on('client', far).connect(), [codes.unexpectedEof, 'EPIPE']);
  });

  it('with close, the stream ends with the connection, behind the goodbye', async () => {
    const { client, server, near } = await connected(true);
    await client.write('last words');
    await client.shutdown();
    client.close();
    assert.equal(String(await within(server.read(), 'the words')), 'last words');
    assert.equal(await within(server.read(), 'the end'), null);
    await until(() => near.destroyed, 'the stream to be destroyed');
  });

  it('without close, the stream is left to its owner', async () => {
    const { client, server, near, far } = await connected(false);
    await Promise.all([client.shutdown({ wait: true }), server.shutdown({ wait: true })]);
    client.close();
    server.close();
    await turns(3);
    assert.equal(near.destroyed, false);
    assert.equal(near.listenerCount('data') + near.listenerCount('error') + near.listenerCount('close'), 0);
    near.write('plain again');
    assert.equal(String((await within(once(far.resume(), 'data'), 'plain data'))[0]), 'plain again');
  });

  it('a peer that takes nothing cannot keep it from closing', async () => {
    const { client, near } = await connected(true);
    near.cork();
    void client.write(pattern(1 << 20)).catch(() => undefined);
    await turns(5);
    client.close();
    await until(() => near.destroyed, 'the stream to be destroyed');
  });

  it('refuses what is no Duplex, no option, and a connection on an IoPool', async () => {
    for (const wrong of [undefined, null, 7, {}, new EventTarget()]) {
      thrown(() => Bio.duplex(wrong as never), codes.wrongType);
    }
    const [near] = pipes();
    thrown(() => Bio.duplex(near, 7 as never), codes.wrongType);
    thrown(() => Bio.duplex(near, { close: 'yes' as never }), codes.wrongType);
    const io = new IoPool({ threads: 1 });
    const ssl = new Ssl(clientContext(), { side: 'client', io });
    const bio = Bio.duplex(near);
    thrown(() => ssl.setBio(bio, bio), 'ERR_TLS_IO_POOL_TRANSPORT');
    ssl.close();
    await io.close();
  });

  describe('under a BufferBio', () => {
    it('gives a TlsSocket lines', async () => {
      const { port } = await startServer({}, socket => socket.pipe(socket));
      const socket = await connectTo(port);
      const bio = new BufferBio().push(Bio.duplex(socket, { close: true }));
      await bio.puts('one\ntwo\n');
      assert.equal(await within(bio.gets(), 'a line'), 'one\n');
      assert.equal(await within(bio.gets(), 'a line'), 'two\n');
      bio.close();
      await until(() => socket.destroyed, 'the socket to be destroyed');
    });

    it('tells a TlsSocket that was cut off from one that ended', async () => {
      for (const cut of [false, true]) {
        const { port, next } = await startServer();
        const bio = new BufferBio().push(Bio.duplex(await connectTo(port), { close: true }));
        const server = await next();
        server.write('half a line');
        const line = bio.gets();
        await turns(5);
        if (cut) server.destroy();
        else server.end();
        if (cut) await rejected(line, [codes.unexpectedEof, 'ECONNRESET']);
        else assert.equal(await within(line, 'the rest'), 'half a line');
        bio.close();
      }
    });

    it('over an SslBio on a net.Socket, as the tutorial stacks them', async () => {
      const { port } = await startServer({}, socket => socket.pipe(socket));
      const ssl = new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
      const bio = new BufferBio().push(new SslBio(ssl, { close: true }));
      bio.push(Bio.duplex(net.connect(port, '127.0.0.1'), { close: true }));
      await bio.puts('hello\n');
      assert.equal(await within(bio.gets(), 'the echo'), 'hello\n');
      await bio[Symbol.asyncDispose]();
      assert.equal(ssl.closed, true);
    });
  });

  it('neither stream nor Bio outlives a connection that was closed or collected', async () => {
    const child = nodeScript(
      `
      import { PassThrough, Duplex } from 'node:stream';
      import { Bio, Ssl, SslContext } from 'system-tls';
      const context = new SslContext();
      const seen = [];
      function make(close) {
        const stream = new Duplex({ read() {}, write(chunk, encoding, done) { done(); } });
        const bio = Bio.duplex(stream);
        seen.push(new WeakRef(stream), new WeakRef(bio));
        const ssl = new Ssl(context, { side: 'client' });
        ssl.setBio(bio, bio);
        if (close) ssl.close();
      }
      make(true);
      make(false);
      for (let i = 0; i < 20 && seen.some(each => each.deref()); i++) {
        await new Promise(resolve => setTimeout(resolve, 10));
        globalThis.gc();
      }
      console.log(seen.map(each => each.deref() === undefined).join());
      `,
      { flags: ['--expose-gc'] },
    );
    assert.equal((await child.exited).code, 0, child.output);
    assert.equal(child.output, 'true,true,true,true\n');
  });

  it('what was written to an end of a pair that is gone can still be read', async () => {
    const [near, far] = Bio.pair();
    near.write('left behind');
    near.close();
    assert.equal(far.eof, false);
    assert.equal(String(far.read()), 'left behind');
    assert.equal(far.read()?.length, 0);
    assert.equal(far.eof, true);
  });

  it('an end of a pair hears when there is room again', async () => {
    const [near, far] = Bio.pair({ size: 10 });
    let drains = 0;
    near.on('drain', () => drains++);
    assert.equal(near.write(pattern(20)), 10);
    await turns(2);
    assert.equal(drains, 0);
    far.read(1);
    far.read(1);
    await turns(2);
    assert.equal(drains, 1, 'once for both');
    assert.equal(near.write(pattern(20)), 2);
    near.removeAllListeners('drain');
    far.read();
    await turns(2);
    assert.equal(drains, 1);
  });
});
