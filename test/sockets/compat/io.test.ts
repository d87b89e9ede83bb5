// The option `io` of system-tls/tls, /https and /http2: which thread a connection lives on.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import nodeHttps from 'node:https';
import net from 'node:net';
import { Duplex } from 'node:stream';
import nodeTls, { type TLSSocket } from 'node:tls';
import { Worker } from 'node:worker_threads';
import '../../support/drop-in-threads.ts';
import { IoPool } from 'system-tls';
import http2 from 'system-tls/http2';
import https from 'system-tls/https';
import tls, { sslOf } from 'system-tls/tls';
import { certificates } from '../../support/certificates.ts';
import { connected, dropInServer, echoed, endLater, listening, toServer } from '../../support/drop-in.ts';
import { pool as byEnvironment } from '../../support/sockets.ts';
import { within } from '../../support/wait.ts';

function makePool(): IoPool {
  const pool = new IoPool({ threads: 1 });
  endLater(() => pool.close());
  return pool;
}

type LookupCallback = (error: null, addresses: readonly { address: string; family: number }[]) => void;
const twoAddresses = {
  host: 'localhost',
  autoSelectFamily: true,
  lookup: (_name: string, _options: object, done: LookupCallback) =>
    done(null, [
      { address: '::1', family: 6 },
      { address: '127.0.0.1', family: 4 },
    ]),
} as object;

const count = ({ connections }: IoPool): number => connections.reduce((sum, each) => sum + each, 0);

/** What a thread has to be asked for comes by a promise. */
const onThread = (socket: TLSSocket): boolean =>
  sslOf(socket)?.exportKeyingMaterial(32, 'where', Buffer.alloc(0)) instanceof Promise;

const wrong = [1, 'threads', {}, [], Symbol('pool'), () => true] as unknown as boolean[];
const refusal = {
  name: 'TypeError',
  code: 'ERR_INVALID_ARG_TYPE',
  message: /^"options\.io" must be an IoPool, true or false; it is /,
};

async function failureOf(socket: TLSSocket): Promise<NodeJS.ErrnoException> {
  endLater(() => socket.destroy());
  return (await within(once(socket, 'error'), 'error'))[0] as NodeJS.ErrnoException;
}

describe('the option io of a drop-in', () => {
  it('of tls.connect(): a pool, the shared one, or the loop, in each form of the call', async () => {
    const pool = makePool();
    const { port } = await dropInServer();
    const secureContext = tls.createSecureContext({ ca: certificates().ca.cert });
    const { host, ...there } = toServer(port);
    for (const make of [
      () => tls.connect({ ...there, host, io: pool }),
      () => tls.connect(port, host, { ...there, io: pool }),
      () => tls.connect(port, { ...there, host, io: pool }),
      () => tls.connect({ ...there, host, secureContext, io: pool }),
      () => tls.connect({ ...there, socket: net.connect(port, host), io: pool }),
      // The first address fails, and node makes the socket another handle for the second.
      () => tls.connect({ ...there, ...twoAddresses, io: pool }),
    ]) {
      const before = count(pool);
      const socket = await connected(make());
      assert.equal(count(pool), before + 1);
      assert.equal(await echoed(socket, 'by the pool'), 'by the pool');
    }
    for (const io of [true, false, undefined, null] as const) {
      const before = count(pool);
      const socket = await connected(tls.connect({ ...there, host, io }));
      assert.equal(onThread(socket), io ?? byEnvironment !== undefined, String(io));
      assert.equal(await echoed(socket, 'elsewhere'), 'elsewhere');
      assert.equal(count(pool), before);
    }
  });

  it('of a server: all that it accepts, and after setSecureContext() too', async () => {
    const { cert, key } = certificates().server;
    for (const [io, where] of [
      [makePool(), true],
      [true, true],
      [false, false],
    ] as const) {
      const { server, port, next } = await dropInServer({ io });
      for (const turn of [1, 2]) {
        const arrival = next();
        await connected(tls.connect(toServer(port)));
        const socket = await arrival;
        assert.equal(onThread(socket), where);
        if (io instanceof IoPool) assert.equal(count(io), turn);
        server.setSecureContext({ cert, key });
      }
    }
  });

  it('of a server with a name of its own, a session store and a function for ALPN', async () => {
    const pool = makePool();
    const { ca, server: own, wrongHost: other } = certificates();
    const { server, port, next } = await dropInServer({
      io: pool,
      cert: own.cert,
      key: own.key,
      ALPNCallback: ({ protocols }) => protocols[0],
    });
    server.addContext('other.example', { cert: other.cert, key: other.key, ca: ca.cert });
    server.on('newSession', (_id: Buffer, _data: Buffer, done: () => void) => done());
    const arrival = next();
    const client = await connected(
      tls.connect({ ...toServer(port), servername: 'other.example', rejectUnauthorized: false, ALPNProtocols: ['x'] }),
    );
    assert.equal(onThread(await arrival), true);
    assert.equal(count(pool), 1);
    assert.equal(client.alpnProtocol, 'x');
  });

  it('of two servers with one context: each has its own', async () => {
    const [one, other] = [makePool(), makePool()];
    const { cert, key } = certificates().server;
    const secureContext = tls.createSecureContext({ cert, key });
    for (const io of [one, other, false, true]) {
      const raw = net.createServer(plain => {
        const socket = new tls.TLSSocket(plain, { isServer: true, secureContext, io });
        socket.on('error', () => {}).pipe(socket);
      });
      const client = await connected(tls.connect({ ...toServer(await listening(raw)), io: false }));
      assert.equal(await echoed(client, 'x'), 'x');
    }
    assert.deepEqual([count(one), count(other)], [1, 1]);
  });

  it('of https: servers, agents and requests, whose sockets are kept apart', async () => {
    const [forServer, forAgent, forOne] = [makePool(), makePool(), makePool()];
    const { cert, key } = certificates().server;
    const server = https.createServer({ cert, key, io: forServer }, (_request, response) => response.end('here'));
    const port = await listening(server);
    const get = async (options: https.RequestOptions): Promise<TLSSocket> => {
      const request = https.get({ ...toServer(port), ...options });
      const [response] = (await within(once(request, 'response'), 'response')) as [import('node:http').IncomingMessage];
      await within(once(response.resume(), 'end'), 'end');
      return request.socket as TLSSocket;
    };
    const agent = new https.Agent({ keepAlive: true, io: forAgent });
    endLater(() => agent.destroy());
    const first = await get({ agent });
    assert.equal(await get({ agent }), first);
    assert.equal(count(forAgent), 1);

    const open = new https.Agent({ keepAlive: true });
    endLater(() => open.destroy());
    const sockets = new Set<TLSSocket>();
    for (const io of [forOne, forServer, false, true, forOne, forServer, false, true]) {
      const socket = await get({ agent: open, io });
      assert.equal(onThread(socket), io !== false);
      sockets.add(socket);
    }
    assert.equal(sockets.size, 4);
    assert.equal(count(forOne), 1);
    const alone = await get({ agent: false, io: forOne });
    // It says goodbye still, and a pool that closes before that is an error of its.
    if (!alone.closed) await within(once(alone, 'close'), 'close');
    // One at each end for the server's pool.
    assert.ok(count(forServer) >= 5);
  });

  it('of http2: servers and sessions', async () => {
    const [forServer, forClient] = [makePool(), makePool()];
    const { cert, key } = certificates().server;
    const server = http2.createSecureServer({ cert, key, io: forServer }, (_request, response) => response.end('here'));
    const port = await listening(server);
    const session = http2.connect(`https://127.0.0.1:${port}`, { ...toServer(port), io: forClient });
    endLater(() => session.destroy());
    let text = '';
    for await (const part of session.request({ ':path': '/' })) text += String(part);
    assert.equal(text, 'here');
    assert.deepEqual([count(forServer), count(forClient)], [1, 1]);
  });

  it('what is none is refused by its name, before anything connects', async () => {
    const { port } = await dropInServer();
    const secureContext = tls.createSecureContext();
    for (const io of wrong) {
      assert.throws(() => tls.connect({ ...toServer(port), io }), refusal);
      assert.throws(() => tls.connect({ ...toServer(port), secureContext, io }), refusal);
      assert.throws(() => tls.createServer({ io }), refusal);
      assert.throws(() => new tls.Server({ io }), refusal);
      assert.throws(() => new tls.TLSSocket(new net.Socket(), { io }), refusal);
      assert.throws(() => https.createServer({ io }), refusal);
      assert.throws(() => new https.Agent({ io }), refusal);
      assert.throws(() => https.get({ ...toServer(port), io }), refusal);
      assert.throws(() => http2.createSecureServer({ io }), refusal);
      assert.throws(() => http2.connect(`https://127.0.0.1:${port}`, { io }), refusal);
    }
  });

  it('a pool that is closed fails the connection that comes to it, and no other', async () => {
    const closed = new IoPool({ threads: 1 });
    await closed.close();
    const { port } = await dropInServer();
    const secureContext = tls.createSecureContext({ ca: certificates().ca.cert });
    for (const context of [{}, { secureContext }]) {
      const error = await failureOf(tls.connect({ ...toServer(port), ...context, io: closed }));
      assert.equal(error.code, 'ERR_TLS_CLOSED');
      assert.match(error.message, /"options\.io" is an IoPool that is closed/);
    }
    assert.equal(await echoed(await connected(tls.connect(toServer(port))), 'alive'), 'alive');

    const broken = await dropInServer({ io: closed });
    const failed = once(broken.server, 'tlsClientError');
    const client = tls.connect(toServer(broken.port));
    assert.equal((await failureOf(client)).code, 'ECONNRESET');
    const [told] = (await within(failed, 'tlsClientError')) as [NodeJS.ErrnoException];
    assert.equal(told.code, 'ERR_TLS_CLOSED');
  });

  it('a pool that closes ends the connections that live there, and no other', async () => {
    const pool = new IoPool({ threads: 1 });
    const { port } = await dropInServer({ io: false });
    const ended = await connected(tls.connect({ ...toServer(port), io: pool }));
    const other = await connected(tls.connect({ ...toServer(port), io: false }));
    const failed = failureOf(ended);
    await within(pool.close(), 'the pool to close');
    assert.equal((await failed).code, 'ERR_TLS_CLOSED');
    assert.equal(await echoed(other, 'alive'), 'alive');
  });

  it('over a stream of JavaScript a connection lives on the loop, whatever is said', async () => {
    const pool = makePool();
    const { port } = await dropInServer();
    const raw = net.connect(port, '127.0.0.1');
    const duplex = Duplex.from({ readable: raw, writable: raw });
    const { servername, ca } = toServer(port);
    const socket = await connected(tls.connect({ servername, ca, socket: duplex, io: pool }));
    // Such a Duplex is aborted when the test ends.
    for (const each of [raw, duplex, socket]) each.on('error', () => {});
    assert.equal(onThread(socket), false);
    assert.equal(count(pool), 0);
    assert.equal(await echoed(socket, 'by the loop'), 'by the loop');
  });

  it('means nothing to node:tls beside it', async () => {
    const { port } = await dropInServer();
    const io = 'anything';
    const options = { ...toServer(port), io };
    const socket = await connected(nodeTls.connect(options));
    assert.equal(sslOf(socket), null);
    const { cert, key } = certificates().server;
    const other = { cert, key, io };
    nodeTls.createServer(other);
    nodeHttps.createServer(other);
  });

  it('in a worker, true is a pool of its own, and a pool of another thread is none', async () => {
    const { port } = await dropInServer();
    const { ca, ...there } = toServer(port);
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      import('system-tls/tls').then(({ default: tls, sslOf }) => {
        let code;
        try { tls.connect({ ...workerData.there, io: workerData.pool }); } catch (error) { code = error.code; }
        const socket = tls.connect({ ...workerData.there, io: true }, () => {
          const where = sslOf(socket).exportKeyingMaterial(32, 'where', Buffer.alloc(0)) instanceof Promise;
          socket.end('x').resume().once('close', () => parentPort.postMessage([code, where]));
        });
      });`;
    const worker = new Worker(source, {
      eval: true,
      workerData: { there: { ...there, ca: String(ca) }, pool: { ...makePool() } },
    });
    endLater(() => worker.terminate());
    // A worker that has ended may deliver its message and its end in one turn.
    const ended = once(worker, 'exit');
    const [[code, where]] = (await within(once(worker, 'message'), 'the worker')) as [[string, boolean]];
    assert.deepEqual([code, where], ['ERR_INVALID_ARG_TYPE', true]);
    assert.equal((await within(ended, 'its end'))[0], 0);
  });
});
