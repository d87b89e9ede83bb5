// Which function decided about a session's certificate, and which may resume it: the same object, or the same verifyId.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import {
  createServer,
  Ssl,
  SslContext,
  type SslContextOptions,
  type SslOptions,
  SslSession,
  type TlsSocket,
  type Verify,
} from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext, type MemoryPair, makePair, serverContext, versions } from '../../support/memory-pair.ts';
import { connectTo, pool, startServer } from '../../support/sockets.ts';
import { until } from '../../support/wait.ts';

const mismatch = 'ERR_TLS_SESSION_POLICY_MISMATCH';
const { server: identity, stranger } = certificates();
const right = new X509Certificate(identity.cert).fingerprint256;

/** Of one text, with what is decided around it. */
const pinned =
  (pin: string, asked: string[] = []): Verify =>
  ({ chain }) => {
    asked.push(pin);
    return chain[0]?.fingerprint256 === pin;
  };

async function sessionOf(pair: MemoryPair): Promise<SslSession> {
  let last: SslSession | undefined;
  pair.client.on('session', given => {
    last = given;
  });
  await pair.handshake();
  void pair.client.read().catch(() => {});
  await pair.server.write('x');
  await pair.pump();
  const session = last ?? pair.client.session;
  assert.ok(session, 'a session');
  await pair.during(Promise.all([pair.client.shutdown(), pair.server.shutdown()]));
  return session;
}

for (const [version, both] of versions) {
  describe(`the function verify of a client, ${version}`, () => {
    const far = serverContext(both);
    const pairWith = (clientSsl: Partial<SslOptions>): MemoryPair =>
      makePair({ client: both, serverContext: far, clientSsl });
    const reused = async (clientSsl: Partial<SslOptions>): Promise<boolean> =>
      (await pairWith(clientSsl).handshake()).client.sessionReused;

    it('resumes what it accepted itself, stored or not', async () => {
      const asked: string[] = [];
      const verify = pinned(right, asked);
      const session = await sessionOf(pairWith({ verify }));
      assert.equal(await reused({ verify, session }), true);
      assert.equal(await reused({ verify, session: SslSession.from(session.serialize()) }), true);
      assert.equal(asked.length, 1);
    });

    it('does not resume what another of the same text accepted', async () => {
      const session = await sessionOf(pairWith({ verify: pinned(right) }));
      thrown(() => pairWith({ verify: pinned('another'), session }), mismatch);
      thrown(() => pairWith({ verify: pinned(right), session }), mismatch);
      thrown(() => pairWith({ session }), mismatch);
    });

    it('asks, where it cannot be known whether it accepted a stored one', async () => {
      const stored = (await sessionOf(pairWith({ verify: pinned(right) }))).serialize();
      const asked: string[] = [];
      assert.equal(await reused({ verify: pinned(right, asked), session: stored }), false);
      assert.deepEqual(asked, [right]);
      const pair = pairWith({ verify: pinned('another', asked), session: stored });
      pair.server.accept().catch(() => {});
      await rejected(pair.during(pair.client.connect()), 'APPLICATION_VERIFICATION');
      assert.deepEqual(asked, [right, 'another']);
      // OpenSSL decides here.
      assert.equal(await reused({ session: stored }), false);
      // Nor does storing it once more make it known.
      assert.equal(await reused({ session: SslSession.from(stored).serialize() }), false);
    });

    it('does not take a stored one of another host, or of nobody who verified', async () => {
      const verify = pinned(right);
      const stored = (await sessionOf(pairWith({ verify }))).serialize();
      thrown(
        () => pairWith({ verify, session: stored, servername: 'elsewhere.example' }),
        'ERR_TLS_SESSION_HOST_MISMATCH',
      );
      const lax = await sessionOf(pairWith({ rejectUnauthorized: false }));
      thrown(() => pairWith({ verify, session: lax.serialize() }), 'ERR_TLS_SESSION_NOT_VERIFIED');
    });

    it('with a verifyId is the same under the same, and under no other', async () => {
      const session = await sessionOf(pairWith({ verify: pinned(right), verifyId: 'pin 1' }));
      const stored = session.serialize();
      for (const given of [session, stored]) {
        assert.equal(await reused({ verify: pinned(right), verifyId: 'pin 1', session: given }), true);
        thrown(() => pairWith({ verify: pinned(right), verifyId: 'pin 2', session: given }), mismatch);
        thrown(() => pairWith({ verify: pinned(right), session: given }), mismatch);
        thrown(() => pairWith({ session: given }), mismatch);
      }
    });

    it('is another than the same function as verifyCallback', async () => {
      const any = () => true;
      const session = await sessionOf(pairWith({ verify: any }));
      assert.equal(await reused({ verify: any, session }), true);
      thrown(() => pairWith({ verifyCallback: any, session }), mismatch);
    });

    it('of the context is that of its connections, and one may name it', async () => {
      const verify = pinned(right);
      const near = clientContext({ ...both, verify });
      const pair = (clientSsl: Partial<SslOptions>) => makePair({ clientContext: near, serverContext: far, clientSsl });
      const session = await sessionOf(pair({}));
      assert.equal((await pair({ session }).handshake()).client.sessionReused, true);
      assert.equal(await reused({ verify, session }), true);
      thrown(() => pair({ session, verifyId: 'named' }), mismatch);
      const named = await sessionOf(pair({ verifyId: 'named' }));
      assert.equal(await reused({ verify: pinned(right), verifyId: 'named', session: named }), true);
    });

    it('may not be changed by setVerify() to one that did not accept the session that was set', async () => {
      const verify = pinned(right);
      const session = await sessionOf(pairWith({ verify }));
      const pair = pairWith({ verify, session });
      thrown(() => pair.client.setVerify({ verify: pinned(right) }), mismatch);
      pair.client.setVerify({ verify });
      await pair.handshake();
      assert.equal(pair.client.sessionReused, true);
    });

    it('of another process is known by its verifyId alone', async () => {
      const { port } = await startServer(both, socket => void socket.write('x'));
      const there = async (verifyId: string | undefined): Promise<Buffer> => {
        const child = nodeScript(
          `import { connect } from 'system-tls';
           const on = { session: session => last = session };
           let last;
           const socket = await connect({ host: '127.0.0.1', port: ${port}, ...${JSON.stringify(both)},
             servername: 'localhost', verify: () => true, verifyId: ${JSON.stringify(verifyId)}, on });
           socket.once('data', () => {
             const wait = () => last === undefined ? setImmediate(wait) : console.log('[' + last.serialize().toString('base64') + ']');
             wait();
             socket.end();
           });`,
        );
        const [, text = ''] = await child.printed(/\[(.+)\]/);
        return Buffer.from(text, 'base64');
      };
      const resumed = async (session: Buffer, verifyId?: string): Promise<boolean> => {
        const socket: TlsSocket = await connectTo(port, {
          ...both,
          ca: undefined,
          servername: 'localhost',
          verify: () => true,
          verifyId,
          session,
        });
        return socket.ssl.sessionReused;
      };
      assert.equal(await resumed(await there('any'), 'any'), true);
      assert.equal(await resumed(await there(undefined)), false);
      assert.equal(await resumed(await there(undefined), 'any'), false);
    });
  });

  describe(`the function verify of a server, ${version}`, () => {
    const { ca } = certificates();
    // As in a cluster.
    const asking: SslContextOptions = { ...both, ca: ca.cert, requestCert: true, ticketKeys: Buffer.alloc(80, 7) };
    const near = clientContext({ ...both, cert: stranger.cert, key: stranger.key });
    const pairWith = (
      server: SslContextOptions,
      session?: SslSession,
      serverSsl: Partial<SslOptions> = {},
    ): MemoryPair =>
      makePair({ clientContext: near, server: { ...asking, ...server }, clientSsl: { session }, serverSsl });
    const anyone =
      (asked: number[]): Verify =>
      () =>
        asked.push(1) > 0;

    for (const [how, kept] of [
      ['', {}],
      [', whatever its sessionIdContext', { sessionIdContext: 'of the cluster' }],
    ] as const) {
      it(`asks where another of the same text accepted${how}`, async () => {
        const [one, other]: [number[], number[]] = [[], []];
        const verify = anyone(one);
        const session = await sessionOf(pairWith({ ...kept, verify }));
        const again = await pairWith({ ...kept, verify: anyone(other) }, session).handshake();
        assert.deepEqual([again.server.sessionReused, other.length], [false, 1]);
        const same = await pairWith({ ...kept, verify }, session).handshake();
        assert.deepEqual([same.server.sessionReused, one.length], [true, 1]);
      });

      it(`has sessions in common with those of the same verifyId${how}`, async () => {
        const asked: number[] = [];
        const session = await sessionOf(pairWith({ ...kept, verify: anyone([]), verifyId: 'any' }));
        const same = await pairWith({ ...kept, verify: anyone(asked), verifyId: 'any' }, session).handshake();
        assert.deepEqual([same.server.sessionReused, asked.length], [true, 0]);
        const other = await pairWith({ ...kept, verify: anyone(asked), verifyId: 'other' }, session).handshake();
        assert.deepEqual([other.server.sessionReused, asked.length], [false, 1]);
      });
    }

    it('keeps those of a connection with its own apart', async () => {
      const verify = anyone([]);
      const own = { verify: anyone([]) };
      const session = await sessionOf(pairWith({ verify }, undefined, own));
      assert.equal((await pairWith({ verify }, session).handshake()).server.sessionReused, false);
      assert.equal((await pairWith({ verify }, session, own).handshake()).server.sessionReused, true);
    });

    it('that replaces another by setSecureContext() does not inherit its verifyId', async () => {
      const asked: number[] = [];
      const options = { ...asking, cert: identity.cert, key: identity.key };
      const lax = { ...options, verify: () => true, verifyId: 'lax' };
      const { server, port, next } = await startServer(lax, socket => {
        socket.write('x');
      });
      const sessions: SslSession[] = [];
      const mine = { ...both, cert: stranger.cert, key: stranger.key };
      const first = await connectTo(port, { ...mine, on: { session: given => void sessions.push(given) } });
      first.resume();
      await until(() => sessions.length > 0, 'a session');
      await next();
      server.setSecureContext({ ...options, verify: anyone(asked) });
      const second = await connectTo(port, { ...mine, session: sessions.at(-1) });
      await next();
      assert.deepEqual([second.ssl.sessionReused, asked.length], [false, 1]);
      server.setSecureContext({ ...options, verify: anyone(asked), verifyId: 'lax' });
      const third = await connectTo(port, { ...mine, session: sessions.at(-1) });
      await next();
      assert.deepEqual([third.ssl.sessionReused, asked.length], [true, 1]);
    });
  });
}

describe('verifyId', () => {
  const verify = () => true;

  it('has 1 to 255 bytes', () => {
    for (const wrong of ['', 'x'.repeat(256), '\u00fc'.repeat(128)]) {
      thrown(() => new SslContext({ verify, verifyId: wrong }), 'ERR_INVALID_ARG_VALUE');
      thrown(() => new Ssl(clientContext(), { side: 'client', verify, verifyId: wrong }), 'ERR_INVALID_ARG_VALUE');
    }
    for (const wrong of [7, {}, Buffer.from('x'), true]) {
      thrown(() => new SslContext({ verify, verifyId: wrong as never }), 'ERR_INVALID_ARG_TYPE');
    }
    for (const good of ['x', 'x'.repeat(255), '\u00fc'.repeat(127), undefined, null]) {
      new SslContext({ verify, verifyId: good as string });
    }
  });

  it('names a function, which must be there', async () => {
    thrown(() => new SslContext({ verifyId: 'x' }), 'ERR_INVALID_ARG_VALUE');
    thrown(() => new SslContext({ verify: null, verifyId: 'x' }), 'ERR_INVALID_ARG_VALUE');
    thrown(() => new Ssl(clientContext(), { side: 'client', verifyId: 'x' }), 'ERR_INVALID_ARG_VALUE');
    thrown(
      () => createServer({ cert: identity.cert, key: identity.key, io: pool, verifyId: 'x' }),
      'ERR_INVALID_ARG_VALUE',
    );
    await rejected(connectTo(9, { verifyId: 'x' }), 'ERR_INVALID_ARG_VALUE');
    new Ssl(clientContext({ verify }), { side: 'client', verifyId: 'x' }).close();
  });
});
