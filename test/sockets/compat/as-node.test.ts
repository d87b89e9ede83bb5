// What system-tls/tls does because node:tls does it, and the package's own API does not.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { constants, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import nodeTls, { type TLSSocket, type TlsOptions } from 'node:tls';
import '../../support/drop-in-threads.ts';
import { openssl } from 'system-tls';
import tls, { sslOf } from 'system-tls/tls';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { connected, dropInServer, echoed, endLater, listening, toServer } from '../../support/drop-in.ts';
import { sleep, until, within } from '../../support/wait.ts';

type Failure = Error & { readonly code?: string; readonly library?: string; readonly reason?: string };
type Tls = typeof nodeTls;

const failureOf = async (emitter: NodeJS.EventEmitter, event: string): Promise<Failure> =>
  (await within(once(emitter, event), event))[0] as Failure;

/** Of both sides, where the handshake fails. */
async function failures(mod: Tls, options: TlsOptions, clientOptions: object): Promise<readonly [Failure, Failure]> {
  const { cert, key } = certificates().server;
  const server = mod.createServer({ cert, key, ...options });
  const told = failureOf(server, 'tlsClientError');
  const client = mod.connect({ ...toServer(await listening(server)), ...clientOptions });
  endLater(() => client.destroy());
  return Promise.all([told, failureOf(client, 'error')]);
}

/** Two ends. `spoils` says of each write whether it is taken by nobody, or what it fails with. */
function duplexes(spoils: (stream: Duplex) => boolean | Error): [Duplex, Duplex] {
  const ends: Duplex[] = [];
  for (const far of [1, 0]) {
    const end = new Duplex({
      read() {},
      write(chunk, _encoding, done) {
        const spoilt = spoils(this);
        if (spoilt instanceof Error) done(spoilt);
        else if (!spoilt) {
          setImmediate(() => {
            ends[far]?.push(chunk);
            done();
          });
        }
      },
    });
    ends.push(end);
  }
  return ends as [Duplex, Duplex];
}

describe('system-tls/tls, as node:tls', () => {
  it('errors have the number, the words and the code of the OpenSSL in node', async () => {
    const suites = [{ ciphers: 'TLS_AES_128_GCM_SHA256' }, { ciphers: 'TLS_AES_256_GCM_SHA384' }] as const;
    const nodes = await failures(nodeTls, ...suites);
    const ours = await failures(tls, ...suites);
    for (const [at, { code, library, reason, message }] of ours.entries()) {
      assert.deepEqual(
        { code, library, reason },
        (({ code, library, reason }) => ({ code, library, reason }))(nodes[at] as Failure),
      );
      const number = /error:[0-9A-F]{8}:SSL routines:/.exec(String(nodes[at]?.message))?.[0];
      assert.ok(number !== undefined && message.startsWith(number), message);
      assert.match(message, new RegExp(`^error:[0-9A-F]{8}:SSL routines:\\w*:${reason}`));
    }
    assert.match(String(ours[1].code), /^ERR_SSL_SS.*_ALERT_HANDSHAKE_FAILURE$/);
    assert.match(ours[1].message, /:SSL alert number 40$/);
  });

  it('bounds that leave no version fail in the handshake', async () => {
    const before = tls.DEFAULT_MIN_VERSION;
    tls.DEFAULT_MIN_VERSION = 'TLSv1.3';
    try {
      const [server] = await failures(tls, { secureProtocol: 'SSLv23_method' }, { secureProtocol: 'TLSv1_2_method' });
      assert.equal(server.code, 'ERR_SSL_NO_PROTOCOLS_AVAILABLE');
      const { port } = await dropInServer();
      const client = tls.connect({ ...toServer(port), secureProtocol: 'SSLv23_method' });
      assert.equal((await failureOf(client, 'error')).code, 'ERR_SSL_NO_PROTOCOLS_AVAILABLE');
    } finally {
      tls.DEFAULT_MIN_VERSION = before;
    }
  });

  it('a ticket of TLS 1.3 is kept when it is used, until its key is another', async () => {
    const { server, port } = await dropInServer({ minVersion: 'TLSv1.3' });
    const sessions: Buffer[] = [];
    const visit = async (session?: Buffer): Promise<boolean> => {
      const client = tls.connect({ ...toServer(port), ...(session && { session }) });
      client.on('session', told => sessions.push(told));
      await connected(client);
      // Tickets come before what is written behind them.
      await echoed(client, 'x');
      const reused = client.isSessionReused();
      client.destroy();
      return reused;
    };
    assert.equal(await visit(), false);
    const [, kept] = sessions.splice(0);
    assert.ok(kept);
    assert.equal(await visit(kept), true);
    assert.equal(await visit(kept), true);
    assert.deepEqual(sessions, []);
    server.setTicketKeys(randomBytes(48));
    assert.equal(await visit(kept), false);
    assert.equal(sessions.length, 2);
  });

  it('getTLSTicket() is that of the session that was told', async () => {
    const { port } = await dropInServer();
    const client = tls.connect(toServer(port));
    const tickets: unknown[] = [];
    const sessions: unknown[] = [];
    client.on('session', session => {
      tickets.push(client.getTLSTicket()?.toString('hex'));
      sessions.push(session.equals(client.getSession() as Buffer));
    });
    await echoed(await connected(client), 'x');
    assert.deepEqual(sessions, [true, true]);
    assert.equal(new Set(tickets).size, 2);
  });

  it('a server with a store of sessions makes tickets too, and asks the store for the sessions of other clients alone', async () => {
    const { server, port } = await dropInServer({ maxVersion: 'TLSv1.2' });
    const store = new Map<string, Buffer>();
    const asked: string[] = [];
    server.on('newSession', (id, data, done) => {
      store.set(id.toString('hex'), data);
      done();
    });
    server.on('resumeSession', (id, done) => {
      asked.push(id.toString('hex'));
      done(null, store.get(id.toString('hex')) ?? null);
    });
    const twice = async (options: object): Promise<boolean> => {
      // A ClientHello that offers TLS 1.3 has an id in any case (RFC 8446, appendix D.4).
      const first = tls.connect({ ...toServer(port), maxVersion: 'TLSv1.2', ...options });
      const told = once(first, 'session') as Promise<[Buffer]>;
      await connected(first);
      const [session] = await within(told, 'session');
      const second = await connected(tls.connect({ ...toServer(port), maxVersion: 'TLSv1.2', ...options, session }));
      assert.equal(await echoed(second, 'resumed'), 'resumed');
      return second.isSessionReused();
    };
    assert.equal(await twice({}), true);
    assert.deepEqual([store.size, asked.length], [0, 0]);
    assert.equal(await twice({ secureOptions: constants.SSL_OP_NO_TICKET }), true);
    assert.deepEqual([...store.keys()], asked);
    assert.equal(asked.length, 1);
    store.clear();
    assert.equal(await twice({ secureOptions: constants.SSL_OP_NO_TICKET }), true);
    store.clear();
    server.removeAllListeners('newSession');
    assert.equal(await twice({ secureOptions: constants.SSL_OP_NO_TICKET }), false);
  });

  it('a server name whose last part is a number is sent, and an empty one is not', async () => {
    const { port, next } = await dropInServer();
    const nameOf = async (servername: string): Promise<unknown> => {
      const arrival = next();
      await connected(tls.connect({ ...toServer(port), servername, rejectUnauthorized: false }));
      return ((await arrival) as TLSSocket & { servername: unknown }).servername;
    };
    assert.equal(await nameOf('sni.0'), 'sni.0');
    assert.equal(await nameOf('a_b.c-d.127'), 'a_b.c-d.127');
    assert.equal(await nameOf(''), false);
    const long = `${'a.'.repeat(130)}1`;
    const refused = tls.connect({ ...toServer(port), servername: long, rejectUnauthorized: false });
    assert.equal((await failureOf(refused, 'error')).code, 'ERR_INVALID_ARG_VALUE');
  });

  it('an OCSP response is stapled whatever it is, and who destroys the socket on it leaves in the handshake', async function () {
    // It parses what a server staples, to staple several.
    needs(this, openssl.versionNumber < 0x30600000, 'OpenSSL 3.6 and later staple nothing that is no response');
    const { server, port } = await dropInServer();
    let secure = 0;
    server.on('secureConnection', () => secure++);
    server.on('OCSPRequest', (_certificate, _issuer, done) => done(null, Buffer.from('hello world')));
    const options = { ...toServer(port), requestOCSP: true } as nodeTls.ConnectionOptions;
    const leaving = tls.connect(options, () => assert.fail('secureConnect'));
    const failed = once(server, 'tlsClientError');
    leaving.on('OCSPResponse', response => {
      assert.equal(String(response), 'hello world');
      leaving.destroy();
    });
    await within(failed, 'tlsClientError');
    assert.equal(secure, 0);
    const staying = tls.connect(options);
    const responses: string[] = [];
    staying.on('OCSPResponse', each => responses.push(String(each)));
    assert.equal(await echoed(await connected(staying), 'stays'), 'stays');
    assert.deepEqual(responses, ['hello world']);
    assert.equal(secure, 1);
  });

  it('after disableRenegotiation() a client that begins one is not answered, and the connection ends', async () => {
    const { port, next } = await dropInServer({ maxVersion: 'TLSv1.2' });
    const arrival = next();
    const client = await connected(tls.connect(toServer(port)));
    const server = await arrival;
    const renegotiated = (): Promise<Error | null> =>
      new Promise(resolve => {
        client.once('close', () => resolve(new Error('closed')));
        client.renegotiate({}, resolve);
      });
    assert.equal(await within(renegotiated(), 'a renegotiation'), null);
    assert.equal(await echoed(client, 'before'), 'before');
    assert.equal(sslOf(server)?.renegotiations, 1);
    server.disableRenegotiation();
    assert.equal(await echoed(client, 'after'), 'after');
    const failed = failureOf(server, 'error');
    const errors: Error[] = [];
    client.on('error', error => errors.push(error));
    const ended = once(client, 'close');
    client.renegotiate({}, () => assert.fail('it was answered'));
    assert.equal((await failed).code, 'ERR_TLS_RENEGOTIATION_DISABLED');
    await within(ended, 'close');
    assert.deepEqual(errors, []);
  });

  it('over a Duplex a write calls back when that has taken it', async () => {
    const { port } = await dropInServer();
    const raw = net.connect(port, '127.0.0.1');
    await within(once(raw, 'connect'), 'connect');
    let held = false;
    const waiting: (() => void)[] = [];
    const duplex = new Duplex({
      read: () => void raw.resume(),
      write: (chunk, _encoding, done) => {
        raw.write(chunk);
        if (held) waiting.push(done);
        else done();
      },
      destroy: (error, done) => {
        raw.destroy();
        done(error);
      },
    });
    raw.on('data', data => duplex.push(data)).on('end', () => duplex.push(null));
    const client = await connected(tls.connect({ ...toServer(port), socket: duplex }));
    assert.equal(await echoed(client, 'x'), 'x');
    const handle = (client as unknown as { _handle: { writeQueueSize: number } })._handle;
    held = true;
    let written = 0;
    client.write('held', () => written++);
    await until(() => waiting.length > 0, 'the write of the Duplex');
    await sleep(20);
    assert.deepEqual([written, handle.writeQueueSize], [0, 4]);
    held = false;
    for (const done of waiting.splice(0)) done();
    await until(() => written === 1, 'the callback');
    assert.equal(handle.writeQueueSize, 0);
    held = true;
    client.write('never taken');
    await until(() => waiting.length > 0, 'the write of the Duplex');
    client.destroy();
    await within(once(client, 'close'), 'close');
  });

  for (const [how, code] of [
    ['a write of it fails', 'EPIPE'],
    ['it is destroyed by an error', 'EPIPE'],
    ['it goes away', 'ECANCELED'],
  ] as const) {
    it(`over a Duplex, ${how} while a write is under way: one error, and the write has failed`, async () => {
      let broken = false;
      const [near, far] = duplexes(stream => {
        if (!broken) return false;
        if (how === 'a write of it fails') return new Error('gone');
        stream.destroy(how === 'it goes away' ? undefined : new Error('gone'));
        return true;
      });
      const { cert, key } = certificates().server;
      const server = new tls.TLSSocket(far, { isServer: true, secureContext: tls.createSecureContext({ cert, key }) });
      server.on('error', () => {}).resume();
      const client = await connected(
        tls.connect({ socket: near, ca: certificates().ca.cert, servername: 'localhost' }),
      );
      await sleep(20);
      const told: string[] = [];
      client.on('error', ({ message }) => told.push(message));
      const closed = new Promise(resolve => client.once('close', resolve));
      broken = true;
      const written = new Promise<NodeJS.ErrnoException | null | undefined>(resolve => client.write('lost', resolve));
      assert.equal((await within(written, 'the end of the write'))?.code, code);
      await within(closed, 'close');
      assert.deepEqual(told, how === 'it goes away' ? [] : ['gone']);
    });
  }

  it('bytesWritten counts what the peer has not taken yet', async () => {
    const server = tls.createServer({ ...certificates().server }, socket => void socket.on('error', () => {}).pause());
    const client = await connected(tls.connect(toServer(await listening(server))));
    client.on('error', () => {}).write(Buffer.alloc(24 << 20));
    assert.equal(client.bytesWritten, 24 << 20);
    await sleep(20);
    assert.equal(client.bytesWritten, 24 << 20);
  });

  for (const side of ['client', 'server'] as const) {
    it(`a renegotiation that the ${side} begins is 'secure' once on each side`, async () => {
      const { port, next } = await dropInServer({ maxVersion: 'TLSv1.2' });
      const arrival = next();
      const client = await connected(tls.connect(toServer(port)));
      const server = await arrival;
      assert.equal(await echoed(client, 'x'), 'x');
      const told: string[] = [];
      client.on('secure', () => told.push('client'));
      server.on('secure', () => told.push('server'));
      const socket = side === 'client' ? client : server;
      const done = new Promise<Error | null>(resolve => socket.renegotiate({}, resolve));
      assert.equal(await within(done, 'the renegotiation'), null);
      assert.equal(await echoed(client, 'y'), 'y');
      assert.deepEqual(told.sort(), ['client', 'server']);
    });
  }

  it('getEphemeralKeyInfo() names a hybrid group where node does, and has the size of others', async function () {
    const { port } = await dropInServer({ ecdhCurve: 'P-384' });
    const plain = await connected(tls.connect({ ...toServer(port), ecdhCurve: 'P-384' }));
    assert.deepEqual(plain.getEphemeralKeyInfo(), { type: 'ECDH', name: 'secp384r1', size: 384 });
    needs(this, openssl.features.mlkem, 'this OpenSSL has no ML-KEM');
    const hybrid = { ecdhCurve: 'X25519MLKEM768' };
    const client = await connected(tls.connect({ ...toServer((await dropInServer(hybrid)).port), ...hybrid }));
    const named = { type: 'TLSGroup', name: 'X25519MLKEM768' };
    const node = Number.parseInt(process.versions.node, 10);
    assert.deepEqual(client.getEphemeralKeyInfo(), node >= 24 ? named : {});
  });

  it('enableTrace() writes the messages of this connection to stderr', async function () {
    needsProgram(this, 'openssl');
    const { stdout, stderr } = spawnSync('openssl', ['s_client', '-help'], { encoding: 'utf8' });
    needs(this, / -trace\b/.test(stdout + stderr), 'this OpenSSL was built without SSL_trace(3)');
    const { certFile, keyFile } = certificates().server;
    const script = (trace: string): string => `
      import { readFileSync } from 'node:fs';
      import tls from 'system-tls/tls';
      const cert = readFileSync(${JSON.stringify(certFile)});
      const key = readFileSync(${JSON.stringify(keyFile)});
      const server = tls.createServer({ cert, key }, socket => socket.end('bye')).listen(0, '127.0.0.1', () => {
        const { port } = server.address();
        const client = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
        ${trace}
        client.on('close', () => server.close()).resume();
      });`;
    const output = async (trace: string): Promise<string> => {
      const child = nodeScript(script(trace));
      // Nobody reads meanwhile: what writes a little at a time fills the pipe.
      if (trace !== '') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
      assert.deepEqual(await within(child.exited, 'the end of the child'), { code: 0, signal: null }, child.output);
      return child.output;
    };
    const traced = await output('client.enableTrace();');
    assert.match(traced, /Sent (TLS )?Record/);
    assert.match(traced, /ClientHello, Length=/);
    assert.match(traced, /ServerHello, Length=/);
    assert.match(traced, /Received (TLS )?Record.*close notify.*Sent (TLS )?Record.*close notify/s);
    assert.match(await output("client.on('secureConnect', () => client.enableTrace());"), /Received (TLS )?Record/);
    assert.doesNotMatch(await output(''), /Record|ClientHello/);
  });
});
