// How a server of system-tls/tls gets its connections: accepted and shaken hands with by native code, unless somebody wants to see
// them before.
import assert from 'node:assert/strict';
import diagnostics from 'node:diagnostics_channel';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import nodeTls, { type TLSSocket } from 'node:tls';
import '../../support/drop-in-threads.ts';
import { IoPool } from 'system-tls';
import https from 'system-tls/https';
import tls, { type Server, type TlsOptions } from 'system-tls/tls';
import { certificates } from '../../support/certificates.ts';
import { Child, nodeScript } from '../../support/child.ts';
import { connected, dropInServer, echoed, endLater, isOurs, listening, toServer } from '../../support/drop-in.ts';
import { deferred, sleep, within } from '../../support/wait.ts';

/** node makes a net.Socket beneath a TLSSocket, where native code did not make the connection. */
const beneath = (socket: TLSSocket): unknown => (socket as unknown as { _parent: unknown })._parent;

const counted = (server: net.Server): Promise<number> =>
  new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));

async function counts(server: net.Server, expected: number): Promise<void> {
  const { promise, resolve } = deferred<void>();
  const timer = setInterval(async () => {
    if ((await counted(server)) === expected) resolve();
  }, 2);
  await within(promise, `${expected} connections`).finally(() => clearInterval(timer));
}

const client = (port: number, options: object = {}) => connected(nodeTls.connect({ ...toServer(port), ...options }));

/** Connects, and says nothing. */
async function silent(port: number): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1').on('error', () => {});
  endLater(() => socket.destroy());
  await within(once(socket, 'connect'), 'connect');
  return socket;
}

function bare(options: TlsOptions = {}): Server {
  const { cert, key } = certificates().server;
  const server = tls.createServer({ cert, key, ...options });
  endLater(() => void server.close());
  return server;
}

const failure = async (server: Server): Promise<[NodeJS.ErrnoException, TLSSocket]> =>
  (await within(once(server, 'tlsClientError'), 'tlsClientError')) as [NodeJS.ErrnoException, TLSSocket];

describe('connections that arrive at a server of system-tls/tls', () => {
  it('have one socket, which knows what that of node knows', async () => {
    const { server, port, next } = await dropInServer({ keepAlive: true, noDelay: true } as TlsOptions);
    const arrival = next();
    const peer = await client(port);
    const socket = await arrival;
    assert.equal(isOurs(socket), true);
    assert.equal(beneath(socket), null);
    assert.deepEqual(
      [socket.remoteAddress, socket.remotePort, socket.remoteFamily],
      ['127.0.0.1', peer.localPort, 'IPv4'],
    );
    assert.deepEqual([socket.localAddress, socket.localPort, socket.localFamily], ['127.0.0.1', port, 'IPv4']);
    assert.deepEqual(socket.address(), { address: '127.0.0.1', family: 'IPv4', port });
    const { connecting, pending, readyState, allowHalfOpen, authorized, encrypted } = socket;
    assert.deepEqual(
      { connecting, pending, readyState, allowHalfOpen, authorized, encrypted },
      {
        connecting: false,
        pending: false,
        readyState: 'open',
        allowHalfOpen: false,
        authorized: false,
        encrypted: true,
      },
    );
    socket.setNoDelay(false).setNoDelay(true).setKeepAlive(true, 1000).setKeepAlive(false).unref().ref();
    assert.equal((socket as unknown as { server: unknown }).server, server);
    assert.equal(await counted(server), 1);
    assert.equal(await echoed(peer, 'to and fro'), 'to and fro');
    peer.end();
    await within(once(socket, 'close'), 'close');
    assert.equal(await counted(server), 0);
    assert.equal(socket.remoteAddress, '127.0.0.1');
    assert.deepEqual(socket.address(), {});
  });

  it('are sockets with the type of service that is set, where node knows it', async function () {
    if (!('setTypeOfService' in net.Socket.prototype)) return this.skip();
    const { port, next } = await dropInServer();
    const arrival = next();
    await client(port);
    const socket = (await arrival) as unknown as { setTypeOfService(value: number): void; getTypeOfService(): number };
    socket.setTypeOfService(0x10);
    assert.equal(socket.getTypeOfService(), 0x10);
  });

  it('are counted in their handshake, and a server that closes waits for them', async () => {
    const server = bare({ handshakeTimeout: 60_000 });
    const port = await listening(server);
    const failed = failure(server);
    const peer = await silent(port);
    await counts(server, 1);
    let closed = false;
    server.close(() => {
      closed = true;
    });
    await turn();
    assert.equal(closed, false);
    const over = once(server, 'close');
    peer.destroy();
    const [error, socket] = await failed;
    assert.equal(error.code, 'ECONNRESET');
    assert.equal(socket.destroyed, true);
    await within(over, 'close');
    assert.equal(closed, true);
    assert.equal(await counted(server), 0);
  });

  it('go on where the server has closed while they shook hands', async () => {
    const { server, port, next } = await dropInServer();
    const arrival = next();
    const raw = await silent(port);
    await counts(server, 1);
    server.close();
    const peer = await connected(nodeTls.connect({ ...toServer(port), socket: raw }));
    await arrival;
    assert.equal(await echoed(peer, 'still here'), 'still here');
    const over = once(server, 'close');
    peer.end();
    await within(over, 'close');
  });

  it('whoever says nothing is told of when the time is over, and lives on until somebody ends it', async () => {
    const server = bare({ handshakeTimeout: 50 });
    const port = await listening(server);
    const failed = failure(server);
    const raw = await silent(port);
    const [error, socket] = await failed;
    assert.equal(error.code, 'ERR_TLS_HANDSHAKE_TIMEOUT');
    assert.equal(socket.destroyed, false);
    const secured = once(server, 'secureConnection');
    await connected(nodeTls.connect({ ...toServer(port), socket: raw }));
    assert.equal((await within(secured, 'secureConnection'))[0], socket);
  });

  it('node:https ends whoever says nothing', async () => {
    const { cert, key } = certificates().server;
    const server = https.createServer({ cert, key, handshakeTimeout: 50 });
    const port = await listening(server);
    const raw = await silent(port);
    raw.resume();
    await within(once(raw, 'close'), 'close');
    assert.equal(await counted(server), 0);
  });

  it('garbage: tlsClientError once, with the address of the peer', async () => {
    const server = bare();
    let told = 0;
    server.on('tlsClientError', () => told++);
    const port = await listening(server);
    const failed = failure(server);
    const raw = await silent(port);
    raw.write('GET / HTTP/1.1\r\n\r\n');
    const [error, socket] = await failed;
    assert.equal(error.code, 'ERR_SSL_HTTP_REQUEST');
    assert.equal(socket.remoteAddress, '127.0.0.1');
    raw.resume();
    await within(once(raw, 'close'), 'close');
    await counts(server, 0);
    assert.equal(told, 1);
  });

  it("who listens to 'connection' sees each before its handshake, from then on, and until he leaves", async () => {
    const { server, port, next } = await dropInServer();
    const seen: net.Socket[] = [];
    const see = (socket: net.Socket): void => void seen.push(socket);
    for (const listens of [false, true, false]) {
      if (listens) server.on('connection', see);
      else server.off('connection', see);
      const arrival = next();
      const peer = await client(port);
      const socket = await arrival;
      assert.equal(isOurs(socket), true);
      assert.equal(await echoed(peer, 'seen'), 'seen');
      assert.equal(beneath(socket) instanceof net.Socket, listens);
      assert.equal(beneath(socket), listens ? seen[0] : null);
      peer.destroy();
    }
    assert.equal(seen.length, 1);
    await counts(server, 0);
  });

  it("a subscriber of 'net.server.socket' sees each", async () => {
    const { port, next } = await dropInServer();
    const seen: unknown[] = [];
    const see = (message: unknown): void => void seen.push((message as { socket: unknown }).socket);
    diagnostics.subscribe('net.server.socket', see);
    endLater(() => diagnostics.unsubscribe('net.server.socket', see));
    const arrival = next();
    await client(port);
    const socket = await arrival;
    assert.equal(seen.length, 1);
    assert.equal(beneath(socket), seen[0]);
  });

  it("maxConnections holds, also when it is set later: 'drop'", async () => {
    const { server, port, next } = await dropInServer();
    const arrival = next();
    await client(port);
    await arrival;
    server.maxConnections = 1;
    const dropped = once(server, 'drop');
    const raw = await silent(port);
    raw.resume();
    const [{ remotePort }] = (await within(dropped, 'drop')) as [{ remotePort: number }];
    assert.equal(remotePort, raw.localPort);
    await within(once(raw, 'close'), 'close');
    assert.equal(await counted(server), 1);
  });

  it('settings of the server count for those that come later', async () => {
    const { server, port, next } = await dropInServer();
    const { cert, key } = certificates().wrongHost;
    const meet = async (options: object = {}): Promise<[TLSSocket, TLSSocket]> => {
      const arrival = next();
      const peer = await client(port, { rejectUnauthorized: false, ...options });
      return [await arrival, peer];
    };
    const before = (await meet())[1].getPeerCertificate().subject;
    server.setSecureContext({ cert, key });
    const [socket, peer] = await meet();
    assert.notDeepEqual(peer.getPeerCertificate().subject, before);
    assert.deepEqual((socket.getCertificate() as { subject: unknown }).subject, peer.getPeerCertificate().subject);
    Object.assign(server, { ALPNProtocols: ['one', 'two'] });
    assert.equal((await meet({ ALPNProtocols: ['two'] }))[1].alpnProtocol, 'two');
    Object.assign(server, { requestCert: true, rejectUnauthorized: false });
    const [unknown] = await meet();
    assert.equal(unknown.authorizationError, 'UNABLE_TO_GET_ISSUER_CERT');
    Object.assign(server, { rejectUnauthorized: true });
    const failed = failure(server);
    const refused = nodeTls.connect({ ...toServer(port), rejectUnauthorized: false }).on('error', () => {});
    endLater(() => refused.destroy());
    assert.equal((await failed)[0].code, 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
  });

  it('pauseOnConnect: the socket is paused', async () => {
    const { port, next } = await dropInServer({ pauseOnConnect: true });
    const arrival = next();
    const peer = await client(port);
    const socket = await arrival;
    assert.equal(socket.isPaused(), true);
    const back = echoed(peer, 'later');
    socket.resume();
    assert.equal(await back, 'later');
  });

  it('what a listener throws the process hears, and the next one is served', async () => {
    const { server, port } = await dropInServer();
    const thrown = new Error('of a listener');
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const heard = once(process, 'uncaughtException');
    server.once('secureConnection', () => {
      throw thrown;
    });
    try {
      const peer = nodeTls.connect(toServer(port)).on('error', () => {});
      endLater(() => peer.destroy());
      assert.equal((await within(heard, 'uncaughtException'))[0], thrown);
    } finally {
      for (const other of others) process.on('uncaughtException', other);
    }
    assert.equal(await echoed(await client(port), 'next'), 'next');
  });

  it('whose listener throws end with their peers, and the server with them', async () => {
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    process.on('uncaughtException', () => {});
    try {
      const server = bare();
      server.on('secureConnection', () => {
        throw new Error('of a listener');
      });
      server.listen(0, '127.0.0.1');
      await within(once(server, 'listening'), 'listening');
      const { port } = server.address() as net.AddressInfo;
      const peers = await Promise.all([1, 2, 3].map(() => client(port)));
      await counts(server, 3);
      const closed = once(server, 'close');
      server.close();
      for (const peer of peers) peer.destroy();
      await within(closed, 'close');
    } finally {
      process.removeAllListeners('uncaughtException');
      for (const other of others) process.on('uncaughtException', other);
    }
  });

  it('that are late, and ended by who hears of it, are over', async () => {
    for (const listens of [false, true]) {
      const server = bare({ handshakeTimeout: 50 });
      if (listens) server.on('connection', () => {});
      const ended = new Promise<void>(resolve => {
        server.on('tlsClientError', (_error, socket) => void socket.end(resolve));
      });
      const raw = await silent(await listening(server));
      raw.resume();
      await within(ended, 'the end of the socket');
      await within(once(raw, 'close'), 'close');
      await counts(server, 0);
    }
  });

  it('of a server with a timeout that no timer takes go by way of node, which says so', async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error): void => void warnings.push(warning);
    process.on('warning', hear);
    endLater(() => process.off('warning', hear));
    const { server, port, next } = await dropInServer({ handshakeTimeout: 3e9 });
    await silent(port);
    await counts(server, 1);
    const arrival = next();
    await client(port);
    assert.equal(beneath(await arrival) instanceof net.Socket, true);
    await sleep(50);
    const overflows = warnings.filter(({ name }) => name === 'TimeoutOverflowWarning');
    assert.ok(overflows.length <= 2, `${overflows.length} warnings`);
  });

  it("an emit() of the server's own sees 'connection'", async () => {
    const { server, port, next } = await dropInServer();
    const seen: unknown[] = [];
    const { emit } = server;
    Object.assign(server, {
      emit(this: Server, name: string, ...args: never[]): boolean {
        seen.push(name);
        return Reflect.apply(emit, this, [name, ...args]) as boolean;
      },
    });
    const arrival = next();
    await client(port);
    await arrival;
    assert.deepEqual(seen, ['connection', 'secureConnection']);
  });

  it('are judged by what the server said when they were accepted', async () => {
    const { server, port, next } = await dropInServer();
    const arrival = next();
    const raw = await silent(port);
    await counts(server, 1);
    Object.assign(server, { requestCert: true, rejectUnauthorized: true });
    const peer = await connected(nodeTls.connect({ ...toServer(port), socket: raw }));
    const socket = await arrival;
    assert.equal(socket.authorizationError, null);
    assert.equal(await echoed(peer, 'as accepted'), 'as accepted');
  });

  it('a pool that is closed: each that comes fails by itself, and the server listens on', async () => {
    const pool = new IoPool({ threads: 1 });
    const { server, port, next } = await dropInServer({ io: pool });
    const arrival = next();
    const peer = await client(port);
    assert.equal(beneath(await arrival), null);
    peer.on('error', () => {});
    await pool.close();
    for (let i = 0; i < 2; i++) {
      const failed = failure(server);
      const raw = await silent(port);
      raw.resume();
      assert.equal((await failed)[0].code, 'ERR_TLS_CLOSED');
    }
    assert.equal(server.listening, true);
  });
});

describe('where a server of system-tls/tls listens', () => {
  it('an address that is in use is told as node tells it', async () => {
    const { port } = await dropInServer();
    const server = bare();
    server.listen(port, '127.0.0.1');
    const [error] = (await within(once(server, 'error'), 'error')) as [NodeJS.ErrnoException & { port: number }];
    assert.deepEqual([error.code, error.syscall, error.port], ['EADDRINUSE', 'listen', port]);
    assert.equal(server.listening, false);
    assert.equal(server.address(), null);
  });

  it('again, after it was closed; and the port is free meanwhile', async () => {
    const { server, port, next } = await dropInServer();
    server.close();
    await within(once(server, 'close'), 'close');
    const raw = net.connect(port, '127.0.0.1');
    const [refused] = (await within(once(raw, 'error'), 'error')) as [NodeJS.ErrnoException];
    assert.equal(refused.code, 'ECONNREFUSED');
    server.listen(port, '127.0.0.1');
    await within(once(server, 'listening'), 'listening');
    const arrival = next();
    await client(port);
    assert.equal(beneath(await arrival), null);
  });

  it('on the handle of another server', async () => {
    const other = net.createServer();
    const port = await listening(other);
    const { cert, key } = certificates().server;
    const server = tls.createServer({ cert, key }, socket => void socket.pipe(socket));
    server.listen(other);
    await within(once(server, 'listening'), 'listening');
    const arrival = once(server, 'secureConnection');
    const peer = await client(port);
    const [socket] = (await within(arrival, 'secureConnection')) as [TLSSocket];
    assert.equal(isOurs(socket), true);
    assert.equal(await echoed(peer, 'a handle'), 'a handle');
    peer.destroy();
    server.close();
  });

  it('on the handle of a server of the same kind, which gets nothing from then on', async () => {
    const { cert, key } = certificates().server;
    const got = { first: 0, second: 0 };
    const first = tls.createServer({ cert, key }, socket => {
      got.first++;
      socket.end();
    });
    const port = await listening(first);
    const second = tls.createServer({ cert, key }, socket => {
      got.second++;
      socket.end();
    });
    second.listen(first);
    await within(once(second, 'listening'), 'listening');
    for (let i = 0; i < 10; i++) {
      const peer = await client(port);
      await within(once(peer.resume(), 'close'), 'close');
    }
    assert.deepEqual(got, { first: 0, second: 10 });
    second.close();
    await within(once(second, 'close'), 'close');
    const raw = net.connect(port, '127.0.0.1');
    const [refused] = (await within(once(raw, 'error'), 'error')) as [NodeJS.ErrnoException];
    assert.equal(refused.code, 'ECONNREFUSED');
  });

  it('and gives its handle to a server of node:net, which gets all', async () => {
    const { server, port } = await dropInServer();
    let secure = 0;
    server.on('secureConnection', () => secure++);
    const other = net.createServer(socket => void socket.end('plain'));
    other.listen(server);
    await within(once(other, 'listening'), 'listening');
    for (let i = 0; i < 3; i++) {
      const raw = await silent(port);
      assert.equal(String((await within(once(raw, 'data'), 'data'))[0]), 'plain');
    }
    assert.equal(secure, 0);
    other.close();
  });

  it('on a descriptor that another process has bound', async () => {
    const other = net.createServer();
    const port = await listening(other);
    const { fd } = (other as unknown as { _handle: { fd: number } })._handle;
    const { cert, key } = certificates().server;
    const child = nodeScript(
      `
      import tls from 'system-tls/tls';
      const server = tls.createServer(${JSON.stringify({ cert, key })}, socket => {
        socket.on('error', () => {}).pipe(socket);
      });
      server.listen({ fd: 3 }, () => console.log('listens'));
    `,
      { handOver: fd },
    );
    await child.printed(/listens/);
    other.close();
    const peer = await client(port);
    assert.equal(await echoed(peer, 'a descriptor'), 'a descriptor');
  });

  it('on a Unix socket', async () => {
    const server = bare();
    const place = path.join(os.tmpdir(), `system-tls-arrivals-${process.pid}.sock`);
    server.on('secureConnection', socket => void socket.pipe(socket));
    server.listen(place);
    await within(once(server, 'listening'), 'listening');
    const { port: _port, host: _host, ...rest } = toServer(0);
    const peer = await connected(nodeTls.connect({ ...rest, path: place }));
    assert.equal(await echoed(peer, 'by a path'), 'by a path');
    peer.destroy();
  });

  it('keeps the process running, unless it is unref()', async () => {
    const { cert, key } = certificates().server;
    const script = (unref: boolean, wait: boolean): string => `
      import tls from 'system-tls/tls';
      const server = tls.createServer(${JSON.stringify({ cert, key })});
      ${unref ? 'server.unref();' : ''}
      server.listen(0, '127.0.0.1', () => {
        console.log('listens');
        ${wait ? 'setTimeout(() => { console.log("closes"); server.close(); }, 100).unref();' : ''}
        ${wait ? 'setTimeout(() => {}, 200);' : ''}
      });
      server.on('close', () => console.log('closed'));
    `;
    const run = async (unref: boolean, wait: boolean): Promise<string> => {
      const child = nodeScript(script(unref, wait));
      assert.deepEqual(await within(child.exited, 'exit'), { code: 0, signal: null });
      return child.output;
    };
    assert.match(await run(true, false), /^listens\n$/);
    assert.match(await run(false, true), /^listens\ncloses\nclosed\n$/);
    const stays = nodeScript(script(false, false));
    await stays.printed(/listens/);
    const early = await Promise.race([stays.exited, new Promise(resolve => setTimeout(resolve, 200, 'it runs'))]);
    assert.equal(early, 'it runs');
    await stays.stop();
  });

  for (const policy of ['SCHED_RR', 'SCHED_NONE']) {
    it(`in the workers of a cluster, ${policy}`, async () => {
      const { cert, key } = certificates().server;
      const script = path.join(certificates().folder, `cluster-${policy}.mjs`);
      writeFileSync(
        script,
        `
        import cluster from 'node:cluster';
        import tls from ${JSON.stringify(import.meta.resolve('system-tls/tls'))};
        cluster.schedulingPolicy = cluster.${policy};
        if (cluster.isPrimary) {
          const workers = [cluster.fork(), cluster.fork()];
          let listening = 0;
          cluster.on('listening', (_, { port }) => {
            if (++listening === 2) console.log('port ' + port + '.');
          });
          process.stdin.on('end', () => {
            for (const each of workers) each.process.kill();
            process.exit(0);
          }).resume();
        } else {
          const server = tls.createServer(${JSON.stringify({ cert, key })}, socket => {
            socket.on('error', () => {}).pipe(socket);
          });
          server.listen(0, '127.0.0.1');
        }
      `,
      );
      const child = new Child(process.execPath, [script]);
      const port = Number((await child.printed(/port (\d+)\./))[1]);
      for (let i = 0; i < 4; i++) {
        const peer = await client(port);
        assert.equal(await echoed(peer, `round ${i}`), `round ${i}`);
        peer.destroy();
      }
      child.endInput();
      assert.deepEqual(await within(child.exited, 'exit'), { code: 0, signal: null });
    });
  }

  it('in a worker of a cluster that listens itself: the port is free when it has closed', async () => {
    const { cert, key } = certificates().server;
    const script = path.join(certificates().folder, 'cluster-again.mjs');
    writeFileSync(
      script,
      `
      import cluster from 'node:cluster';
      import tls from ${JSON.stringify(import.meta.resolve('system-tls/tls'))};
      cluster.schedulingPolicy = cluster.SCHED_NONE;
      if (cluster.isPrimary) {
        cluster.fork().on('message', message => console.log(message));
      } else {
        const server = tls.createServer(${JSON.stringify({ cert, key })});
        server.on('error', ({ code }) => process.send(code, () => process.disconnect()));
        server.listen(0, '127.0.0.1', () => {
          const { port } = server.address();
          server.close(() => setTimeout(() => server.listen(port, '127.0.0.1', () => {
            process.send('listens again');
            server.close(() => process.disconnect());
          }), 100));
        });
      }
    `,
    );
    const child = new Child(process.execPath, [script]);
    assert.deepEqual(await within(child.exited, 'exit'), { code: 0, signal: null }, child.output);
    assert.equal(child.output, 'listens again\n');
  });
});
