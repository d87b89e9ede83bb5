// A session stands for a verification that is not repeated: it resumes only where the policy holds under which the peer
// was accepted, however and whenever a connection was told of its policy.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ssl, SslContext, SslContextOptions, SslOptions, SslSession } from 'system-tls';
import { certificates, type Identity, openssl } from '../../support/certificates.ts';
import { rejected, thrown } from '../../support/errors.ts';
import {
  clientContext,
  type MemoryPair,
  makePair,
  resumptions,
  serverContext,
  tls12,
  tls13,
} from '../../support/memory-pair.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { until, watch } from '../../support/wait.ts';

const { ca, stranger } = certificates();
const anyone = () => true;
const untrusted = /^(SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_)/;
interface Made {
  readonly pair: MemoryPair;
  readonly session: SslSession;
}

/** The newest session of the client after `during`. The connection ends politely, so that the server keeps it. */
async function made(pair: MemoryPair, during: (pair: MemoryPair) => Promise<void>): Promise<Made> {
  let arrived: SslSession | undefined;
  pair.client.on('session', session => {
    arrived = session;
  });
  await during(pair);
  const read = pair.client.read();
  await pair.server.write('x');
  await pair.during(read);
  const session = arrived ?? pair.client.session;
  assert.ok(session, 'a session');
  await pair.during(Promise.all([pair.client.shutdown(), pair.server.shutdown()]));
  return { pair, session };
}

const handshake = async (pair: MemoryPair): Promise<void> => {
  await pair.handshake();
};

for (const [kind, both, kept] of resumptions) {
  describe(`the policy of one server connection, ${kind}`, () => {
    const asking = { requestCert: true };
    const serving = (options: SslContextOptions = {}): SslContext =>
      serverContext({ ...both, ...kept, ca: ca.cert, ...options });
    const near = (): SslContext => clientContext({ ...both, cert: stranger.cert, key: stranger.key });
    const pairOf = (far: SslContext, session?: SslSession, serverSsl: Partial<SslOptions> = {}): MemoryPair =>
      makePair({ clientContext: near(), serverContext: far, clientSsl: { session }, serverSsl });

    /** As if there were no session, the strict connection sees a certificate that it does not trust. */
    async function refused(far: SslContext, session: SslSession): Promise<void> {
      const pair = pairOf(far, session);
      watch(pair.client.connect());
      await rejected(pair.during(pair.server.accept()), untrusted);
      assert.equal(pair.server.sessionReused, false);
    }

    it('by setVerify() before accept(): its session passes no connection of the context', async () => {
      const far = serving(asking);
      const lax = pairOf(far);
      lax.server.setVerify({ verify: anyone });
      const { session } = await made(lax, handshake);
      await refused(far, session);
    });

    it('by setVerify() before accept() is the one that the option gives', async () => {
      const far = serving(asking);
      const lax = pairOf(far);
      lax.server.setVerify({ verify: anyone });
      const { session } = await made(lax, handshake);
      const pair = await pairOf(far, session, { verify: anyone }).handshake();
      assert.equal(pair.server.sessionReused, true);
      assert.equal(pair.server.peerCertificate?.subject, 'CN=stranger');
    });

    it('that came back to the context by setVerify() has sessions in common with it', async () => {
      const far = serving({ ...asking, verify: anyone });
      const pair = pairOf(far);
      pair.server.setVerify({ verify: null });
      pair.server.setVerify({ verify: anyone });
      const { session } = await made(pair, handshake);
      const next = await pairOf(far, session).handshake();
      assert.equal(next.server.sessionReused, true);
    });

    it('by setVerify() after the handshake does not relabel what that made', async () => {
      const far = serving({ ...asking, verify: anyone });
      const lax = await made(pairOf(far), async pair => {
        await pair.handshake();
        pair.server.setVerify({ verify: null });
      });
      const pair = pairOf(far, lax.session);
      pair.server.setVerify({ verify: null });
      watch(pair.client.connect());
      await rejected(pair.during(pair.server.accept()), untrusted);
      assert.equal(pair.server.sessionReused, false);
    });

    it('that changes in the middle of a handshake leaves a session that nobody resumes', async () => {
      const far = serving(asking);
      let asked = 0;
      const lax = { verify: () => ++asked > 0 };
      const { session } = await made(pairOf(far, undefined, lax), async pair => {
        const done = Promise.all([pair.client.connect(), pair.server.accept()]);
        // The client's certificate arrives, its Finished does not yet.
        for (let left = 5000; asked === 0 && left > 0; left--) {
          pair.step(1);
          await new Promise(setImmediate);
        }
        assert.equal(asked, 1);
        assert.equal(pair.server.established, false);
        pair.server.setVerify({ verify: null });
        await pair.during(done);
        await pair.pump();
      });
      await refused(far, session);
      const again = await pairOf(far, session, lax).handshake();
      assert.equal(again.server.sessionReused, false);
    });

    it('by ciphers with another security level keeps its sessions to itself', async () => {
      const far = serving({ ...asking, verify: anyone });
      const pair = pairOf(far);
      pair.server.setCiphers('DEFAULT@SECLEVEL=0');
      const { session } = await made(pair, handshake);
      assert.equal((await pairOf(far, session).handshake()).server.sessionReused, false);
    });

    it('that was set for a later request for a certificate goes with the session of that', async () => {
      const far = serving();
      const lax = pairOf(far);
      const later = await made(lax, async ({ server }) => {
        await lax.handshake();
        server.setVerify({ verify: anyone });
        const reading = lax.client.read();
        await lax.during(server.requestClientCertificate());
        await server.write('x');
        await lax.during(reading);
        assert.equal(server.peerCertificate?.subject, 'CN=stranger');
      });
      const strict = await pairOf(far, later.session).handshake();
      assert.equal(strict.server.sessionReused, false);
      assert.equal(strict.server.peerCertificate, null);
      // A renegotiation leaves nothing to resume; a post-handshake authentication does, under its policy.
      const alike = await pairOf(far, later.session, { verify: anyone }).handshake();
      assert.equal(alike.server.sessionReused, both === tls13);
    });
  });
}

it('a server where one connection accepts anybody asks everybody else', async () => {
  let first = true;
  const outcomes: string[] = [];
  const ask = async (ssl: Ssl): Promise<string> => {
    if (ssl.peerCertificate === null) await ssl.requestClientCertificate();
    return `${ssl.peerCertificate?.subject}, reused: ${ssl.sessionReused}`;
  };
  const { port } = await startServer({ ca: ca.cert, minVersion: 'TLSv1.3' }, async socket => {
    if (first) socket.ssl.setVerify({ verify: anyone });
    first = false;
    socket.resume();
    outcomes.push(await ask(socket.ssl).catch(error => error.code));
    if (!socket.destroyed) socket.write('x');
  });
  const sessions: SslSession[] = [];
  const on = { session: (session: SslSession) => void sessions.push(session) };
  const identity = { cert: stranger.cert, key: stranger.key };
  const one = await connectTo(port, { ...identity, on });
  one.resume();
  await until(() => outcomes.length === 1, 'the first certificate');
  // Two of the handshake, then those of the authentication.
  await until(() => sessions.length > 2, 'a session with the certificate');
  one.destroy();
  for (const session of sessions) {
    const before = outcomes.length;
    const other = await connectTo(port, { ...identity, session });
    other.resume();
    await until(() => outcomes.length > before, 'an outcome');
    other.destroy();
  }
  assert.equal(outcomes[0], 'CN=stranger, reused: false');
  for (const outcome of outcomes.slice(1)) assert.match(outcome, untrusted);
});

describe('the policy of a server context', () => {
  // As in a cluster, or after a restart.
  const ticketKeys = Buffer.alloc(80, 7);
  const folder = mkdtempSync(join(certificates().folder, 'policy-'));
  const { intermediate, otherCa } = certificates();
  const weak = join(folder, 'weak');
  const deep = join(folder, 'deep');
  const bundle = join(folder, 'bundle.pem');

  before('makes certificates', () => {
    const request = ['req', '-x509', '-nodes', '-days', '30'];
    const files = (name: string) => ['-keyout', `${name}.key`, '-out', `${name}.pem`];
    const by = ({ certFile, keyFile }: Identity) => ['-CA', certFile, '-CAkey', keyFile];
    openssl(...request, '-newkey', 'rsa:1024', ...files(weak), '-subj', '/CN=weak', ...by(ca));
    openssl(...request, '-newkey', 'rsa:2048', ...files(deep), '-subj', '/CN=deep', ...by(intermediate));
    writeFileSync(bundle, ca.cert);
    for (const [name, authorities] of [
      ['one', ca.cert],
      ['two', ca.cert + otherCa.cert],
    ] as const) {
      writeFileSync(join(folder, `${name}.pem`), authorities);
      const { certFile, keyFile } = certificates().server;
      const chain = ['-certfile', join(folder, `${name}.pem`), '-out', join(folder, `${name}.pfx`)];
      openssl('pkcs12', '-export', '-in', certFile, '-inkey', keyFile, ...chain, '-passout', 'pass:');
    }
  });

  const identity = (name: string) => ({
    cert: readFileSync(`${name}.pem`, 'utf8'),
    key: readFileSync(`${name}.key`, 'utf8'),
  });
  const insisting = { requestCert: true, ca: ca.cert };
  const withPfx = (name: string): SslContextOptions => ({
    ...{ cert: undefined, key: undefined, ca: undefined, requestCert: true },
    ...{ pfx: readFileSync(join(folder, `${name}.pfx`)), passphrase: '', caFile: bundle },
  });

  interface Difference {
    readonly name: string;
    readonly client: () => SslContextOptions;
    readonly lax: () => SslContextOptions;
    readonly strict: () => SslContextOptions;
  }
  const differences: Difference[] = [
    {
      name: 'securityLevel',
      client: () => ({ ...identity(weak), securityLevel: 0 }),
      lax: () => ({ ...insisting, securityLevel: 0 }),
      strict: () => insisting,
    },
    {
      name: '@SECLEVEL',
      client: () => ({ ...identity(weak), securityLevel: 0 }),
      lax: () => ({ ...insisting, ciphers: 'DEFAULT:TLS_AES_128_GCM_SHA256:@SECLEVEL=0' }),
      strict: () => insisting,
    },
    ...(['PEER', ['PEER', 'FAIL_IF_NO_PEER_CERT']] as const).map(verifyMode => ({
      name: `verifyDepth with verifyMode ${String(verifyMode)}`,
      client: () => ({ key: identity(deep).key, cert: identity(deep).cert + intermediate.cert }),
      lax: () => ({ ca: ca.cert, verifyMode }),
      strict: () => ({ ca: ca.cert, verifyMode, verifyDepth: 0 }),
    })),
    {
      name: 'allowPartialTrustChain',
      client: () => ({ key: identity(deep).key, cert: identity(deep).cert + intermediate.cert }),
      lax: () => ({ requestCert: true, ca: intermediate.cert, allowPartialTrustChain: true }),
      strict: () => ({ requestCert: true, ca: intermediate.cert }),
    },
    {
      name: 'what is in caFile',
      client: () => ({ cert: stranger.cert, key: stranger.key }),
      lax: () => {
        writeFileSync(bundle, ca.cert + otherCa.cert);
        return { requestCert: true, caFile: bundle };
      },
      strict: () => {
        writeFileSync(bundle, ca.cert);
        return { requestCert: true, caFile: bundle };
      },
    },
    {
      name: 'authorities that come with pfx',
      client: () => ({ cert: stranger.cert, key: stranger.key }),
      lax: () => withPfx('two'),
      strict: () => withPfx('one'),
    },
  ];

  for (const [version, both] of [
    ['TLSv1.2', tls12],
    ['TLSv1.3', tls13],
  ] as const) {
    for (const { name, client, lax, strict } of differences) {
      it(`tells apart by ${name} whose sessions it resumes, ${version}`, async () => {
        const near = clientContext({ ...both, ...client() });
        const pair = (options: SslContextOptions, session?: SslSession): MemoryPair =>
          makePair({
            clientContext: near,
            serverContext: serverContext({ ...both, ticketKeys, ...options }),
            clientSsl: { session },
          });
        const { session } = await made(pair(lax()), handshake);
        const alike = await pair(lax(), session).handshake();
        assert.equal(alike.server.sessionReused, true);
        const other = pair(strict(), session);
        watch(other.client.connect());
        await rejected(other.during(other.server.accept()), /^[A-Z_]+$/);
        assert.equal(other.server.sessionReused, false);
        assert.notEqual(other.server.verifyResult.name, 'OK');
      });
    }
  }
});

describe('the security level of a client', () => {
  const seclevel = (level: number) => `DEFAULT:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:@SECLEVEL=${level}`;
  for (const [version, both] of [
    ['TLSv1.2', tls12],
    ['TLSv1.3', tls13],
  ] as const) {
    it(`is part of its sessions' policy, wherever it comes from, ${version}`, async () => {
      const far = serverContext(both);
      const near = (options: SslContextOptions) => clientContext({ ...both, ...options });
      const lax = [{ ciphers: seclevel(0) }, { securityLevel: 0 }];
      for (const options of lax) {
        const { session } = await made(makePair({ clientContext: near(options), serverContext: far }), handshake);
        const strict = makePair({ clientContext: near({ securityLevel: 2 }), serverContext: far });
        thrown(() => strict.client.setSession(session), 'ERR_TLS_SESSION_POLICY_MISMATCH');
        for (const alike of lax) {
          const pair = makePair({ clientContext: near(alike), serverContext: far, clientSsl: { session } });
          assert.equal((await pair.handshake()).client.sessionReused, true);
        }
      }
    });

    it(`by setCiphers() of a connection is too, ${version}`, async () => {
      const far = serverContext(both);
      const near = clientContext({ ...both, securityLevel: 2 });
      const lax = makePair({ clientContext: near, serverContext: far });
      lax.client.setCiphers(seclevel(0));
      const { session } = await made(lax, handshake);
      const strict = makePair({ clientContext: near, serverContext: far });
      thrown(() => strict.client.setSession(session), 'ERR_TLS_SESSION_POLICY_MISMATCH');
      // What fitted when it was set does not when the level changes.
      const raised = makePair({ clientContext: near, serverContext: far });
      raised.client.setCiphers(seclevel(0));
      raised.client.setSession(session);
      raised.client.setCiphers(seclevel(1));
      assert.equal((await raised.handshake()).client.sessionReused, false);
    });
  }
});

describe('a session of a client', () => {
  const lax = [
    ['rejectUnauthorized: false', { rejectUnauthorized: false }, { rejectUnauthorized: true }],
    ['verify', { verify: anyone }, { verify: null }],
  ] as const;
  const { selfSigned } = certificates();
  const untrustedServer = (options: SslContextOptions): SslContext =>
    serverContext({ ...options, cert: selfSigned.cert, key: selfSigned.key });
  const other = /^ERR_TLS_SESSION_(NOT_VERIFIED|POLICY_MISMATCH)$/;

  for (const [version, both] of [
    ['TLSv1.2', tls12],
    ['TLSv1.3', tls13],
  ] as const) {
    for (const [how, before, after] of lax) {
      it(`keeps the policy of its handshake after setVerify(), ${how}, ${version}`, async () => {
        const far = untrustedServer(both);
        const pair = makePair({ clientContext: clientContext(both), serverContext: far, clientSsl: before });
        const arrived: SslSession[] = [];
        pair.client.on('session', session => void arrived.push(session));
        await pair.during(Promise.all([pair.client.connect(), pair.server.accept()]));
        pair.client.setVerify(after);
        // With TLS 1.3 the tickets come only now.
        const read = pair.client.read();
        await pair.server.write('x');
        await pair.during(read);
        const { session } = pair.client;
        assert.ok(session);
        for (const one of [session, ...arrived]) {
          const strict = makePair({ clientContext: clientContext(both), serverContext: far });
          thrown(() => strict.client.setSession(one), other);
        }
      });
    }

    it(`that was verified stays so where the connection goes on without, ${version}`, async () => {
      const far = serverContext(both);
      const { session } = await made(
        makePair({ clientContext: clientContext(both), serverContext: far }),
        async pair => {
          await pair.during(Promise.all([pair.client.connect(), pair.server.accept()]));
          pair.client.setVerify({ rejectUnauthorized: false });
        },
      );
      const strict = makePair({ clientContext: clientContext(both), serverContext: far, clientSsl: { session } });
      await strict.handshake();
    });

    it(`that was resumed is what its own connection was, ${version}`, async () => {
      const far = serverContext({ ...both, ticketKeys: Buffer.alloc(80, 7) });
      const near = clientContext(both);
      const first = await made(makePair({ clientContext: near, serverContext: far }), handshake);
      const pair = makePair({ clientContext: near, serverContext: far, clientSsl: { session: first.session } });
      const second = await made(pair, handshake);
      assert.equal(pair.client.sessionReused, true);
      const next = makePair({ clientContext: near, serverContext: far, clientSsl: { session: second.session } });
      assert.equal((await next.handshake()).client.sessionReused, true);
    });
  }

  it('of a renegotiation has the policy that this was under, and nothing less is resumed in it', async () => {
    const far = serverContext({ ...tls12, clientRenegotiation: true });
    const pair = makePair({ clientContext: clientContext(tls12), serverContext: far, clientSsl: { verify: anyone } });
    await pair.handshake();
    pair.client.setVerify({ verify: null });
    pair.flow();
    watch(pair.client.read());
    watch(pair.server.read());
    await pair.client.renegotiate({ abbreviated: true });
    assert.equal(pair.client.sessionReused, false);
    const { session } = pair.client;
    assert.ok(session);
    pair.client.setVerify({ verify: anyone });
    const strict = makePair({ clientContext: clientContext(tls12), serverContext: far });
    strict.client.setSession(session);
    const bent = makePair({ clientContext: clientContext(tls12), serverContext: far, clientSsl: { verify: anyone } });
    thrown(() => bent.client.setSession(session), 'ERR_TLS_SESSION_POLICY_MISMATCH');
  });

  it('is not resumed by a renegotiation that would have refused its certificate', async () => {
    const far = untrustedServer({ ...tls12, clientRenegotiation: true });
    const pair = makePair({ clientContext: clientContext(tls12), serverContext: far, clientSsl: { verify: anyone } });
    await pair.handshake();
    pair.client.setVerify({ verify: null });
    watch(pair.client.read());
    watch(pair.server.read());
    await rejected(pair.during(pair.client.renegotiate({ abbreviated: true })), 'DEPTH_ZERO_SELF_SIGNED_CERT');
  });

  it('is of unknown policy when too many were set since', async () => {
    const far = serverContext(tls12);
    const pair = await makePair({ clientContext: clientContext(tls12), serverContext: far }).handshake();
    for (let count = 0; count < 100; count++) pair.client.setVerify({ verify: count % 2 === 0 ? anyone : null });
    const { session } = pair.client;
    assert.ok(session);
    const strict = makePair({ clientContext: clientContext(tls12), serverContext: far });
    thrown(() => strict.client.setSession(session), 'ERR_TLS_SESSION_POLICY_MISMATCH');
  });
});
