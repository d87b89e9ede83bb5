// SSL_CTX_set_verify(3) and SSL_set_verify(3) in OpenSSL's own words.
import assert from 'node:assert/strict';
import { constants } from 'node:crypto';
import { connect, createServer, Ssl, SslContext, type VerifyModeName, type VerifyOptions } from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity } from '../../support/certificates.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectedPair, makePair, type PairOptions, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { opensslClient } from '../../support/peers.ts';
import { startServer } from '../../support/sockets.ts';

const client = ({ cert, key }: Identity): PairOptions => ({ client: { cert, key } });
const asking = (...verifyMode: VerifyModeName[]): PairOptions => ({
  server: { ca: certificates().ca.cert, verifyMode },
});
const untrusted = /^UNABLE_TO_(GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)$/;

describe('verify modes', () => {
  for (const [version, both] of versions) {
    describe(version, () => {
      it('NONE on a client lets every server pass, and verifyResult tells', async () => {
        const { cert, key } = certificates().selfSigned;
        const pair = await connectedPair({ both, client: { verifyMode: 'NONE' }, server: { cert, key } });
        assert.equal(pair.client.verifyResult.name, 'DEPTH_ZERO_SELF_SIGNED_CERT');
      });

      it('PEER on a client refuses one that does not verify', async () => {
        const { cert, key } = certificates().selfSigned;
        const pair = makePair({ both, client: { verifyMode: 'PEER' }, server: { cert, key } });
        void pair.server.accept().catch(() => {});
        await rejected(pair.during(pair.client.connect()), 'DEPTH_ZERO_SELF_SIGNED_CERT');
      });

      it('NONE on a server asks for nothing', async () => {
        const pair = await connectedPair({ both, ...asking('NONE'), ...client(certificates().client) });
        assert.equal(pair.server.peerCertificate, null);
      });

      it('PEER on a server asks, takes none for an answer, and then says OK', async () => {
        const pair = await connectedPair({ both, ...asking('PEER') });
        assert.equal(pair.server.peerCertificate, null);
        assert.equal(pair.server.verifyResult.name, 'OK');
        const known = await connectedPair({ both, ...asking('PEER'), ...client(certificates().client) });
        assert.equal(known.server.peerCertificate?.subject, 'CN=client');
      });

      it('PEER on a server refuses a certificate that does not verify', async () => {
        const pair = makePair({ both, ...asking('PEER'), ...client(certificates().stranger) });
        void pair.client.connect().catch(() => {});
        await rejected(pair.during(pair.server.accept()), untrusted);
      });

      it('FAIL_IF_NO_PEER_CERT refuses a client without one', async () => {
        const pair = makePair({ both, ...asking('PEER', 'FAIL_IF_NO_PEER_CERT') });
        void pair.client.connect().catch(() => {});
        await rejected(pair.during(pair.server.accept()), 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
      });

      it('of a connection replaces that of its context, and node’s words replace OpenSSL’s', async () => {
        const identity = client(certificates().client);
        const mode = await connectedPair({ both, ...asking('PEER'), ...identity, serverSsl: { verifyMode: 'NONE' } });
        assert.equal(mode.server.peerCertificate, null);
        const words = await connectedPair({ both, ...asking('NONE'), ...identity, serverSsl: { requestCert: true } });
        assert.equal(words.server.peerCertificate?.subject, 'CN=client');
        const late = makePair({ both, ...asking('NONE'), ...identity });
        late.server.setVerify({ verifyMode: ['PEER', 'FAIL_IF_NO_PEER_CERT'] });
        await late.handshake();
        assert.equal(late.server.peerCertificate?.subject, 'CN=client');
      });
    });
  }

  it('CLIENT_ONCE does not ask again when renegotiating; without it the server does', async () => {
    const requests = async (...more: VerifyModeName[]): Promise<number> => {
      let count = 0;
      // A resumed handshake asks for nothing in any mode.
      const secureOptions = constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION;
      const pair = makePair({
        server: { ca: certificates().ca.cert, verifyMode: ['PEER', ...more], secureOptions },
        client: { ...tls12, cert: certificates().client.cert, key: certificates().client.key },
      });
      pair.server.on('message', ({ direction, data }) => {
        if (direction === 'sent' && data[0] === 13) count++;
      });
      await pair.handshake();
      const reading = pair.client.read().catch(() => undefined);
      await pair.during(pair.server.renegotiate());
      // The new session has no certificate where none was asked for.
      assert.equal(pair.server.peerCertificate?.subject, more.length === 0 ? 'CN=client' : undefined);
      pair.client.close();
      await reading;
      return count;
    };
    assert.equal(await requests(), 2);
    assert.equal(await requests('CLIENT_ONCE'), 1);
  });

  it('CLIENT_ONCE holds after a request that was made on purpose', async () => {
    const { cert, key } = certificates().client;
    for (const once of [true, false]) {
      const verifyMode: VerifyModeName[] = once ? ['PEER', 'CLIENT_ONCE'] : ['PEER'];
      // A resumed handshake brings the session's certificate along.
      const secureOptions = constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION;
      const server = { ca: certificates().ca.cert, verifyMode, secureOptions };
      const pair = await connectedPair({ server, client: { ...tls12, cert, key } });
      const reading = pair.client.read().catch(() => undefined);
      await pair.during(pair.server.requestClientCertificate());
      assert.equal(pair.server.peerCertificate?.subject, 'CN=client');
      await pair.during(pair.server.renegotiate());
      assert.equal(pair.server.peerCertificate?.subject, once ? undefined : 'CN=client', `once: ${once}`);
      pair.client.close();
      await reading;
    }
  });

  it('POST_HANDSHAKE asks in TLS 1.3 only when told to', async () => {
    const pair = await connectedPair({
      ...asking('PEER', 'FAIL_IF_NO_PEER_CERT', 'POST_HANDSHAKE'),
      client: { ...tls13, cert: certificates().client.cert, key: certificates().client.key },
    });
    const { server } = pair;
    const known = (): string | undefined => server.peerCertificate?.subject;
    assert.equal(known(), undefined);
    const reading = pair.client.read().catch(() => undefined);
    await pair.during(server.requestClientCertificate());
    assert.equal(known(), 'CN=client');
    pair.client.close();
    await reading;
  });

  it('a session made with one mode does not slip in under another', async () => {
    const { ca, server } = certificates();
    const context = new SslContext({ cert: server.cert, key: server.key, ca: ca.cert, verifyMode: 'NONE' });
    const first = await connectedPair({ serverContext: context });
    const { session } = first.client;
    assert.ok(session);
    const second = makePair({
      serverContext: context,
      clientSsl: { session },
      serverSsl: { verifyMode: ['PEER', 'FAIL_IF_NO_PEER_CERT'] },
    });
    void second.client.connect().catch(() => {});
    await rejected(second.during(second.server.accept()), 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
  });

  it('and a session of a client that did not verify is refused by one that does', async () => {
    const first = await connectedPair({ client: { verifyMode: 'NONE' } });
    const { session } = first.client;
    assert.ok(session);
    const context = new SslContext({ ca: certificates().ca.cert, verifyMode: 'PEER' });
    thrown(
      () => new Ssl(context, { side: 'client', servername: 'localhost', session }),
      'ERR_TLS_SESSION_NOT_VERIFIED',
    );
  });

  it('what makes no sense is refused', async () => {
    const wrong: unknown[] = [[], 'SOME', ['PEER', 'NONE'], 'FAIL_IF_NO_PEER_CERT', ['CLIENT_ONCE'], 1, {}, [['PEER']]];
    for (const verifyMode of wrong) {
      const options = { verifyMode } as VerifyOptions;
      thrown(() => new SslContext(options), 'ERR_INVALID_ARG_VALUE');
      thrown(() => new Ssl(new SslContext(), { side: 'server', ...options }), 'ERR_INVALID_ARG_VALUE');
      thrown(() => createServer(options), 'ERR_INVALID_ARG_VALUE');
      thrown(() => makePair().client.setVerify(options), 'ERR_INVALID_ARG_VALUE');
    }
    const twice: VerifyOptions = { verifyMode: 'PEER', rejectUnauthorized: true };
    thrown(() => new SslContext(twice), 'ERR_INVALID_ARG_VALUE');
    await rejected(connect({ port: 1, ...twice }), 'ERR_INVALID_ARG_VALUE');
  });

  it('show on the wire, to openssl s_client', async function () {
    needsProgram(this, 'openssl');
    const { ca } = certificates();
    const { port } = await startServer({ ca: ca.cert, verifyMode: 'PEER' });
    const asked = opensslClient(port, ['-tls1_3']);
    await asked.printed(/Acceptable client certificate CA names\n/);
    const silent = await startServer({ ca: ca.cert, verifyMode: ['PEER', 'POST_HANDSHAKE'] });
    const free = opensslClient(silent.port, ['-tls1_3']);
    await free.printed(/No client certificate CA names sent/);
  });
});
