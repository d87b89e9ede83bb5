// A connection with a certificate and key of its own: SSL_use_certificate(3) and its like.
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bio, connect, IoPool, Ssl, SslContext, type SslOptions } from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity, openssl } from '../../support/certificates.ts';
import { Child } from '../../support/child.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectedPair, makePair, serverContext, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { startServer } from '../../support/sockets.ts';

const fingerprint = ({ cert }: Identity): string => new X509Certificate(cert).fingerprint256;
const seen = (ssl: Ssl): string | undefined => ssl.peerCertificate?.fingerprint256;
const identityOf = ({ cert, key }: Identity): { cert: string; key: string } => ({ cert, key });
const own: (identity: Identity) => Partial<SslOptions> = identityOf;

describe('credentials of a connection', () => {
  for (const [version, both] of versions) {
    describe(version, () => {
      it('are its context’s unless it has its own', async () => {
        const { server, serverRsa } = certificates();
        const context = serverContext(both);
        const inherited = await connectedPair({ both, serverContext: context });
        assert.equal(seen(inherited.client), fingerprint(server));
        const replaced = await connectedPair({ both, serverContext: context, serverSsl: own(serverRsa) });
        assert.equal(seen(replaced.client), fingerprint(serverRsa));
        assert.equal(replaced.server.certificate?.fingerprint256, fingerprint(serverRsa));
        // The context, and what is made with it later, are as they were.
        assert.equal(context.certificate?.fingerprint256, fingerprint(server));
        const later = await connectedPair({ both, serverContext: context });
        assert.equal(seen(later.client), fingerprint(server));
      });

      it('of a client answer the server’s request', async () => {
        const { ca, client, stranger } = certificates();
        const server = { requestCert: true, ca: ca.cert };
        const pair = await connectedPair({ both, server, clientSsl: own(client) });
        assert.equal(seen(pair.server), fingerprint(client));
        const other = makePair({ both, server, client: own(client), clientSsl: own(stranger) });
        void other.client.connect().catch(() => {});
        await rejected(other.during(other.server.accept()), /^UNABLE_TO_/);
      });

      it('from files, PKCS #8 that is locked, and by URI', async () => {
        const { serverRsa, folder } = certificates();
        const { certFile, keyFile } = serverRsa;
        const passphrase = 'open sesame';
        const options = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const;
        const locked = join(folder, 'own-locked.key');
        writeFileSync(locked, createPrivateKey(serverRsa.key).export(options));
        const ways: Partial<SslOptions>[] = [
          { certFile, keyFile },
          { certFile, keyFile: locked, passphrase },
          { certFile, keyFile: locked, passphrase: () => passphrase },
          { certUri: `file:${certFile}`, keyUri: `file:${keyFile}` },
        ];
        for (const serverSsl of ways) {
          const pair = await connectedPair({ both, serverSsl });
          assert.equal(seen(pair.client), fingerprint(serverRsa));
        }
      });

      it('with the chain that follows the certificate', async () => {
        const pair = await connectedPair({ both, serverSsl: own(certificates().deepServer) });
        assert.equal(pair.client.peerCertificateChain.length, 2);
      });
    });
  }

  describe('set by OpenSSL’s own calls', () => {
    it('useCertificate, usePrivateKey, checkPrivateKey', async () => {
      const { server, deepServer } = certificates();
      for (const identity of [deepServer, server]) {
        const pair = makePair();
        pair.server.useCertificate(identity.cert);
        pair.server.usePrivateKey(identity.key);
        pair.server.checkPrivateKey();
        await pair.handshake();
        assert.equal(seen(pair.client), fingerprint(identity));
      }
    });

    it('useCertificateFile, usePrivateKeyFile, and raw RSA keys', async () => {
      const { serverRsa, folder } = certificates();
      const raw = createPrivateKey(serverRsa.key).export({ type: 'pkcs1', format: 'der' });
      const rawFile = join(folder, 'raw-rsa.der');
      writeFileSync(rawFile, raw);
      const set: ((ssl: Ssl) => void)[] = [
        ssl => ssl.usePrivateKeyFile(serverRsa.keyFile),
        ssl => ssl.usePrivateKeyFile(rawFile),
        ssl => ssl.usePrivateKey(raw),
      ];
      for (const setKey of set) {
        const context = new SslContext();
        const pair = makePair({ serverContext: context });
        pair.server.useCertificateFile(serverRsa.certFile);
        setKey(pair.server);
        pair.server.checkPrivateKey();
        await pair.handshake();
        assert.equal(seen(pair.client), fingerprint(serverRsa));
      }
    });

    it('a key that does not fit is refused, and the connection works on', async () => {
      const { server, client } = certificates();
      const pair = makePair();
      thrown(() => pair.server.usePrivateKey(client.key), 'ERR_OSSL_X509_KEY_VALUES_MISMATCH');
      pair.server.checkPrivateKey();
      await pair.handshake();
      assert.equal(seen(pair.client), fingerprint(server));
    });

    it('checkPrivateKey tells what is missing', () => {
      const { server } = certificates();
      const ssl = new Ssl(new SslContext(), { side: 'server' });
      thrown(() => ssl.checkPrivateKey(), 'ERR_SSL_NO_CERTIFICATE_ASSIGNED');
      ssl.useCertificate(server.cert);
      thrown(() => ssl.checkPrivateKey(), 'ERR_SSL_NO_PRIVATE_KEY_ASSIGNED');
      ssl.usePrivateKey(server.key);
      ssl.checkPrivateKey();
      // Another certificate takes the key of the former away.
      ssl.useCertificate(certificates().client.cert);
      thrown(() => ssl.checkPrivateKey(), 'ERR_SSL_NO_PRIVATE_KEY_ASSIGNED');
      ssl.close();
    });

    it('during a handshake they are refused, and it goes on', async () => {
      const { server, serverRsa } = certificates();
      const pair = makePair();
      const connecting = pair.client.connect();
      thrown(() => pair.client.useCertificate(serverRsa.cert), 'ERR_TLS_HANDSHAKE_STARTED');
      thrown(() => pair.client.usePrivateKey(serverRsa.key), 'ERR_TLS_HANDSHAKE_STARTED');
      await pair.during(Promise.all([connecting, pair.server.accept()]));
      assert.equal(seen(pair.client), fingerprint(server));
    });

    it('on a closed connection, with nothing, and with what is no certificate they are refused', () => {
      const pair = makePair();
      for (const nothing of ['', [], undefined, null]) {
        thrown(() => pair.server.useCertificate(nothing as never), 'ERR_INVALID_ARG_VALUE');
      }
      thrown(() => pair.server.useCertificate('garbage'), /^ERR_OSSL_/);
      thrown(() => pair.server.useCertificateFile('/nonexistent'), 'ENOENT');
      thrown(() => pair.server.usePrivateKey(1 as never), 'ERR_INVALID_ARG_TYPE');
      pair.close();
      thrown(() => pair.server.useCertificate(certificates().server.cert), 'ERR_TLS_CLOSED');
      thrown(() => pair.server.checkPrivateKey(), 'ERR_TLS_CLOSED');
      for (const name of [
        'useCertificate',
        'useCertificateFile',
        'usePrivateKey',
        'usePrivateKeyFile',
        'checkPrivateKey',
      ] as const) {
        thrown(() => (Ssl.prototype[name] as (value: string) => void).call(Bio.memory(), 'x'), 'ERR_INVALID_THIS');
      }
    });

    it('one of another type of key stands beside the context’s, and the client’s algorithms choose', async () => {
      const { server, serverRsa } = certificates();
      for (const [sigalgs, chosen] of [
        ['RSA-PSS+SHA256', serverRsa],
        ['ECDSA+SHA256', server],
      ] as const) {
        const pair = makePair({ client: { sigalgs: `${sigalgs}:RSA+SHA256:ECDSA+SHA512` } });
        pair.server.useCertificate(serverRsa.cert);
        pair.server.usePrivateKey(serverRsa.key);
        await pair.handshake();
        assert.equal(seen(pair.client), fingerprint(chosen));
      }
    });

    it('after the handshake they serve a renegotiation', async () => {
      const { server, deepServer } = certificates();
      const pair = await connectedPair({ both: tls12, server: { clientRenegotiation: true } });
      assert.equal(seen(pair.client), fingerprint(server));
      pair.server.useCertificate(deepServer.cert);
      pair.server.usePrivateKey(deepServer.key);
      const reading = pair.server.read().catch(() => undefined);
      await pair.during(pair.client.renegotiate());
      assert.equal(seen(pair.client), fingerprint(deepServer));
      pair.close();
      await reading;
    });

    it('and a client’s, post-handshake authentication', async () => {
      const { ca, client, stranger } = certificates();
      const pair = await connectedPair({ both: tls13, server: { ca: ca.cert }, clientSsl: own(stranger) });
      pair.client.useCertificate(client.cert);
      pair.client.usePrivateKey(client.key);
      const reading = pair.client.read().catch(() => undefined);
      await pair.during(pair.server.requestClientCertificate());
      assert.equal(seen(pair.server), fingerprint(client));
      pair.close();
      await reading;
    });
  });

  it('of PKCS #12 bring their chain, and no trust', async () => {
    const { folder, stranger, otherCa } = certificates();
    const file = join(folder, 'own.p12');
    const from = ['-in', stranger.certFile, '-inkey', stranger.keyFile, '-certfile', otherCa.certFile];
    openssl('pkcs12', '-export', ...from, '-out', file, '-passout', 'pass:x');
    const clientSsl = { pfxFile: file, passphrase: 'x', rejectUnauthorized: true };
    const server = { requestCert: true, ca: otherCa.cert };
    const pair = await connectedPair({ server, clientSsl });
    assert.equal(pair.server.peerCertificateChain.length, 2);
    const trusting = makePair({ serverSsl: own(stranger), client: { ca: certificates().ca.cert }, clientSsl });
    void trusting.server.accept().catch(() => {});
    await rejected(trusting.during(trusting.client.connect()), /^UNABLE_TO_|^ERR_TLS_CERT|SELF_SIGNED/);
  });

  it('on an I/O thread', async () => {
    const { ca, client, stranger } = certificates();
    const pool = new IoPool({ threads: 1 });
    const { port, next } = await startServer({ ...tls13, ca: ca.cert });
    const socket = await connect({ port, ca: ca.cert, io: pool, ...identityOf(stranger) });
    const { ssl } = socket;
    thrown(() => ssl.usePrivateKey(client.key), 'ERR_OSSL_X509_KEY_VALUES_MISMATCH');
    ssl.useCertificate(client.cert);
    thrown(() => ssl.checkPrivateKey(), 'ERR_SSL_NO_PRIVATE_KEY_ASSIGNED');
    ssl.usePrivateKey(client.key);
    ssl.checkPrivateKey();
    socket.resume();
    const peer = await next();
    peer.resume();
    await peer.ssl.requestClientCertificate();
    assert.equal(seen(peer.ssl), fingerprint(client));
    assert.deepEqual(ssl.clientCaList, ['CN=Test CA']);
    socket.destroy();
    await pool.close();
  });

  it('that are wrong throw from the constructor', () => {
    const { server, client } = certificates();
    const context = new SslContext();
    thrown(
      () => new Ssl(context, { side: 'server', cert: server.cert, key: client.key }),
      'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
    );
    thrown(() => new Ssl(context, { side: 'server', certFile: '/nonexistent' }), 'ENOENT');
    thrown(() => new Ssl(context, { side: 'server', pfx: 'garbage' }), /^ERR_OSSL_/);
    const passphrase = () => Promise.resolve('x');
    const key = createPrivateKey(server.key).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'x',
    });
    thrown(() => new Ssl(context, { side: 'server', cert: server.cert, key, passphrase }), 'ERR_TLS_PASSPHRASE_ASYNC');
  });

  it('show on the wire, to openssl s_client', async function () {
    needsProgram(this, 'openssl');
    const { ca, deepServer } = certificates();
    const { createServer } = await import('node:net');
    const listener = createServer({ pauseOnConnect: true }, socket => {
      const ssl = new Ssl(serverContext(), { side: 'server', ...own(deepServer) });
      const handle = (socket as unknown as { _handle: { fd: number } })._handle;
      ssl.setFd(handle.fd);
      ssl
        .accept()
        .then(() => ssl.shutdown())
        .catch(() => {});
    });
    await new Promise<void>(resolve => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as { port: number };
    const peer = new Child('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', ca.certFile]);
    await peer.printed(/ 1 s:CN ?= ?Intermediate CA[\s\S]*Verify return code: 0 \(ok\)/);
    peer.signal('SIGTERM');
    listener.close();
  });
});
