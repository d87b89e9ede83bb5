import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { SslContext } from 'system-tls';
import { certificates, type Identity } from '../../support/certificates.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectedPair, makePair, type PairOptions, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { watch } from '../../support/wait.ts';

const server = (identity: Identity): PairOptions => ({ server: { cert: identity.cert, key: identity.key } });

describe('verification', () => {
  for (const [version, both] of versions) {
    describe(version, () => {
      const refusedServers = [
        ['expired', () => certificates().expired, 'CERT_HAS_EXPIRED', 10],
        ['of another host', () => certificates().wrongHost, 'ERR_TLS_CERT_ALTNAME_INVALID', 62],
        ['self-signed', () => certificates().selfSigned, 'DEPTH_ZERO_SELF_SIGNED_CERT', 18],
      ] as const;

      for (const [what, identity, code, result] of refusedServers) {
        it(`a server certificate that is ${what} is refused, on both sides`, async () => {
          const pair = makePair({ both, ...server(identity()) });
          const accepting = watch(pair.server.accept());
          const error = await rejected(pair.during(pair.client.connect()), code);
          assert.equal(pair.client.verifyResult.code, result);
          assert.notEqual(pair.client.verifyResult.message, '');
          assert.equal(error.library, 'SSL routines');
          // TLS 1.3 servers are done before the client looks at their certificate is over; they learn of it at their next read.
          const learning = accepting.promise.then(() => pair.server.read());
          await rejected(pair.during(learning), /^ERR_SSL_(SSLV3|TLSV1|TLS)_ALERT_/);
        });
      }

      it('a server certificate of an unknown CA is refused', async () => {
        const pair = makePair({ both, client: { ca: certificates().otherCa.cert } });
        void pair.server.accept().catch(() => {});
        await rejected(
          pair.during(pair.client.connect()),
          /^UNABLE_TO_(GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)$/,
        );
        assert.equal(pair.client.verifyResult.name, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      });

      it('rejectUnauthorized: false lets it pass, and verifyResult tells', async () => {
        const { cert, key } = certificates().selfSigned;
        const pair = await connectedPair({ both, client: { rejectUnauthorized: false }, server: { cert, key } });
        assert.equal(pair.client.verifyResult.code, 18);
        assert.equal(pair.client.verifyResult.name, 'DEPTH_ZERO_SELF_SIGNED_CERT');
        assert.ok(pair.client.verifyResult.message.length > 0);
      });

      it('an address as the host', async () => {
        const pair = await connectedPair({ both, clientSsl: { servername: undefined, host: '127.0.0.1' } });
        assert.equal(pair.client.verifyResult.code, 0);
        const wrong = makePair({ both, clientSsl: { servername: undefined, host: '127.0.0.2' } });
        void wrong.server.accept().catch(() => {});
        await rejected(wrong.during(wrong.client.connect()), 'ERR_TLS_CERT_ALTNAME_INVALID');
      });

      describe('of clients', () => {
        const asking: PairOptions = { both, server: { requestCert: true, ca: certificates().ca.cert } };
        const client = ({ cert, key }: Identity) => ({ client: { cert, key } });

        it('a good one is accepted and shown', async () => {
          const pair = await connectedPair({ ...asking, ...client(certificates().client) });
          const seen = pair.server.peerCertificate;
          assert.ok(seen instanceof X509Certificate);
          assert.equal(seen.subject, 'CN=client');
          assert.equal(pair.server.verifyResult.code, 0);
        });

        it('a missing one is refused', async () => {
          const pair = makePair(asking);
          const connecting = watch(pair.client.connect().then(() => pair.client.read()));
          await rejected(pair.during(pair.server.accept()), 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE');
          await rejected(
            pair.during(connecting.promise),
            /^ERR_SSL_(TLSV13_ALERT_CERTIFICATE_REQUIRED|(SSLV3|TLSV1|TLS)_ALERT_HANDSHAKE_FAILURE)$/,
          );
        });

        it('one of an unknown CA is refused', async () => {
          const pair = makePair({ ...asking, ...client(certificates().stranger) });
          void pair.client.connect().catch(() => {});
          await rejected(
            pair.during(pair.server.accept()),
            /^UNABLE_TO_(GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)$/,
          );
          assert.notEqual(pair.server.verifyResult.code, 0);
        });

        it('with rejectUnauthorized: false none is needed', async () => {
          const pair = await connectedPair({
            both,
            server: { requestCert: true, rejectUnauthorized: false, ca: certificates().ca.cert },
          });
          assert.equal(pair.server.peerCertificate, null);
        });

        it('with rejectUnauthorized: false one of an unknown CA passes, and verifyResult tells', async () => {
          const lenient = { requestCert: true, rejectUnauthorized: false };
          const ca = certificates().ca.cert;
          const ways: PairOptions[] = [
            { both, server: { ...lenient, ca } },
            // By the word of the connection alone.
            { both, server: { ca }, serverSsl: lenient },
            { both, server: { ca, requestCert: true }, serverSsl: { rejectUnauthorized: false } },
          ];
          for (const way of ways) {
            const pair = await connectedPair({ ...way, ...client(certificates().stranger) });
            assert.equal(pair.server.peerCertificate?.subject, 'CN=stranger');
            assert.match(pair.server.verifyResult.name, /^UNABLE_TO_(GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)$/);
          }
        });

        it('is not asked for by default', async () => {
          const pair = await connectedPair({ both, ...client(certificates().client) });
          assert.equal(pair.server.peerCertificate, null);
        });
      });
    });
  }

  it('peerCertificate is node’s own X509Certificate, and the chain begins with it', async () => {
    const { server: own, ca } = certificates();
    const pair = await connectedPair({ server: { cert: own.cert + ca.cert, key: own.key } });
    const seen = pair.client.peerCertificate;
    assert.ok(seen instanceof X509Certificate);
    assert.equal(seen.fingerprint256, new X509Certificate(own.cert).fingerprint256);
    assert.deepEqual(
      pair.client.peerCertificateChain.map(({ subject }) => subject),
      ['CN=localhost', 'CN=Test CA'],
    );
    assert.equal(pair.server.peerCertificate, null);
    assert.deepEqual(pair.server.peerCertificateChain, []);
  });

  it('depth counts the certificates between leaf and root', async () => {
    const { cert, key } = certificates().deepServer;
    const pair = await connectedPair({ client: { verifyDepth: 1 }, server: { cert, key } });
    assert.equal(pair.client.peerCertificateChain.length, 2);
    const shallow = makePair({ client: { verifyDepth: 0 }, server: { cert, key } });
    void shallow.server.accept().catch(() => {});
    await rejected(shallow.during(shallow.client.connect()), 'CERT_CHAIN_TOO_LONG');
    // Signed by the root itself: 0 is enough.
    await connectedPair({ client: { verifyDepth: 0 } });
  });

  it('a server that forgets its intermediate certificate is refused', async () => {
    const { cert, key } = certificates().deepServer;
    const end = '-----END CERTIFICATE-----\n';
    const leaf = cert.slice(0, cert.indexOf(end) + end.length);
    const pair = makePair({ server: { cert: leaf, key } });
    void pair.server.accept().catch(() => {});
    await rejected(pair.during(pair.client.connect()), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });

  it('before the handshake there is no certificate, and a result that says nothing', () => {
    const pair = makePair();
    assert.deepEqual([pair.client.verifyResult.name, pair.client.established], ['OK', false]);
    assert.equal(pair.client.peerCertificate, null);
    assert.deepEqual(pair.client.peerCertificateChain, []);
  });

  it('a servername that is no name is refused', () => {
    for (const servername of ['a'.repeat(300), 'null\0byte']) {
      thrown(
        () => makePair({ clientSsl: { servername } }),
        ['ERR_INVALID_ARG_VALUE', 'ERR_SSL_SSL3_EXT_INVALID_SERVERNAME'],
      );
    }
  });

  it('contexts refuse wrong certificates and keys by name', () => {
    const { server: own, client } = certificates();
    thrown(() => new SslContext({ cert: own.cert, key: client.key }), 'ERR_OSSL_X509_KEY_VALUES_MISMATCH');
    thrown(() => new SslContext({ cert: 'no PEM', key: own.key }), /^ERR_/);
    thrown(() => new SslContext({ cert: own.cert, key: 'no PEM' }), /^ERR_/);
    thrown(() => new SslContext({ ca: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n' }), /^ERR_/);
    thrown(() => new SslContext({ ...tls13, ...{ maxVersion: 'TLSv1.2' }, minVersion: 'TLSv1.3' }), /^ERR_/);
    thrown(() => new SslContext({ ...tls12, ciphers: 'NO-SUCH-CIPHER' }), 'ERR_SSL_NO_CIPHER_MATCH');
  });
});
