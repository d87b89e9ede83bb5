// end() of a socket whose handshake is not complete: nothing was said, and nobody is to be told goodbye.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { Bio, Ssl, TlsSocket } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { clientContext, makePair, serverContext } from '../../support/memory-pair.ts';
import { pool } from '../../support/sockets.ts';
import { turns, until, watch, within } from '../../support/wait.ts';

type Act = (socket: TlsSocket) => void;

const acts: Readonly<Record<string, Act>> = {
  'end()': socket => void socket.end(),
  "end('')": socket => void socket.end(''),
  'resume().end()': socket => void socket.resume().end(),
  'end() twice': socket => void socket.end().end(),
  'end(callback)': socket => void socket.end(() => {}),
  'destroySoon()': socket => socket.destroySoon(),
};

/** Without a listener for 'error': one would end the process. */
function eventsOf(socket: TlsSocket): string[] {
  const events: string[] = [];
  for (const event of ['finish', 'close']) socket.on(event, () => events.push(event));
  return events;
}

const hosts = new Set<net.Server>();
afterEach('ends hosts', () => {
  for (const host of hosts) host.close();
  hosts.clear();
});

/** Both ends of a plain connection. */
async function plainPair(): Promise<{ near: net.Socket; far: net.Socket }> {
  const host = net.createServer().listen(0, '127.0.0.1');
  hosts.add(host);
  await once(host, 'listening');
  const near = net.connect((host.address() as net.AddressInfo).port, '127.0.0.1');
  const [far] = (await once(host, 'connection')) as [net.Socket];
  for (const socket of [near, far]) socket.on('error', () => {});
  return { near, far };
}

const wraps: Readonly<Record<string, (raw: net.Socket) => TlsSocket>> = {
  'over a Duplex': raw => {
    const ssl = new Ssl(serverContext(), { side: 'server' });
    const bio = Bio.duplex(raw, { close: true });
    ssl.setBio(bio, bio);
    return new TlsSocket(ssl);
  },
  'over a descriptor': raw => {
    const ssl = new Ssl(serverContext(), { side: 'server', io: pool });
    ssl.setFd((raw as unknown as { _handle: { fd: number } })._handle.fd);
    raw.destroy();
    return new TlsSocket(ssl);
  },
};

describe('end() before the handshake is complete', () => {
  for (const [transport, wrap] of Object.entries(wraps)) {
    for (const [name, act] of Object.entries(acts)) {
      it(`${transport}, ${name}: 'finish' and 'close', and the peer sees the end`, async () => {
        for (const hello of ['none', 'half of one']) {
          const { near, far } = await plainPair();
          // By a reset, where something was not read.
          const ended = new Promise(resolve => near.resume().once('close', resolve));
          if (hello !== 'none') near.write(Buffer.from([22, 3, 1, 2, 0, 1, 0, 1]));
          const socket = wrap(far);
          const events = eventsOf(socket);
          if (hello !== 'none') await turns(3);
          act(socket);
          await within(once(socket, 'close'), 'close');
          assert.deepEqual(events, ['finish', 'close']);
          await within(ended, 'the end at the peer');
          assert.equal(socket.ssl.closed, true);
        }
      });
    }

    it(`${transport}, what was written before waits for the handshake, and arrives`, async () => {
      const { near, far } = await plainPair();
      const socket = wrap(far);
      const events = eventsOf(socket);
      socket.end('last words');
      const client = tls.connect({ socket: near, ca: certificates().ca.cert, servername: 'localhost' });
      let got = '';
      client.on('data', (chunk: Buffer) => {
        got += String(chunk);
      });
      await within(once(client, 'end'), 'the end');
      assert.equal(got, 'last words');
      await until(() => events.includes('close'), 'close');
      assert.deepEqual(events, ['finish', 'close']);
    });
  }

  it('of a client, whose ClientHello is unanswered', async () => {
    for (const act of Object.values(acts)) {
      const { near, far } = await plainPair();
      const ssl = new Ssl(clientContext(), { side: 'client', servername: 'localhost', io: pool });
      ssl.setFd((near as unknown as { _handle: { fd: number } })._handle.fd);
      near.destroy();
      const socket = new TlsSocket(ssl);
      const events = eventsOf(socket);
      await within(once(far, 'data'), 'the ClientHello');
      act(socket);
      await within(once(socket, 'close'), 'close');
      assert.deepEqual(events, ['finish', 'close']);
      far.destroy();
    }
  });

  it('comes behind a handshake that was asked for, and says close_notify then', async () => {
    const pair = makePair();
    const accepting = watch(pair.server.accept());
    const socket = new TlsSocket(pair.server);
    const events = eventsOf(socket);
    socket.end();
    await turns(3);
    assert.deepEqual(events, []);
    await pair.during(Promise.all([accepting.promise, pair.client.connect()]));
    assert.equal(await pair.during(pair.client.read()), null);
    assert.deepEqual(events, ['finish']);
  });

  it('a handshake that failed before is an error as ever', async () => {
    const { near, far } = await plainPair();
    const socket = (wraps['over a Duplex'] as (raw: net.Socket) => TlsSocket)(far);
    const failed = once(socket, 'close').catch((error: Error) => error);
    const errors: unknown[] = [];
    socket.on('error', error => errors.push((error as NodeJS.ErrnoException).code));
    near.end('GET / HTTP/1.1\r\n\r\n');
    await within(failed, 'the failure');
    socket.end();
    assert.deepEqual(errors, ['ERR_SSL_HTTP_REQUEST']);
  });

  it('when it is complete end() says close_notify', async () => {
    const pair = await makePair().handshake();
    const socket = new TlsSocket(pair.server);
    socket.end();
    assert.equal(await pair.during(pair.client.read()), null);
  });
});
