// Options of connect() and createServer(), and what a server offers besides.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import net from 'node:net';
import { runInNewContext } from 'node:vm';
import { connect, createServer, type Ssl, type TlsSocket } from 'system-tls';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext, serverContext, tls12 } from '../../support/memory-pair.ts';
import { connectTo, socketPair, startServer } from '../../support/sockets.ts';
import { sleep, until, within } from '../../support/wait.ts';

/** The descriptor of a TCP connection over IPv4, found by its ports. */
function descriptorOf({ localPort, remotePort }: TlsSocket): number {
  const port = (number = 0) => `:${number.toString(16).toUpperCase().padStart(4, '0')}`;
  const line = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map(text => text.trim().split(/\s+/))
    .find(([, local, remote]) => local?.endsWith(port(localPort)) && remote?.endsWith(port(remotePort)));
  const target = `socket:[${line?.[9]}]`;
  const found = readdirSync('/proc/self/fd').find(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === target;
    } catch {
      // That of the folder itself.
      return false;
    }
  });
  assert.ok(found, 'the descriptor');
  return Number(found);
}

/** What the system knows of a socket: node cannot ask, a child that inherits it can. */
function socketOptions(socket: TlsSocket): { noDelay: boolean; keepAlive: boolean; idle: number } {
  const program = `
import json, socket
s = socket.socket(fileno=3)
print(json.dumps({
  'noDelay': s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0,
  'keepAlive': s.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0,
  'idle': s.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
}))`;
  const stdio = ['ignore', 'pipe', 'inherit', descriptorOf(socket)] as const;
  return JSON.parse(execFileSync('python3', ['-c', program], { encoding: 'utf8', stdio: [...stdio] }));
}

describe('options', () => {
  describe('of connect', () => {
    it('secureContext, instead of the options that would make one', async () => {
      const { port } = await startServer();
      const secureContext = clientContext(tls12);
      const socket = await connect({ port, host: '127.0.0.1', servername: 'localhost', secureContext });
      assert.equal(socket.ssl.version, 'TLSv1.2');
      assert.equal(socket.ssl.context, secureContext);
      socket.destroy();
      await rejected(connect({ port, secureContext: {} as never }), codes.wrongType);
    });

    it('on: listeners hear the handshake', async () => {
      const { port } = await startServer();
      const heard = { keylog: 0, message: 0, info: 0 };
      const on = {
        keylog: () => void heard.keylog++,
        message: () => void heard.message++,
        info: () => void heard.info++,
      };
      await connectTo(port, { on });
      assert.ok(heard.keylog >= 5 && heard.message > 5 && heard.info > 3, JSON.stringify(heard));
      await rejected(connectTo(port, { on: { keylog: 7 as never } }), codes.wrongType);
    });

    it('checkServerIdentity replaces the check of the name', async () => {
      const { cert, key } = certificates().wrongHost;
      const { port } = await startServer({ cert, key });
      const seen: string[] = [];
      const accept = (host: string, certificate: X509Certificate) => {
        seen.push(`${host} ${certificate.subject}`);
        return undefined;
      };
      await connectTo(port, { checkServerIdentity: accept });
      assert.deepEqual(seen, ['localhost CN=elsewhere.example']);
      const mine = Object.assign(new Error('not this one'), { code: 'EMINE' });
      await rejected(connectTo(port, { checkServerIdentity: () => mine }), 'EMINE');
      const throwing = () => {
        throw mine;
      };
      await rejected(connectTo(port, { checkServerIdentity: throwing }), 'EMINE');
    });

    it('checkServerIdentity that gives no Error: a named one', async () => {
      const { port } = await startServer();
      for (const given of [undefined, null])
        (await connectTo(port, { checkServerIdentity: () => given as never })).destroy();
      const late = () => Promise.reject(new Error('late'));
      const others = [false, true, 0, 1, '', 'no', {}, Symbol('no'), Promise.resolve()].map(given => () => given);
      for (const check of [...others, late]) {
        const attempt = connectTo(port, { checkServerIdentity: check as never });
        const error = await rejected(attempt, 'ERR_INVALID_RETURN_VALUE');
        assert.match(error.message, /checkServerIdentity/);
      }
      for (const value of ['a text', undefined, null, 7]) {
        const checkServerIdentity = () => {
          throw value;
        };
        const error = await rejected(connectTo(port, { checkServerIdentity }), 'ERR_TLS_VERIFY_CALLBACK');
        assert.equal(error.cause, value);
      }
      const foreign = runInNewContext('new Error("of another realm")') as Error;
      await assert.rejects(
        connectTo(port, { checkServerIdentity: () => foreign }),
        (error: unknown) => error === foreign,
      );
      // Nobody insists: whatever it gives is let pass, and a rejection is no business of the process.
      await connectTo(port, { rejectUnauthorized: false, checkServerIdentity: late as never });
    });

    it('checkServerIdentity does not replace the check of the chain', async () => {
      const { port } = await startServer();
      const ca = certificates().otherCa.cert;
      await rejected(connectTo(port, { ca, checkServerIdentity: () => undefined }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    });

    it('servername: sent and checked; an empty one is not sent, and the host is checked', async () => {
      const { port, next } = await startServer();
      await connectTo(port, { servername: 'localhost' });
      assert.equal((await next()).ssl.servername, 'localhost');
      await connectTo(port, { servername: '' });
      assert.equal((await next()).ssl.servername, null);
      await rejected(connectTo(port, { servername: 'elsewhere.example' }), 'ERR_TLS_CERT_ALTNAME_INVALID');
    });

    it('session as bytes', async () => {
      const { port } = await startServer({}, socket => socket.pipe(socket));
      const first = await connectTo(port);
      first.write('x');
      await once(first, 'data');
      const bytes = first.ssl.session?.serialize();
      assert.ok(bytes);
      assert.equal((await connectTo(port, { session: bytes })).ssl.sessionReused, true);
      const damaged = await connectTo(port, { session: Buffer.from('no session') });
      assert.equal(damaged.ssl.sessionReused, false, 'a full handshake instead');
    });

    it('handshakeTimeout', async () => {
      const kept: net.Socket[] = [];
      const silent = net.createServer(socket => void kept.push(socket.on('error', () => {}))).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const { port } = silent.address() as net.AddressInfo;
      await rejected(connectTo(port, { handshakeTimeout: 20 }), 'ERR_TLS_HANDSHAKE_TIMEOUT');
      for (const socket of kept) socket.destroy();
      silent.close();
    });

    it('a name that does not exist', async () => {
      await rejected(connect({ host: 'nowhere.invalid', port: 443 }), /^(ENOTFOUND|EAI_AGAIN)$/);
    });

    it('onread that is none', async () => {
      const { port } = await startServer();
      for (const onread of [7, {}, { buffer: Buffer.alloc(8) }, { buffer: 7, callback: () => true }]) {
        await rejected(connectTo(port, { onread: onread as never }), [codes.wrongType, codes.wrongValue]);
      }
    });
  });

  describe('of servers', () => {
    it('maxConnections: those over it are dropped', async () => {
      const { server, port } = await startServer({ maxConnections: 2 });
      let drops = 0;
      server.on('drop', () => drops++);
      await Promise.all([connectTo(port), connectTo(port)]);
      await rejected(connectTo(port), /^ERR_SSL_UNEXPECTED_EOF$|^ECONNRESET$|^EPIPE$/);
      assert.equal(drops, 1);
      assert.equal(server.connections, 2);
    });

    it('setSecureContext: for connections to come', async () => {
      const { server, port } = await startServer();
      const before = await connectTo(port);
      const { cert, key } = certificates().serverRsa;
      server.setSecureContext({ cert, key });
      const after = await connectTo(port);
      assert.equal(before.ssl.peerCertificate?.publicKey.asymmetricKeyType, 'ec');
      assert.equal(after.ssl.peerCertificate?.publicKey.asymmetricKeyType, 'rsa');
      thrown(() => server.setSecureContext({ cert, key: 'no PEM' }), /^ERR_/);
      (await connectTo(port)).destroy();
    });

    it('closeAllConnections, also those in their handshake', async () => {
      const { server, port, next } = await startServer();
      const client = await connectTo(port);
      await next();
      const silent = net.connect(port, '127.0.0.1');
      await once(silent, 'connect');
      await until(() => server.connections === 2, 'both');
      const ends = [once(client.resume(), 'close').catch(() => {}), once(silent.resume(), 'close')];
      server.closeAllConnections();
      await within(Promise.all(ends), 'both to end');
      await within(server.close(), 'the server to close');
    });

    it('a signal closes it', async () => {
      const { cert, key } = certificates().server;
      const server = createServer({ cert, key });
      const aborter = new AbortController();
      await server.listen({ port: 0, host: '127.0.0.1', signal: aborter.signal });
      const closing = once(server, 'close');
      aborter.abort();
      await within(closing, 'close');
      assert.equal(server.listening, false);
      await rejected(server.listen({ port: 0, signal: AbortSignal.abort() }), codes.aborted);
    });

    it('on: each connection has the listeners before its handshake', async () => {
      const versions: string[] = [];
      const { port, next } = await startServer({
        on: {
          keylog(this: unknown) {
            versions.push((this as Ssl).side);
          },
        },
      });
      await connectTo(port);
      await next();
      assert.ok(versions.length >= 5);
      assert.deepEqual([...new Set(versions)], ['server']);
    });

    it('secureContext', async () => {
      const secureContext = serverContext(tls12);
      const { port, next } = await startServer({ secureContext });
      await connectTo(port);
      assert.equal((await next()).ssl.context, secureContext);
      assert.throws(() => createServer({ secureContext: {} as never }), { code: codes.wrongType });
    });

    it('noDelay, keepAlive and keepAliveInitialDelay reach the socket, on either side', async function () {
      needs(this, process.platform === 'linux', 'descriptors are found in /proc');
      needsProgram(this, 'python3');
      const cases = [
        [{}, { noDelay: true, keepAlive: false }],
        [{ noDelay: false }, { noDelay: false, keepAlive: false }],
        [
          { keepAlive: true, keepAliveInitialDelay: 7000 },
          { noDelay: true, keepAlive: true, idle: 7 },
        ],
        [{ keepAliveInitialDelay: 7000 }, { noDelay: true, keepAlive: false }],
      ] as const;
      for (const [options, expected] of cases) {
        const { client, server } = await socketPair(options, options);
        for (const socket of [client, server]) {
          const { idle, ...flags } = socketOptions(socket);
          assert.deepEqual({ ...flags, ...('idle' in expected && { idle }) }, expected, JSON.stringify(options));
        }
      }
    });

    it('listens again after it was closed', async () => {
      const { server } = await startServer();
      await server.close();
      await server.listen({ port: 0, host: '127.0.0.1' });
      await connectTo((server.address() as net.AddressInfo).port);
    });

    it('without a certificate no handshake succeeds, and the process lives', async () => {
      const server = createServer({});
      const failing = once(server, 'tlsClientError');
      await server.listen({ port: 0, host: '127.0.0.1' });
      await rejected(connectTo((server.address() as net.AddressInfo).port), /_ALERT_HANDSHAKE_FAILURE$/);
      const [error] = (await within(failing, 'tlsClientError')) as [{ code: string }];
      assert.equal(error.code, 'ERR_SSL_NO_SHARED_CIPHER');
      await server.close();
    });
  });

  describe('pauseOnConnect', () => {
    it('on either side: nothing is read before resume()', async () => {
      const { client, server } = await socketPair({ pauseOnConnect: true }, { pauseOnConnect: true });
      client.write('x');
      await sleep(20);
      assert.equal(server.readableLength, 0);
      let got = '';
      server.on('data', (chunk: Buffer) => {
        got += chunk;
      });
      server.resume();
      await until(() => got === 'x', 'the data');
    });
  });
});

describe('handlers of sockets', () => {
  it('may destroy in every event', async () => {
    for (const event of ['data', 'end', 'drain', 'finish', 'timeout', 'keylog', 'session'] as const) {
      const { client, server } = await socketPair();
      server.on('data', chunk => server.write(chunk));
      server.on('end', () => server.end());
      const closing = new Promise(resolve => client.once('close', resolve));
      client.on(event, () => client.destroy());
      client.on('data', () => client.end());
      client.setTimeout(30);
      client.write(Buffer.alloc(1 << 20));
      void client.keyUpdate().catch(() => {});
      await within(closing, `close after '${event}'`);
    }
  });

  it('that throw are uncaught errors, and harm no other socket', async () => {
    const { server, ca } = certificates();
    const child = nodeScript(
      `
      import { readFileSync } from 'node:fs';
      import { once } from 'node:events';
      import { connect, createServer } from 'system-tls';
      const [cert, key, ca] = process.argv.slice(1, 4).map(file => readFileSync(file));
      let uncaught = 0;
      process.on('uncaughtException', () => uncaught++);
      const server = createServer({ cert, key }, socket => socket.on('error', () => {}).pipe(socket));
      await server.listen({ port: 0, host: '127.0.0.1' });
      const { port } = server.address();
      const make = options => connect({ port, host: '127.0.0.1', servername: 'localhost', ca, ...options });
      const thrown = [new Error('on purpose'), null, undefined, 7];
      for (const value of thrown) {
        const socket = await make({});
        socket.once('data', () => { throw value; });
        socket.write('x');
      }
      for (const value of thrown) {
        const socket = await make({ onread: { buffer: Buffer.alloc(64), callback: () => { throw value; } } });
        socket.on('error', () => {});
        socket.write('x');
      }
      const good = await make({});
      good.write('fine');
      const [chunk] = await once(good, 'data');
      await new Promise(resolve => setTimeout(resolve, 50));
      console.log(JSON.stringify({ text: String(chunk), uncaught }));
      process.exit(0);
      `,
      { args: [server.certFile, server.keyFile, ca.certFile] },
    );
    const { code } = await within(child.exited, 'the child');
    assert.equal(code, 0, child.output);
    assert.deepEqual(JSON.parse(child.output.trim().split('\n').at(-1) ?? ''), { text: 'fine', uncaught: 8 });
  });

  it('setTimeout refuses what is no time', async () => {
    const { client } = await socketPair();
    for (const wrong of ['5', -1, Number.NaN, {}]) {
      thrown(() => client.setTimeout(wrong as never), [codes.wrongType, codes.outOfRange]);
    }
    thrown(() => client.setTimeout(5, 'x' as never), codes.wrongType);
  });
});
