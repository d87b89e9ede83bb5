import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SslSession, openssl as systemOpenssl } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { makeCrl } from '../../support/crl.ts';
import { rejected, thrown } from '../../support/errors.ts';
import {
  clientContext,
  makePair,
  noTicket,
  resumptions,
  serverContext,
  tls12,
  tls13,
  versions,
} from '../../support/memory-pair.ts';
import { type Contexts, first, resume } from '../../support/resumption.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { until } from '../../support/wait.ts';

const emptyFolder = (): string => mkdtempSync(join(certificates().folder, 'empty-'));

describe('sessions', () => {
  for (const [kind, both, server] of resumptions) {
    describe(kind, () => {
      const contexts = (): Contexts => ({
        clientContext: clientContext(both),
        serverContext: serverContext({ ...both, ...server }),
      });

      it('resume', async () => {
        const shared = contexts();
        const session = await first(shared);
        const pair = await resume(shared, session);
        assert.equal(pair.client.sessionReused, true);
        assert.equal(pair.server.sessionReused, true);
        assert.equal(pair.client.verifyResult.code, 0);
        assert.equal(pair.client.peerCertificate?.subject, 'CN=localhost');
      });

      it('resume from their serialised form', async () => {
        const shared = contexts();
        const bytes = (await first(shared)).serialize();
        assert.ok(bytes.length > 50);
        const pair = await resume(shared, SslSession.from(bytes));
        assert.equal(pair.client.sessionReused, true);
      });

      it('outlive a connection that was destroyed, where they are tickets', async () => {
        const shared = contexts();
        const session = await first(shared, 'abruptly');
        assert.equal(session.resumable, true);
        assert.equal((await resume(shared, session)).client.sessionReused, server !== noTicket);
      });

      it('are not resumed by a server that does not know them: a full handshake instead', async () => {
        const session = await first(contexts());
        const pair = await resume(contexts(), session);
        assert.equal(pair.client.sessionReused, false);
        assert.equal(pair.client.verifyResult.code, 0);
      });

      it('of another host are refused', async () => {
        const { cert, key } = certificates().wrongHost;
        const elsewhere: Contexts = {
          clientContext: clientContext(both),
          serverContext: serverContext({ ...both, cert, key }),
        };
        const pair = makePair({ ...elsewhere, clientSsl: { servername: 'elsewhere.example' } });
        await pair.handshake();
        const read = pair.client.read();
        await pair.server.write(Buffer.from('x'));
        await pair.during(read);
        const session = pair.client.session;
        assert.ok(session);
        // The same server, now under the name of localhost.
        const second = makePair(elsewhere);
        void second.server.accept().catch(() => {});
        const resuming = async () => {
          second.client.setSession(session);
          await second.client.connect();
        };
        await rejected(second.during(resuming()), ['ERR_TLS_SESSION_HOST_MISMATCH', 'ERR_TLS_CERT_ALTNAME_INVALID']);
      });

      it('made without verification do not pass a client that verifies', async () => {
        const { cert, key } = certificates().selfSigned;
        const server = serverContext({ ...both, cert, key });
        const session = await first({
          clientContext: clientContext({ ...both, rejectUnauthorized: false }),
          serverContext: server,
        });
        const pair = makePair({ clientContext: clientContext(both), serverContext: server });
        void pair.server.accept().catch(() => {});
        const resuming = async () => {
          pair.client.setSession(session);
          await pair.client.connect();
        };
        await rejected(pair.during(resuming()), ['ERR_TLS_SESSION_NOT_VERIFIED', 'DEPTH_ZERO_SELF_SIGNED_CERT']);
      });

      it('made under another policy do not pass a client that verifies', async () => {
        const server = serverContext({ ...both, ticketKeys: Buffer.alloc(80, 7) });
        const session = await first({ clientContext: clientContext(both), serverContext: server });
        const stored = SslSession.from(session.serialize());
        const { ca, otherCa } = certificates();
        const others = [
          { ca: otherCa.cert },
          { ca: [ca.cert, otherCa.cert] },
          { ca: undefined, systemCa: true },
          { ca: undefined, caFile: otherCa.certFile },
          { ca: undefined, caPath: emptyFolder() },
          { systemCa: true },
          { verifyDepth: 0 },
          { crl: makeCrl(ca) },
        ];
        for (const options of others) {
          const pair = makePair({ clientContext: clientContext({ ...both, ...options }), serverContext: server });
          const code = 'ERR_TLS_SESSION_POLICY_MISMATCH';
          thrown(() => pair.client.setSession(session), code);
          thrown(() => pair.client.setSession(stored), code);
          thrown(() => pair.client.setSession(session.serialize()), code);
        }
      });

      it('pass a client with another context of the same policy', async () => {
        const server = serverContext({ ...both, ticketKeys: Buffer.alloc(80, 7) });
        const { ca, otherCa } = certificates();
        const pairs = [
          [{}, {}],
          [{ ca: [ca.cert, otherCa.cert] }, { ca: [otherCa.cert, ca.cert] }],
          [
            { ca: undefined, caFile: ca.certFile },
            { ca: undefined, caFile: ca.certFile },
          ],
        ];
        for (const [before, after] of pairs) {
          const session = await first({ clientContext: clientContext({ ...both, ...before }), serverContext: server });
          const contexts = { clientContext: clientContext({ ...both, ...after }), serverContext: server };
          const pair = await resume(contexts, SslSession.from(session.serialize()));
          assert.equal(pair.client.sessionReused, true);
        }
      });

      it('of unknown policy pass only a client that does not verify', async () => {
        const server = serverContext({ ...both, ticketKeys: Buffer.alloc(80, 7) });
        const bytes = (await first({ clientContext: clientContext(both), serverContext: server })).serialize();
        const der = bytes.subarray(bytes.indexOf(Buffer.from('localhost')) + 'localhost'.length);
        const formerly = Buffer.concat([Buffer.from('STLS\x01\x00\x09localhost', 'latin1'), der]);
        const unchecked = Buffer.concat([
          Buffer.from('STLS\x02\x03', 'latin1'),
          Buffer.alloc(32, 7),
          Buffer.from('\x00\x09localhost', 'latin1'),
          der,
        ]);
        for (const unknown of [der, formerly, unchecked]) {
          const session = SslSession.from(unknown);
          const again = SslSession.from(session.serialize());
          const pair = makePair({ clientContext: clientContext(both), serverContext: server });
          for (const one of [session, again])
            thrown(() => pair.client.setSession(one), 'ERR_TLS_SESSION_POLICY_MISMATCH');
          const lax = { clientContext: clientContext({ ...both, rejectUnauthorized: false }), serverContext: server };
          assert.equal((await resume(lax, again)).client.sessionReused, true);
        }
        assert.equal(SslSession.from(formerly).host, 'localhost');
        assert.equal(SslSession.from(der).host, null);
      });

      it('that a client resumed without verification do not become verified', async () => {
        const server = serverContext({ ...both, ticketKeys: Buffer.alloc(80, 7) });
        const session = await first({ clientContext: clientContext(both), serverContext: server });
        const lax = { clientContext: clientContext({ ...both, rejectUnauthorized: false }), serverContext: server };
        const pair = await resume(lax, session);
        assert.equal(pair.client.sessionReused, true);
        const next = pair.client.session;
        assert.ok(next);
        const verifying = makePair({ clientContext: clientContext(both), serverContext: server });
        thrown(() => verifying.client.setSession(next), 'ERR_TLS_SESSION_NOT_VERIFIED');
      });

      it('tell what they are', async () => {
        const session = await first(contexts());
        assert.equal(session.version, kind.slice(0, 7));
        assert.equal(session.resumable, true);
        assert.ok(session.timeout > 0);
      });
    });
  }

  it('tickets keep working across servers that share ticketKeys', async () => {
    const ticketKeys = Buffer.alloc(80, 7);
    for (const [, both] of versions) {
      const session = await first({
        clientContext: clientContext(both),
        serverContext: serverContext({ ...both, ticketKeys }),
      });
      const pair = await resume(
        { clientContext: clientContext(both), serverContext: serverContext({ ...both, ticketKeys }) },
        session,
      );
      assert.equal(pair.client.sessionReused, true);
    }
  });

  it('bytes that are no session are refused', () => {
    for (const wrong of [Buffer.alloc(0), Buffer.from('no session'), Buffer.alloc(5000, 0x30)]) {
      thrown(() => SslSession.from(wrong), 'ERR_TLS_INVALID_SESSION');
    }
    for (const wrong of [undefined, null, 7, 'text', {}]) {
      thrown(() => SslSession.from(wrong as never), codes.wrongType);
    }
  });

  it('every damage to a serialised session is found', async () => {
    const contexts: Contexts = { clientContext: clientContext(tls13), serverContext: serverContext(tls13) };
    const bytes = (await first(contexts)).serialize();
    for (let i = 0; i < bytes.length; i++) {
      for (const change of [0x01, 0x55, 0xff]) {
        const damaged = Buffer.from(bytes);
        damaged[i] = (damaged[i] ?? 0) ^ change;
        thrown(() => SslSession.from(damaged), 'ERR_TLS_INVALID_SESSION');
      }
      thrown(() => SslSession.from(bytes.subarray(0, i)), 'ERR_TLS_INVALID_SESSION');
    }
    thrown(() => SslSession.from(Buffer.concat([bytes, Buffer.alloc(1)])), 'ERR_TLS_INVALID_SESSION');
    assert.deepEqual(SslSession.from(bytes).serialize(), bytes);
  });

  for (const [version, both] of versions) {
    it(`connect() with a damaged one makes a full handshake, ${version}`, async () => {
      const { port } = await startServer(both, socket => {
        socket.on('data', data => socket.write(data));
      });
      const sessions: SslSession[] = [];
      const one = await connectTo(port, { on: { session: session => void sessions.push(session) } });
      one.write('x');
      await once(one, 'data');
      await until(() => sessions.length > 0, 'a session');
      const bytes = sessions.at(-1)?.serialize() ?? Buffer.alloc(0);
      one.end();
      const half = bytes.length >> 1;
      const damaged = [0, 4, 5, 25, half, bytes.length - 1].map(place => {
        const copy = Buffer.from(bytes);
        copy[place] = (copy[place] ?? 0) ^ 0x10;
        return copy;
      });
      for (const session of [...damaged, bytes.subarray(0, half), Buffer.alloc(0), Buffer.from('no session')]) {
        const socket = await connectTo(port, { session });
        assert.equal(socket.ssl.sessionReused, false);
        assert.equal(socket.authorized, true);
        socket.destroy();
        thrown(() => makePair({ clientSsl: { session } }), 'ERR_TLS_INVALID_SESSION');
      }
      const whole = await connectTo(port, { session: bytes });
      assert.equal(whole.ssl.sessionReused, true);
      for (const wrong of ['text', 7, {}, one]) {
        await rejected(connectTo(port, { session: wrong as never }), codes.wrongType);
      }
    });
  }

  it('setSession takes sessions only, and before the handshake only', async () => {
    const contexts: Contexts = { clientContext: clientContext(), serverContext: serverContext() };
    const session = await first(contexts);
    const pair = makePair(contexts);
    thrown(() => pair.client.setSession(Buffer.alloc(4)), 'ERR_TLS_INVALID_SESSION');
    for (const wrong of [undefined, null, 7, {}, contexts.clientContext, pair.server]) {
      thrown(() => pair.client.setSession(wrong as never), codes.wrongType);
    }
    await pair.handshake();
    thrown(() => pair.client.setSession(session), /^ERR_/);
    assert.equal(pair.client.version, 'TLSv1.3');
  });

  it('a server has none to set', async () => {
    const contexts: Contexts = { clientContext: clientContext(), serverContext: serverContext() };
    const session = await first(contexts);
    thrown(() => makePair(contexts).server.setSession(session), codes.wrongSide);
    thrown(() => makePair({ ...contexts, serverSsl: { session } }), codes.wrongSide);
  });

  it('another policy is found too where setVerify() asks for verification', async () => {
    const server = serverContext({ ticketKeys: Buffer.alloc(80, 7) });
    const session = await first({ clientContext: clientContext(), serverContext: server });
    const code = 'ERR_TLS_SESSION_POLICY_MISMATCH';
    const lax = { clientContext: clientContext({ ca: certificates().otherCa.cert, rejectUnauthorized: false }) };

    const after = makePair({ ...lax, serverContext: server });
    after.client.setVerify({ rejectUnauthorized: true });
    thrown(() => after.client.setSession(session), code);

    const before = makePair({ ...lax, serverContext: server });
    before.client.setSession(session);
    thrown(() => before.client.setVerify({ rejectUnauthorized: true }), code);

    const resumed = await resume({ ...lax, serverContext: server }, session);
    assert.equal(resumed.client.sessionReused, true);
    thrown(() => resumed.client.setVerify({ rejectUnauthorized: true }), code);
  });

  it('a session that was made after setVerify() is a verified one', async () => {
    // Here the session is there with the handshake.
    const server = serverContext({ ...tls12, ticketKeys: Buffer.alloc(80, 7) });
    const pair = makePair({ client: { rejectUnauthorized: false }, serverContext: server });
    pair.client.setVerify({ rejectUnauthorized: true });
    await pair.handshake();
    const { session } = pair.client;
    assert.ok(session);
    const next = await resume({ clientContext: clientContext(), serverContext: server }, session);
    assert.equal(next.client.sessionReused, true);
    const lax = makePair({ serverContext: server });
    lax.client.setVerify({ rejectUnauthorized: false });
    await lax.handshake();
    const unverified = lax.client.session;
    assert.ok(unverified);
    thrown(() => makePair({ serverContext: server }).client.setSession(unverified), 'ERR_TLS_SESSION_NOT_VERIFIED');
  });

  it('another trust is told by connect() too', async () => {
    const { port } = await startServer({}, socket => socket.resume());
    let session: SslSession | undefined;
    const socket = await connectTo(port, {
      on: {
        session: arrived => {
          session = arrived;
        },
      },
    });
    await until(() => session !== undefined, 'a session');
    socket.destroy();
    const error = await rejected(
      connectTo(port, { session, ca: certificates().otherCa.cert }),
      'ERR_TLS_SESSION_POLICY_MISMATCH',
    );
    assert.match(error.message, /connect without it/);
    assert.equal((await connectTo(port, { session })).ssl.sessionReused, true);
  });

  it('a file of authorities counts by what is in it', async () => {
    const { ca, otherCa, folder } = certificates();
    const caFile = join(folder, 'sessions-ca.pem');
    writeFileSync(caFile, ca.cert);
    const options = { ca: undefined, caFile };
    const session = await first({ clientContext: clientContext(options), serverContext: serverContext() });
    writeFileSync(caFile, otherCa.cert);
    const pair = makePair({ clientContext: clientContext(options) });
    thrown(() => pair.client.setSession(session), 'ERR_TLS_SESSION_POLICY_MISMATCH');
  });

  it('a folder of authorities counts by what OpenSSL finds in it', async () => {
    const { ca, folder, server: identity } = certificates();
    const caPath = mkdtempSync(join(folder, 'hashed-'));
    const put = async (name: string, pem: string): Promise<void> => {
      writeFileSync(join(caPath, name), pem);
      await systemOpenssl.rehash(caPath);
    };
    await put('ca.pem', ca.cert);
    const list = makeCrl(ca);
    await put('crl.pem', list);
    const options = { ca: undefined, caPath, crlCheck: 'leaf' } as const;
    const far = serverContext();
    const session = await first({ clientContext: clientContext(options), serverContext: far });
    const resumes = async (): Promise<boolean> =>
      (await resume({ clientContext: clientContext(options), serverContext: far }, session)).client.sessionReused;
    assert.equal(await resumes(), true);
    // What it does not look for is nothing to it.
    writeFileSync(join(caPath, 'README'), 'authorities');
    assert.equal(await resumes(), true);
    const refused = (): void => {
      const pair = makePair({ clientContext: clientContext(options), serverContext: far });
      thrown(() => pair.client.setSession(session), 'ERR_TLS_SESSION_POLICY_MISMATCH');
    };
    await put('crl.pem', makeCrl(ca, { revoked: [identity] }));
    refused();
    await put('crl.pem', list);
    assert.equal(await resumes(), true);
    rmSync(join(caPath, 'ca.pem'));
    await systemOpenssl.rehash(caPath);
    refused();
    // Links that lead nowhere or to no file are no authorities, and no error.
    symlinkSync('nowhere', join(caPath, '01234567.0'));
    mkdirSync(join(caPath, '01234567.r0'));
    refused();
  });

  it('there is none before the handshake', () => {
    assert.equal(makePair().client.session, null);
  });
});
