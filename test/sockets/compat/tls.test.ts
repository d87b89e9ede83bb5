// system-tls/tls against node:tls, on both sides: what users of node:tls expect, over a connection of ours.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import nodeTls, { type TLSSocket } from 'node:tls';
import { inspect } from 'node:util';
import '../../support/drop-in-threads.ts';
import tls, { sslOf } from 'system-tls/tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { connected, dropInServer, echoed, endLater, isOurs, listening, toServer } from '../../support/drop-in.ts';
import { opensslClient } from '../../support/peers.ts';
import { until, within } from '../../support/wait.ts';

const errorOf = async (socket: TLSSocket): Promise<NodeJS.ErrnoException> => {
  endLater(() => socket.destroy());
  return (await within(once(socket, 'error'), 'error'))[0] as NodeJS.ErrnoException;
};

/** The second of two connections, which resumes the session of the first. */
async function resumed(port: number, maxVersion: 'TLSv1.2' | 'TLSv1.3'): Promise<TLSSocket> {
  const first = tls.connect({ ...toServer(port), maxVersion });
  const told = once(first, 'session');
  await connected(first);
  await echoed(first, 'x');
  const [session] = (await within(told, 'session')) as [Buffer];
  const second = await connected(tls.connect({ ...toServer(port), maxVersion, session }));
  assert.equal(second.isSessionReused(), true);
  return second;
}

describe('system-tls/tls', () => {
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`${version}: serves node:tls, and connects to it`, async () => {
      const { port, next } = await dropInServer({ minVersion: version, maxVersion: version });
      const arrival = next();
      const client = await connected(nodeTls.connect(toServer(port)));
      assert.equal(isOurs(client), false);
      assert.equal(isOurs(await arrival), true);
      assert.equal(await echoed(client, 'to ours'), 'to ours');

      const { cert, key } = certificates().server;
      const other = nodeTls.createServer({ cert, key, maxVersion: version }, socket => void socket.pipe(socket));
      const mine = await connected(tls.connect(toServer(await listening(other))));
      assert.equal(isOurs(mine), true);
      assert.equal(mine.getProtocol(), version);
      assert.equal(await echoed(mine, 'to node'), 'to node');
    });
  }

  it('a handler of readable that reads once for each event gets all', async () => {
    const { port } = await dropInServer({});
    const client = await connected(tls.connect(toServer(port)));
    const sent = randomBytes(300_000);
    const got: Buffer[] = [];
    client.on('readable', () => {
      const chunk = client.read() as Buffer | null;
      if (chunk !== null) got.push(chunk);
    });
    client.write(sent);
    await until(() => got.reduce((sum, { length }) => sum + length, 0) === sent.length, 'all of it');
    assert.ok(Buffer.concat(got).equals(sent));
    client.destroy();
  });

  it('its sockets are TLSSockets and net.Sockets, and tell what node tells', async () => {
    const { port, next } = await dropInServer({ ALPNProtocols: ['b', 'a'] });
    const arrival = next();
    const client = await connected(tls.connect({ ...toServer(port), ALPNProtocols: ['a', 'b'] }));
    const server = await arrival;
    const early = tls.connect(toServer(port));
    early.write('early');
    assert.equal(await echoed(await connected(early), ' and late'), 'early and late'.slice(0, 14));
    assert.equal(early.bytesWritten, 14);
    for (const socket of [client, server]) {
      assert.ok(socket instanceof tls.TLSSocket && socket instanceof nodeTls.TLSSocket && socket instanceof net.Socket);
      assert.equal(socket.encrypted, true);
      assert.equal(socket.alpnProtocol, 'b');
      assert.equal(socket.getCipher().version, 'TLSv1.3');
    }
    assert.equal(client.authorized, true);
    assert.equal(client.remotePort, port);
    assert.equal(server.remotePort, client.localPort);
    assert.deepEqual(client.getPeerX509Certificate()?.raw, server.getX509Certificate()?.raw);
    assert.equal((server as TLSSocket & { servername: string }).servername, 'localhost');
    assert.deepEqual(client.getPeerFinished(), server.getFinished());
    // On an I/O thread a promise.
    await echoed(client, 'counted');
    assert.deepEqual([client.bytesWritten, client.bytesRead], [7, 7]);
    const material = await client.exportKeyingMaterial(32, 'test', Buffer.alloc(0));
    assert.equal(material.length, 32);
    assert.deepEqual(material, await server.exportKeyingMaterial(32, 'test', Buffer.alloc(0)));
  });

  it('has the control that node withholds', async () => {
    const { port, next } = await dropInServer();
    const arrival = next();
    const client = await connected(tls.connect(toServer(port)));
    await within(Promise.resolve(sslOf(client)?.keyUpdate()), 'the key update');
    assert.equal(await echoed(client, 'under new keys'), 'under new keys');
    assert.equal(sslOf(await arrival)?.version, 'TLSv1.3');
  });

  it('leaves sockets of node:tls to node, beside its own', async () => {
    const { cert, key, certFile } = certificates().server;
    const server = nodeTls.createServer({ cert, key }, socket => void socket.pipe(socket));
    const port = await listening(server);
    const client = await connected(nodeTls.connect(toServer(port)));
    assert.equal(sslOf(client), null);
    assert.equal(await echoed(client, certFile), certFile);
    assert.ok(client.getPeerX509Certificate()?.subject);
  });

  it('a client certificate: authorized, or refused and told', async () => {
    const { ca, client: identity } = certificates();
    const { server, port, next } = await dropInServer({ ca: ca.cert, requestCert: true });
    const arrival = next();
    await connected(tls.connect({ ...toServer(port), cert: identity.cert, key: identity.key }));
    const socket = await arrival;
    assert.equal(socket.authorized, true);
    assert.ok(socket.getPeerCertificate(true).issuerCertificate);

    const failed = once(server, 'tlsClientError');
    const none = tls.connect({ ...toServer(port), maxVersion: 'TLSv1.2' });
    const error = await errorOf(none);
    assert.ok(error instanceof Error);
    const [told] = (await within(failed, 'tlsClientError')) as [NodeJS.ErrnoException];
    assert.equal(told.code, 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
  });

  it('a server that is not trusted: nothing that was written before reaches it', async () => {
    let received = 0;
    const { server, port } = await dropInServer();
    server.on('secureConnection', (socket: TLSSocket) => {
      socket.on('data', (data: Buffer) => {
        received += data.length;
      });
    });
    const { ca: _, ...untrusted } = toServer(port);
    const unknown = tls.connect({ ...untrusted, ca: certificates().otherCa.cert });
    unknown.write('a secret');
    assert.match(String((await errorOf(unknown)).code), /UNABLE_TO_|SELF_SIGNED/);
    const misnamed = tls.connect({ ...toServer(port), servername: 'elsewhere.example' });
    misnamed.write('a secret');
    assert.equal((await errorOf(misnamed)).code, 'ERR_TLS_CERT_ALTNAME_INVALID');
    assert.equal(received, 0);
  });

  it('a server that is not trusted: who waits to write hears of it after the error that says why', async () => {
    const { port } = await dropInServer();
    for (const side of [nodeTls, tls]) {
      const order: unknown[] = [];
      const socket = side.connect({ ...toServer(port), ca: certificates().otherCa.cert });
      socket.write('a secret', () => void order.push('written'));
      socket.on('error', () => void order.push('error'));
      await within(new Promise(resolve => socket.on('close', resolve)), 'close');
      assert.deepEqual(order, ['error', 'written']);
    }
  });

  it('garbage, and a peer that goes: tlsClientError, ECONNRESET, and the server lives on', async () => {
    const { server, port } = await dropInServer();
    const failed = once(server, 'tlsClientError');
    const raw = net.connect(port, '127.0.0.1', () => raw.write('GET / HTTP/1.0\r\n\r\n'));
    raw.on('error', () => {});
    const [error] = (await within(failed, 'tlsClientError')) as [NodeJS.ErrnoException];
    assert.match(String(error.code), /^ERR_SSL_(HTTP_REQUEST|WRONG_VERSION_NUMBER)$/);
    const silent = net.createServer(socket => socket.end());
    const reset = tls.connect(toServer(await listening(silent)));
    const { code, message } = await errorOf(reset);
    assert.equal(code, 'ECONNRESET');
    assert.match(message, /before secure TLS connection was established/);
    assert.equal(await echoed(await connected(tls.connect(toServer(port))), 'alive'), 'alive');
  });

  it('SNICallback, and contexts of addContext()', async () => {
    const { wrongHost: other } = certificates();
    const asked: string[] = [];
    const { port } = await dropInServer({
      SNICallback: (name, done) => {
        asked.push(name);
        setImmediate(
          done,
          null,
          name === 'localhost' ? undefined : tls.createSecureContext({ cert: other.cert, key: other.key }),
        );
      },
    });
    const client = await connected(
      tls.connect({ ...toServer(port), servername: 'b.example', rejectUnauthorized: false }),
    );
    assert.deepEqual(asked, ['b.example']);
    assert.equal(
      String(client.getPeerX509Certificate()),
      String(other.cert).match(/-----BEGIN[\s\S]*?-----END CERTIFICATE-----\n/)?.[0],
    );

    const { server, port: second, next } = await dropInServer();
    server.addContext('*.example', { cert: other.cert, key: other.key });
    const arrival = next();
    await connected(tls.connect({ ...toServer(second), servername: 'c.example', rejectUnauthorized: false }));
    assert.equal(sslOf(await arrival)?.servername, 'c.example');
  });

  it('ALPNCallback chooses, and what was not offered is refused', async () => {
    const { port, server } = await dropInServer({
      ALPNCallback: ({ servername, protocols }) => (servername === 'localhost' ? protocols.at(-1) : 'made-up'),
    });
    const client = await connected(tls.connect({ ...toServer(port), ALPNProtocols: ['x', 'y'] }));
    assert.equal(client.alpnProtocol, 'y');
    const failed = once(server, 'tlsClientError');
    const refused = tls.connect({ ...toServer(port), servername: 'other.example', ALPNProtocols: ['x'] });
    await errorOf(refused);
    const [{ code }] = (await within(failed, 'tlsClientError')) as [NodeJS.ErrnoException];
    assert.equal(code, 'ERR_TLS_ALPN_CALLBACK_INVALID_RESULT');
  });

  it('servers of one context keep their protocols apart, also where a name has a comma', async () => {
    const secureContext = tls.createSecureContext(certificates().server);
    const chosen = async (served: string[], offered: string): Promise<unknown> => {
      const server = net.createServer(raw => {
        const socket = new tls.TLSSocket(raw, { isServer: true, secureContext, ALPNProtocols: served });
        socket.on('error', () => {}).resume();
        endLater(() => socket.destroy());
      });
      const client = tls.connect({ ...toServer(await listening(server)), ALPNProtocols: [offered] });
      return connected(client).then(
        () => client.alpnProtocol,
        ({ code }) => code,
      );
    };
    const refused = 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL';
    assert.equal(await chosen(['a,b'], 'a,b'), 'a,b');
    assert.equal(await chosen(['a', 'b'], 'b'), 'b');
    assert.equal(await chosen(['a', 'b'], 'a,b'), refused);
    assert.equal(await chosen(['a,b'], 'b'), refused);
  });

  it('pre-shared keys, in the functions of node', async () => {
    const key = randomBytes(32);
    const options = { ciphers: 'PSK', maxVersion: 'TLSv1.2' as const };
    const { port } = await dropInServer({
      ...options,
      cert: undefined,
      key: undefined,
      pskCallback: (_socket, identity) => (identity === 'one' ? key : null),
    });
    const connect = (identity: string) =>
      tls.connect({
        ...toServer(port),
        ...options,
        checkServerIdentity: () => undefined,
        pskCallback: () => ({ psk: key, identity }),
      });
    const client = await connected(connect('one'));
    assert.match(client.getCipher().name, /PSK/);
    assert.ok((await errorOf(connect('other'))) instanceof Error);
  });

  it('sessions are resumed, on TLS 1.2 and 1.3', async () => {
    const { port } = await dropInServer();
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const second = await resumed(port, maxVersion);
      assert.equal(second.authorized, true);
    }
  });

  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    it(`${version}: a stored session that cannot be read is none, and the handshake is full`, async () => {
      const { port } = await dropInServer({ maxVersion: version });
      const first = tls.connect(toServer(port));
      const told = once(first, 'session');
      await connected(first);
      await echoed(first, 'x');
      const [session] = (await within(told, 'session')) as [Buffer];
      const changed = Buffer.from(session);
      changed[session.length >> 1] = (changed[session.length >> 1] as number) ^ 0x55;
      const unreadable = [Buffer.from('damaged in the store'), Buffer.alloc(0), session.subarray(0, -7), changed];
      for (const each of unreadable) {
        const socket = await connected(tls.connect({ ...toServer(port), session: each }));
        assert.equal(socket.isSessionReused(), false);
        assert.equal(await echoed(socket, 'after all'), 'after all');
      }
      const again = await connected(tls.connect({ ...toServer(port), session }));
      assert.equal(again.isSessionReused(), true);
    });
  }

  it('a session that is no buffer is refused at once, as by node', async () => {
    const { port } = await dropInServer();
    const failure = { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE', message: 'Session must be a buffer' };
    for (const session of [5, true, {}, [], new ArrayBuffer(3)] as never[]) {
      for (const api of [tls, nodeTls]) {
        assert.throws(() => api.connect({ ...toServer(port), session }).on('error', () => {}), failure);
        const socket = new api.TLSSocket(new Duplex({ read() {}, write() {} }));
        endLater(() => socket.destroy());
        assert.throws(() => (socket as never as { setSession(to: unknown): void }).setSession(session), failure);
      }
    }
  });

  it('a client without a certificate is not authorized, also when it resumes', async () => {
    const { server, port } = await dropInServer({
      requestCert: true,
      rejectUnauthorized: false,
      ca: certificates().ca.cert,
    });
    const seen: boolean[] = [];
    server.on('secureConnection', (socket: TLSSocket) => seen.push(socket.authorized));
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const second = await resumed(port, maxVersion);
      assert.equal(await echoed(second, 'y'), 'y');
    }
    assert.deepEqual(seen, [false, false, false, false]);
  });

  it('ciphers of TLS 1.2 alone leave those of TLS 1.3 as they are', async () => {
    const { port } = await dropInServer({ ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256' });
    assert.equal((await connected(tls.connect(toServer(port)))).getProtocol(), 'TLSv1.3');
    const old = await connected(nodeTls.connect({ ...toServer(port), maxVersion: 'TLSv1.2' }));
    assert.match(old.getCipher().name, /^ECDHE-\w+-AES128-GCM-SHA256$/);
    assert.throws(() => tls.createSecureContext({ ciphers: ':' }));
  });

  it('a socket whose signal was aborted before keeps no connection', async () => {
    const { server, port } = await dropInServer();
    const options = { ...toServer(port), signal: AbortSignal.abort() } as nodeTls.ConnectionOptions;
    assert.equal((await errorOf(tls.connect(options))).name, 'AbortError');
    await echoed(await connected(tls.connect(toServer(port))), 'after it');
    let open = 0;
    const count = () =>
      server.getConnections((_error, connections) => {
        open = connections;
      });
    await until(() => count() && open === 1, 'the other connection to end');
  });

  it('the upgrade of a socket that has read the first bytes', async () => {
    const { cert, key } = certificates().server;
    const secureContext = tls.createSecureContext({ cert, key });
    const server = net.createServer(socket => {
      socket.once('data', data => {
        assert.equal(String(data), 'STARTTLS\n');
        // The ClientHello is on its way while nothing reads.
        socket.pause();
        socket.write('GO\n');
        setTimeout(() => {
          const secure = new tls.TLSSocket(socket, { isServer: true, secureContext });
          secure.on('error', () => {}).on('data', chunk => secure.write(chunk));
        }, 50);
      });
    });
    const port = await listening(server);
    const raw = net.connect(port, '127.0.0.1', () => raw.write('STARTTLS\n'));
    await within(once(raw, 'data'), 'GO');
    const client = await connected(tls.connect({ ...toServer(port), socket: raw }));
    assert.equal(isOurs(client), true);
    assert.equal(await echoed(client, 'upgraded'), 'upgraded');
  });

  it('a socket in a log: no circle, and nothing of a session', async () => {
    const { port, next } = await dropInServer();
    const arrival = next();
    const client = tls.connect(toServer(port));
    const told = once(client, 'session');
    await connected(client);
    await echoed(client, 'x');
    await within(told, 'session');
    const session = client.getSession() as Buffer;
    const seen = `${JSON.stringify(client)}${inspect(client, { depth: 9, maxArrayLength: null })}`;
    assert.ok(seen.includes('secureConnecting'));
    for (const form of [JSON.stringify(session.toJSON().data), inspect(session)]) {
      assert.ok(!seen.includes(form.slice(1, 60)), seen);
    }
    assert.ok(JSON.stringify(await arrival).includes('secureConnecting'));
  });

  it('a socket that connects, or is read from, while it is ours: no byte goes to it', async () => {
    const { port } = await dropInServer();
    for (let round = 0; round < 30; round++) {
      const raw = net.connect(port, '127.0.0.1');
      let stolen = 0;
      raw.on('readable', () => {
        stolen += (raw.read() as Buffer | null)?.length ?? 0;
      });
      const client = tls.connect({ ...toServer(port), socket: raw });
      client.once('secureConnect', () => raw.resume());
      await connected(client);
      assert.equal(await echoed(client, 'all of it'.repeat(1000)), 'all of it'.repeat(1000));
      assert.equal(stolen, 0);
      client.destroy();
    }
  });

  it('over a Duplex: all of what was written last arrives, however slow that is', async () => {
    const pair = (): [Duplex, Duplex] => {
      const ends: Duplex[] = [];
      const make = (other: () => Duplex | undefined): Duplex =>
        new Duplex({
          read() {},
          write: (chunk, _encoding, done) =>
            void setImmediate(() => {
              other()?.push(chunk);
              done();
            }),
          final: done => {
            other()?.push(null);
            done();
          },
        });
      ends.push(
        make(() => ends[1]),
        make(() => ends[0]),
      );
      return ends as [Duplex, Duplex];
    };
    const [near, far] = pair();
    const { cert, key } = certificates().server;
    const server = new tls.TLSSocket(far, { isServer: true, secureContext: tls.createSecureContext({ cert, key }) });
    server.on('error', () => {}).pipe(server);
    const { servername, ca } = toServer(0);
    const client = tls.connect({ servername, ca, socket: near });
    endLater(() => client.destroy());
    let received = 0;
    client.on('data', data => {
      received += data.length;
    });
    client.end(Buffer.alloc(8 << 20));
    await within(once(client, 'close'), 'close');
    assert.equal(received, 8 << 20);
  });

  it('over a Duplex, and TLS in TLS', async () => {
    const { port } = await dropInServer();
    const raw = net.connect(port, '127.0.0.1');
    const duplex = new Duplex({
      read: () => void raw.resume(),
      write: (chunk, encoding, done) => void raw.write(chunk, encoding, done),
      final: done => void raw.end(done),
      destroy: (error, done) => {
        raw.destroy();
        done(error);
      },
    });
    raw.on('data', data => duplex.push(data) || raw.pause()).on('end', () => duplex.push(null));
    const client = await connected(tls.connect({ ...toServer(port), socket: duplex }));
    assert.equal(await echoed(client, 'through a stream'), 'through a stream');

    const { cert, key } = certificates().server;
    const tunnel = tls.createServer({ cert, key }, outer => {
      const inner = net.connect(port, '127.0.0.1');
      outer.pipe(inner).pipe(outer);
      for (const socket of [outer, inner]) socket.on('error', () => {});
    });
    const outer = await connected(tls.connect(toServer(await listening(tunnel))));
    const inner = await connected(tls.connect({ ...toServer(port), socket: outer }));
    assert.equal(await echoed(inner, 'twice'), 'twice');
  });

  it('a wrong option is the error of node, with its text', () => {
    for (const options of [
      { cert: 7 },
      { minVersion: 'TLSv9' },
      { secureProtocol: 'x', minVersion: 'TLSv1.2' },
      { ciphers: 1 },
    ]) {
      const thrown = (make: () => unknown): Error => {
        try {
          make();
        } catch (error) {
          return error as Error;
        }
        return assert.fail('nothing was thrown');
      };
      const [mine, nodes] = [tls, nodeTls].map(each => thrown(() => each.createSecureContext(options as never)));
      assert.equal(mine?.message, nodes?.message);
    }
  });

  it('openssl s_client is served', async function () {
    needsProgram(this, 'openssl');
    const { port } = await dropInServer();
    const client = opensslClient(port);
    await client.printed(/Verify return code: 0 \(ok\)/);
    await client.stop();
  });
});
