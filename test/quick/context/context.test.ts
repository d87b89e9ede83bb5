import assert from 'node:assert/strict';
import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SslContext, type SslContextOptions, SslSession } from 'system-tls';
import { certificates, openssl } from '../../support/certificates.ts';
import { type CodedError, thrown } from '../../support/errors.ts';
import { connectedPair } from '../../support/memory-pair.ts';
import { luckyGuess, sealedBy, sealedKey } from '../../support/sealed-key.ts';

const passphrase = 'open sesame';
const beginCertificate = '-----BEGIN CERTIFICATE-----';

function sealed(key: string, format: 'pem' | 'der'): string | Buffer {
  const options = { type: 'pkcs8', cipher: 'aes-256-cbc', passphrase } as const;
  const object = createPrivateKey(key);
  return format === 'pem' ? object.export({ ...options, format: 'pem' }) : object.export({ ...options, format: 'der' });
}

/** A PKCS #12 bundle of the server with its CA. */
function bundle(name: string, ...more: string[]): Buffer {
  const { folder, server, ca } = certificates();
  const file = join(folder, name);
  const from = ['-in', server.certFile, '-inkey', server.keyFile, '-certfile', ca.certFile];
  openssl('pkcs12', '-export', ...from, '-out', file, ...more);
  return readFileSync(file);
}

const sealedBundle = (name: string): Buffer => bundle(name, '-passout', `pass:${passphrase}`);

function refused(options: SslContextOptions, code: string | RegExp, message: RegExp): CodedError {
  const error = thrown(() => new SslContext(options), code);
  assert.match(error.message, message);
  return error;
}

describe('contexts', () => {
  describe('take', () => {
    it('keys in every form', () => {
      const { server, serverRsa } = certificates();
      for (const { cert, key } of [server, serverRsa]) {
        const object = createPrivateKey(key);
        const traditional = object.asymmetricKeyType === 'ec' ? 'sec1' : 'pkcs1';
        const forms: SslContextOptions[] = [
          { key },
          { key: object },
          { key: object.export({ type: 'pkcs8', format: 'der' }) },
          { key: object.export({ type: traditional, format: 'pem' }) },
          { key: object.export({ type: traditional, format: 'der' }) },
          { key: sealed(key, 'pem'), passphrase },
          { key: sealed(key, 'der'), passphrase },
          { key: [{ pem: sealed(key, 'pem'), passphrase }] },
          { key: object.export({ type: traditional, format: 'pem', cipher: 'aes-128-cbc', passphrase }), passphrase },
          { key: `${cert}${key}` },
        ];
        for (const form of forms) {
          assert.equal(
            new SslContext({ cert, ...form }).certificate?.fingerprint256,
            new X509Certificate(cert).fingerprint256,
          );
        }
      }
    });

    it('a passphrase that nothing asks for', () => {
      const { cert, key } = certificates().server;
      assert.ok(new SslContext({ cert, key, passphrase }).certificate);
    });

    it('certificates in every form', () => {
      const { cert, key } = certificates().server;
      const object = new X509Certificate(cert);
      for (const form of [cert, `words before\n${cert}words after`, `${key}${cert}`, object.raw, object]) {
        assert.equal(new SslContext({ cert: form, key }).certificate?.fingerprint256, object.fingerprint256);
      }
    });

    it('keys in another order than their certificates', () => {
      const { server, serverRsa } = certificates();
      assert.ok(new SslContext({ cert: [server.cert, serverRsa.cert], key: [serverRsa.key, server.key] }));
    });

    it('a certificate or a key alone, as node:tls does', () => {
      const { cert, key } = certificates().server;
      assert.ok(new SslContext({ cert }));
      assert.ok(new SslContext({ key }));
    });

    it('PKCS #12, with its authorities both trusted and sent', async () => {
      const pfx = sealedBundle('taken.p12');
      const identity = { pfx, passphrase, cert: undefined, key: undefined, ca: undefined };
      const pair = await connectedPair({ server: identity, client: identity });
      assert.deepEqual(
        pair.client.peerCertificateChain.map(({ subject }) => subject),
        ['CN=localhost', 'CN=Test CA'],
      );
      assert.equal(pair.client.verifyResult?.code, 0);
    });

    it('PKCS #12 without a passphrase', () => {
      const pfx = bundle('open.p12', '-passout', 'pass:');
      assert.ok(new SslContext({ pfx }).certificate);
      assert.ok(new SslContext({ pfx, passphrase: '' }).certificate);
    });
  });

  describe('never ask on the terminal for a passphrase', () => {
    it('of a key', () => {
      const { cert, key } = certificates().server;
      for (const format of ['pem', 'der'] as const) {
        refused(
          { cert, key: sealed(key, format) },
          'ERR_TLS_PASSPHRASE_REQUIRED',
          /key\[0\] is encrypted: give its passphrase/,
        );
        refused({ cert, key: sealed(key, format), passphrase: '' }, 'ERR_TLS_PASSPHRASE_REQUIRED', /key\[0\]/);
      }
    });

    it('of PKCS #12', () => {
      refused({ pfx: sealedBundle('asked.p12') }, 'ERR_TLS_PASSPHRASE_REQUIRED', /pfx\[0\] is encrypted/);
      refused({ pfx: sealedBundle('asked.p12'), passphrase: '' }, 'ERR_TLS_PASSPHRASE_REQUIRED', /pfx\[0\]/);
    });

    it('of a key, if the one there is has no room in OpenSSL', () => {
      const key = sealed(certificates().server.key, 'pem');
      refused({ key, passphrase: 'x'.repeat(2000) }, 'ERR_TLS_PASSPHRASE_TOO_LONG', /key\[0\]/);
    });
  });

  describe('say which input is wrong', () => {
    it('a wrong passphrase', () => {
      const body = sealedKey.replace(/-----.*-----/g, '');
      for (const key of [sealedKey, Buffer.from(body, 'base64')]) {
        refused({ key, passphrase: 'wrong' }, 'ERR_OSSL_BAD_DECRYPT', /key\[0\].*passphrase is wrong/);
        refused({ key, passphrase: luckyGuess }, /^ERR_OSSL_/, /key\[0\].*or the passphrase .* is wrong/);
        assert.ok(new SslContext({ key, passphrase: sealedBy }));
      }
      refused(
        { pfx: sealedBundle('wrong.p12'), passphrase: 'wrong' },
        'ERR_OSSL_PKCS12_MAC_VERIFY_FAILURE',
        /pfx\[0\]/,
      );
    });

    it('a key of another certificate', () => {
      const { server, serverRsa, client } = certificates();
      const code = 'ERR_OSSL_X509_KEY_VALUES_MISMATCH';
      refused({ cert: server.cert, key: client.key }, code, /key\[0\] does not belong to the certificate cert\[0\]/);
      const both = [server.cert, serverRsa.cert];
      refused(
        { cert: both, key: [serverRsa.key, client.key] },
        /^ERR_OSSL_/,
        /key\[1\] belongs to none of the certificates/,
      );
    });

    it('a public key, or a certificate, in place of a private key', () => {
      const { cert, key } = certificates().server;
      const publicKey = createPublicKey(key);
      for (const wrong of [
        publicKey.export({ type: 'spki', format: 'pem' }),
        publicKey.export({ type: 'spki', format: 'der' }),
        cert,
        new X509Certificate(cert).raw,
      ]) {
        refused({ cert, key: wrong }, /^ERR_OSSL_/, /key\[0\] cannot be read as a private key/);
      }
    });

    it('two certificates for one type of key, of which OpenSSL would silently drop one', () => {
      const { server, client } = certificates();
      refused(
        { cert: [server.cert, client.cert] },
        'ERR_TLS_INVALID_INPUT',
        /cert\[1\].*same type as cert\[0\].*one PEM/,
      );
    });

    it('no certificate, and a damaged one', () => {
      const { cert, key } = certificates().server;
      refused({ cert: [cert, 'garbage'] }, /^ERR_OSSL_/, /cert\[1\] is not a certificate in PEM or DER/);
      refused({ cert: key }, 'ERR_OSSL_PEM_NO_START_LINE', /cert\[0\]/);
      refused({ cert: cert.replaceAll('M', '!') }, 'ERR_OSSL_PEM_BAD_BASE64_DECODE', /cert\[0\]/);
      refused({ cert: cert.slice(0, 300) }, /^ERR_OSSL_PEM_/, /cert\[0\]/);
      const second = `${cert}${cert.replaceAll('M', '!')}`;
      refused({ cert: second }, 'ERR_OSSL_PEM_BAD_BASE64_DECODE', /cert\[0\]/);
      refused({ cert: cert.replace(/(?<=CERTIFICATE-----\n).+/, '') }, /^ERR_OSSL_/, /cert\[0\]/);
    });

    it('authorities and CRLs', () => {
      const { ca } = certificates();
      refused({ ca: [ca.cert, `${beginCertificate}\nAAAA\n`] }, /^ERR_OSSL_PEM_/, /ca\[1\]/);
      refused({ ca: ca.cert, crl: 'garbage' }, /^ERR_OSSL_/, /crl\[0\] is not a CRL in PEM or DER/);
      refused({ caFile: '/nonexistent/ca.pem' }, 'ENOENT', /caFile '\/nonexistent\/ca.pem'/);
    });

    it('PKCS #12', () => {
      refused({ pfx: 'garbage' }, /^ERR_OSSL_/, /pfx\[0\] is not PKCS #12/);
      const pfx = bundle('no-key.p12', '-nokeys', '-passout', `pass:${passphrase}`);
      refused({ pfx, passphrase }, 'ERR_TLS_INVALID_INPUT', /pfx\[0\] holds no private key/);
    });

    it('names of algorithms', () => {
      refused({ ciphers: 'NO-SUCH-CIPHER' }, 'ERR_SSL_NO_CIPHER_MATCH', /ciphers 'NO-SUCH-CIPHER'/);
      refused({ ciphers: 'TLS_NO_SUCH_SUITE' }, 'ERR_SSL_NO_CIPHER_MATCH', /ciphers 'TLS_NO_SUCH_SUITE'/);
      refused({ ecdhCurve: 'P-256:NO-SUCH' }, 'ERR_INVALID_ARG_VALUE', /ecdhCurve 'P-256:NO-SUCH'/);
      refused({ sigalgs: 'ECDSA+NO-SUCH' }, 'ERR_INVALID_ARG_VALUE', /sigalgs 'ECDSA\+NO-SUCH'/);
      refused({ dhparam: 'garbage' }, /^ERR_OSSL_/, /dhparam is not Diffie-Hellman parameters in PEM/);
      refused({ dhparam: openssl('ecparam', '-name', 'P-256') }, 'ERR_TLS_INVALID_INPUT', /dhparam/);
    });

    it('the option that would take truncation for a clean end', () => {
      refused({ secureOptions: 1 << 7 }, 'ERR_INVALID_ARG_VALUE', /SSL_OP_IGNORE_UNEXPECTED_EOF/);
    });

    it('a key that the security level forbids', () => {
      const { cert, key } = certificates().serverRsa;
      refused({ cert, key, securityLevel: 5 }, 'ERR_SSL_EE_KEY_TOO_SMALL', /cert\[0\] is refused/);
    });
  });

  it('read the system’s certificates once for all', () => {
    const first = new SslContext();
    const before = process.cpuUsage();
    for (let count = 0; count < 50; count++) assert.ok(new SslContext());
    assert.ok(first);
    const { user, system } = process.cpuUsage(before);
    assert.ok(
      user + system < 500_000,
      `${user + system} µs of the processors: reading them takes about 25,000 each time`,
    );
  });
});

describe('sessions from bytes', () => {
  it('are refused unless they are exactly one session', async () => {
    const pair = await connectedPair();
    const bytes = pair.client.session?.serialize();
    assert.ok(bytes);
    const code = 'ERR_TLS_INVALID_SESSION';
    for (const wrong of [Buffer.alloc(0), Buffer.from('garbage'), Buffer.concat([bytes, Buffer.from([0])])]) {
      thrown(() => SslSession.from(wrong), code);
    }
    for (let length = 0; length < bytes.length; length++)
      thrown(() => SslSession.from(bytes.subarray(0, length)), code);
  });

  it('may be tampered with in any byte without harm', async () => {
    const pair = await connectedPair();
    const bytes = pair.client.session?.serialize();
    assert.ok(bytes);
    for (let at = 0; at < bytes.length; at++) {
      const tampered = Buffer.from(bytes);
      tampered.writeUInt8(tampered.readUInt8(at) ^ 0xff, at);
      try {
        const { version, cipher, verifyResult } = SslSession.from(tampered);
        assert.equal(typeof version, 'string');
        assert.equal(typeof cipher, 'string');
        assert.equal(typeof verifyResult.code, 'number');
      } catch (error) {
        assert.equal((error as CodedError).code, 'ERR_TLS_INVALID_SESSION');
      }
    }
  });
});
