// What a TlsSocket may stand on: a socket of the user's, any Duplex, another TlsSocket, BIOs in memory.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex, duplexPair, PassThrough } from 'node:stream';
import { Bio, connect, Ssl, TlsSocket } from 'system-tls';
import { pattern } from '../../support/bytes.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext, connectedPair, makePair, serverContext, tls12 } from '../../support/memory-pair.ts';
import { collect, connectTo, startServer } from '../../support/sockets.ts';
import { sleep, turns, until, within } from '../../support/wait.ts';

const client = {
  servername: 'localhost',
  get ca() {
    return certificates().ca.cert;
  },
};

/** Two Duplexes, each reading what the other writes. */
function pipes(): [Duplex, Duplex] {
  if (typeof duplexPair === 'function') return duplexPair() as [Duplex, Duplex];
  const [there, back] = [new PassThrough(), new PassThrough()];
  return [Duplex.from({ readable: back, writable: there }), Duplex.from({ readable: there, writable: back })];
}

/** A server's TlsSocket on what is not a socket. */
async function acceptOn(duplex: Duplex): Promise<TlsSocket> {
  const ssl = new Ssl(serverContext(), { side: 'server' });
  const [a, b] = Bio.pair({ size: 1 << 16 });
  ssl.setBio(a, a);
  let waiting = Buffer.alloc(0);
  const pump = () => {
    if (waiting.length > 0) waiting = waiting.subarray(b.write(waiting));
    for (let out = b.read(); out !== null && out.length > 0; out = b.read()) duplex.write(out);
  };
  duplex.on('data', (chunk: Buffer) => {
    waiting = Buffer.concat([waiting, chunk]);
    pump();
  });
  duplex.on('end', () => b.end());
  b.on('readable', pump);
  await ssl.accept();
  return new TlsSocket(ssl);
}

describe('a TlsSocket', () => {
  describe('on a net.Socket of the user’s', () => {
    for (const [state, prepare] of [
      ['that is still connecting', async (socket: net.Socket) => socket],
      [
        'that is connected and unused',
        async (socket: net.Socket) => {
          socket.pause();
          await once(socket, 'connect');
          return socket;
        },
      ],
      [
        'that has carried data before (STARTTLS)',
        async (socket: net.Socket) => {
          await once(socket, 'connect');
          socket.write('STARTTLS\r\n');
          assert.equal(String((await once(socket, 'data'))[0]), 'go ahead\r\n');
          return socket;
        },
      ],
    ] as const) {
      it(state, async () => {
        const { port } = await startServer({}, socket => socket.pipe(socket));
        // Says "go ahead" to a line, then leads to the server.
        const front = net.createServer(near => {
          const far = net.connect(port, '127.0.0.1');
          for (const each of [near, far]) each.on('error', () => {});
          const lead = () => near.pipe(far).pipe(near);
          if (!state.includes('STARTTLS')) {
            lead();
            return;
          }
          near.once('data', () => {
            near.pause();
            near.write('go ahead\r\n');
            lead();
          });
        });
        front.listen(0, '127.0.0.1');
        await once(front, 'listening');
        try {
          const plain = await prepare(net.connect((front.address() as net.AddressInfo).port, '127.0.0.1'));
          const socket = await within(connect({ ...client, socket: plain }), 'the connection');
          socket.on('error', () => {});
          const data = pattern(2 << 20);
          const echoed = collect(socket);
          socket.end(data);
          assert.ok((await within(echoed, 'the echo')).equals(data));
        } finally {
          front.close();
        }
      });
    }

    it('that cannot connect: its error', async () => {
      const { port, server } = await startServer();
      await server.close();
      await rejected(connect({ ...client, socket: net.connect(port, '127.0.0.1') }), 'ECONNREFUSED');
    });

    it('that is destroyed', async () => {
      const socket = new net.Socket();
      socket.destroy();
      await rejected(connect({ ...client, socket }), codes.closed);
    });
  });

  describe('on any Duplex', () => {
    it('carries data both ways', async () => {
      const [near, far] = pipes();
      const [socket, peer] = await within(Promise.all([connect({ ...client, socket: near }), acceptOn(far)]), 'both');
      peer.pipe(peer);
      const data = pattern(1 << 20);
      const echoed = collect(socket);
      socket.end(data);
      assert.ok((await within(echoed, 'the echo')).equals(data));
      assert.equal(socket.remoteAddress, undefined);
    });

    it('inside another TlsSocket', async () => {
      const inner = await startServer({}, socket => socket.pipe(socket));
      const outer = await startServer({}, socket => {
        const onward = net.connect(inner.port, '127.0.0.1').on('error', () => {});
        socket.pipe(onward).pipe(socket);
      });
      const tunnel = await connectTo(outer.port);
      const socket = await within(connect({ ...client, socket: tunnel }), 'the inner connection');
      socket.on('error', () => {});
      const data = pattern(2 << 20);
      const echoed = collect(socket);
      socket.end(data);
      assert.ok((await within(echoed, 'the echo')).equals(data));
    });

    it('that ends in the handshake, or fails', async () => {
      const [near, far] = pipes();
      const ending = connect({ ...client, socket: near });
      far.resume().end();
      await rejected(ending, codes.unexpectedEof);
      const [other] = pipes();
      const failing = connect({ ...client, socket: other });
      const mine = Object.assign(new Error('mine'), { code: 'EMINE' });
      await turns(2);
      other.destroy(mine);
      await rejected(failing, 'EMINE');
    });

    it('that does not take bytes holds the writer back', async () => {
      let taken = 0;
      let release: (() => void) | undefined;
      const [near, far] = pipes();
      const narrow = new Duplex({
        read: () => {},
        write: (chunk: Buffer, _encoding, callback) => {
          taken += chunk.length;
          const forward = () => void near.write(chunk, callback);
          if (release === undefined && taken > 1 << 20) release = forward;
          else forward();
        },
      });
      near.on('data', chunk => narrow.push(chunk));
      const [socket, peer] = await within(Promise.all([connect({ ...client, socket: narrow }), acceptOn(far)]), 'both');
      peer.resume();
      const block = pattern(1 << 16);
      let [written, drained] = [0, true];
      while (drained && written < 64 << 20) {
        written += block.length;
        if (socket.write(block)) continue;
        drained = await Promise.race([once(socket, 'drain').then(() => true), sleep(50).then(() => false)]);
      }
      assert.ok(written < 4 << 20, `${written} bytes written`);
      assert.equal(drained, false);
      const draining = once(socket, 'drain');
      release?.();
      await within(draining, 'drain');
      socket.destroy();
      peer.destroy();
    });

    it('is destroyed with it, at once, by destroy()', async () => {
      const [near, far] = pipes();
      const [socket, peer] = await within(Promise.all([connect({ ...client, socket: near }), acceptOn(far)]), 'both');
      // It may hear of the end, which is none of TLS.
      peer.on('error', () => {});
      socket.destroy();
      assert.equal(near.destroyed, true);
    });

    it('is destroyed after an orderly end, when close_notify has gone out behind all data', async () => {
      const [near, far] = pipes();
      const [socket, peer] = await within(Promise.all([connect({ ...client, socket: near }), acceptOn(far)]), 'both');
      const got = collect(peer);
      const data = pattern(20_000);
      socket.resume().end(data);
      await within(once(socket, 'finish'), 'finish');
      socket.destroy();
      assert.ok((await within(got, 'the data, and a clean end')).equals(data));
      await until(() => near.destroyed, 'the Duplex to be destroyed');
    });

    it('that the peer keeps open and does not read is destroyed all the same', async () => {
      const { port } = await startServer({}, socket => socket.resume());
      let stop = (): void => undefined;
      const ends: net.Socket[] = [];
      // Leads to the server, keeps its end open whatever happens, and stops reading on demand.
      const front = net.createServer({ allowHalfOpen: true }, near => {
        const far = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
        for (const each of [near, far]) ends.push(each.on('error', () => {}));
        near.on('data', chunk => far.write(chunk)).on('close', () => far.destroy());
        far.on('data', chunk => near.write(chunk));
        stop = () => void near.pause();
      });
      front.listen(0, '127.0.0.1');
      await once(front, 'listening');
      try {
        const plain = net.connect((front.address() as net.AddressInfo).port, '127.0.0.1');
        await once(plain, 'connect');
        plain.pause().read(0);
        // Used before, so it is pumped.
        const used = new Duplex({
          read: () => void plain.resume(),
          write: (chunk, _encoding, callback) => void plain.write(chunk, callback),
          final: callback => void plain.end(callback),
          destroy: (error, callback) => {
            plain.destroy();
            callback(error);
          },
        });
        plain.on('data', chunk => used.push(chunk));
        const socket = await within(connect({ ...client, socket: used }), 'the connection');
        stop();
        socket.end('goodbye');
        await within(once(socket, 'finish'), 'finish');
        socket.destroy();
        await until(() => plain.destroyed, 'the net.Socket to be destroyed');
      } finally {
        for (const each of ends) each.destroy();
        front.close();
      }
    });

    it('what is no Duplex is refused', async () => {
      for (const socket of [7, 'x', {}, new EventTarget()]) {
        await rejected(connect({ ...client, socket: socket as never }), codes.wrongType);
      }
    });
  });

  describe('on an Ssl in memory', () => {
    it('is a stream like any other', async () => {
      const pair = await connectedPair();
      const [near, far] = [new TlsSocket(pair.client), new TlsSocket(pair.server)];
      far.pipe(far);
      pair.flow();
      const echoed = collect(near);
      near.end(pattern(500_000));
      assert.ok((await within(echoed, 'the echo')).equals(pattern(500_000)));
    });

    it('performs a handshake that was not made', async () => {
      const pair = makePair();
      const [near, far] = [new TlsSocket(pair.client), new TlsSocket(pair.server)];
      pair.flow();
      near.end('hello');
      assert.equal(String(await within(collect(far), 'the text')), 'hello');
    });

    it('only one on each', async () => {
      const pair = await connectedPair();
      const socket = new TlsSocket(pair.client);
      thrown(() => new TlsSocket(pair.client), 'ERR_TLS_SSL_IN_USE');
      socket.destroy();
      thrown(() => new TlsSocket(pair.client), 'ERR_TLS_SSL_IN_USE');
      for (const wrong of [undefined, null, 7, {}, clientContext()]) {
        thrown(() => new TlsSocket(wrong as never), [codes.wrongType, codes.wrongThis]);
      }
    });

    it('closing the Ssl under it destroys it', async () => {
      const pair = await connectedPair();
      const socket = new TlsSocket(pair.client);
      const closing = once(socket, 'close');
      pair.client.close();
      await within(closing, 'close');
      assert.equal(socket.destroyed, true);
    });

    it('closing it closes the Ssl', async () => {
      const pair = await connectedPair();
      const socket = new TlsSocket(pair.client);
      socket.destroy();
      await rejected(pair.client.write(Buffer.from('x')), codes.closed);
    });

    it('a failure is an error of the stream, once', async () => {
      const pair = await connectedPair({ both: tls12 });
      const socket = new TlsSocket(pair.client);
      const seen: string[] = [];
      socket.on('error', error => seen.push((error as unknown as { code: string }).code));
      socket.on('close', () => seen.push('close'));
      socket.resume();
      socket.write('pending');
      pair.toClient.to.write(Buffer.from('GET / HTTP/1.1\r\n\r\n'));
      await within(
        once(socket, 'close').catch(() => sleep(10)),
        'the end',
      );
      assert.deepEqual(seen, ['ERR_SSL_WRONG_VERSION_NUMBER', 'close']);
    });

    it('operations of the Ssl go on beside the stream', async () => {
      const pair = await connectedPair();
      const [near, far] = [new TlsSocket(pair.client), new TlsSocket(pair.server)];
      pair.flow();
      const collected = collect(far);
      near.write('one ');
      await near.ssl.keyUpdate({ requestPeer: true });
      near.write('two ');
      await near.keyUpdate();
      near.end('three');
      assert.equal(String(await within(collected, 'the text')), 'one two three');
    });
  });
});
