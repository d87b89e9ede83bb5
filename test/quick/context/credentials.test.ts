// Where certificates and keys come from: files, DER, URIs, and passphrases that are asked for.
import assert from 'node:assert/strict';
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { connect, createServer, type PassphraseCallback, SslContext, type SslContextOptions } from 'system-tls';
import { withoutPrivileges } from '../../support/capabilities.ts';
import { certificates, openssl } from '../../support/certificates.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectedPair } from '../../support/memory-pair.ts';
import { luckyGuess, sealedBy, sealedKey } from '../../support/sealed-key.ts';
import { startServer } from '../../support/sockets.ts';

const secret = 'open sesame';

/** A file in the folder of the certificates. */
function file(name: string, content: string | Uint8Array): string {
  const path = join(certificates().folder, name);
  writeFileSync(path, content);
  return path;
}

const locked = (key: string): string =>
  createPrivateKey(key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: secret }) as string;

const derCert = (name: string): string => file(`${name}.der`, new X509Certificate(certificates().server.cert).raw);

function bundle(name: string): string {
  const { folder, server, ca } = certificates();
  const path = join(folder, name);
  const from = ['-in', server.certFile, '-inkey', server.keyFile, '-certfile', ca.certFile];
  openssl('pkcs12', '-export', ...from, '-out', path, '-passout', `pass:${secret}`);
  return path;
}

function takes(options: SslContextOptions, cert = certificates().server.cert): void {
  assert.equal(new SslContext(options).certificate?.fingerprint256, new X509Certificate(cert).fingerprint256);
}

describe('certificates and keys from files', () => {
  it('PEM, and DER in every form that OpenSSL’s functions take', () => {
    const { server, serverRsa } = certificates();
    takes({ certFile: server.certFile, keyFile: server.keyFile });
    for (const [name, { cert, key }] of Object.entries({ ec: server, rsa: serverRsa })) {
      const object = createPrivateKey(key);
      const certFile = file(`${name}-cert.der`, new X509Certificate(cert).raw);
      // SSL_use_RSAPrivateKey_ASN1() took PKCS #1, SSL_use_PrivateKey_ASN1() any.
      const traditional = object.asymmetricKeyType === 'ec' ? 'sec1' : 'pkcs1';
      for (const type of ['pkcs8', traditional] as const) {
        const keyFile = file(`${name}-${type}.der`, object.export({ type, format: 'der' }));
        takes({ certFile, keyFile }, cert);
        takes({ certFile, key: readFileSync(keyFile) }, cert);
      }
    }
  });

  it('several, mixed with those in memory', () => {
    const { server, serverRsa } = certificates();
    assert.ok(
      new SslContext({
        cert: serverRsa.cert,
        certFile: [server.certFile],
        key: serverRsa.key,
        keyFile: server.keyFile,
      }),
    );
  });

  it('a chain in one file goes out as a whole', async () => {
    const { deepServer } = certificates();
    const certFile = file('chain.pem', deepServer.cert);
    const pair = await connectedPair({
      server: { cert: undefined, key: undefined, certFile, keyFile: deepServer.keyFile },
    });
    assert.equal(pair.client.peerCertificateChain.length, 2);
  });

  it('PKCS #12, and a key that is locked', () => {
    takes({ pfxFile: bundle('file.p12'), passphrase: secret });
    const keyFile = file('locked.key', locked(certificates().server.key));
    takes({ certFile: certificates().server.certFile, keyFile, passphrase: secret });
  });

  describe('are refused by name, with the file', () => {
    const refused = (options: SslContextOptions, code: string | RegExp, message: RegExp): void => {
      assert.match(thrown(() => new SslContext(options), code).message, message);
    };

    it('missing ones', () => {
      for (const option of ['certFile', 'keyFile', 'pfxFile'] as const) {
        const error = thrown(() => new SslContext({ [option]: '/nonexistent/x.pem' }), 'ENOENT');
        assert.match(
          error.message,
          new RegExp(`^${option} '/nonexistent/x.pem' cannot be read: ENOENT, there is no such`),
        );
        assert.equal((error as NodeJS.ErrnoException).path, '/nonexistent/x.pem');
        assert.ok(error.cause instanceof Error);
      }
    });

    it('folders, and paths through files', () => {
      const { folder, server } = certificates();
      refused({ certFile: folder }, 'EISDIR', /certFile .* EISDIR, it is a folder/);
      refused({ keyFile: `${server.keyFile}/x` }, 'ENOTDIR', /keyFile .* ENOTDIR/);
    });

    it('those that this process may not read', () => {
      const path = file('forbidden.pem', certificates().server.cert);
      chmodSync(path, 0);
      const error = withoutPrivileges(() => thrown(() => new SslContext({ certFile: path }), 'EACCES'));
      assert.match(error.message, /certFile .* EACCES, this process may not read it/);
    });

    it('empty ones and garbage', () => {
      const empty = file('empty.pem', '');
      const garbage = file('garbage.pem', 'garbage');
      for (const option of ['certFile', 'keyFile', 'pfxFile']) {
        refused({ [option]: empty }, 'ERR_TLS_INVALID_INPUT', new RegExp(`${option} '.*empty.pem' is empty`));
        refused({ [option]: garbage }, /^ERR_OSSL_/, new RegExp(`${option} '.*garbage.pem' (is not|cannot be read)`));
      }
    });

    it('PEM of another kind, which is named', () => {
      const { server, ca } = certificates();
      const holds = (option: string, label: string) =>
        new RegExp(
          `${option} '[^']*', which holds a ${label}, is not a \\w+ in PEM .*no line -----BEGIN .* of that kind`,
        );
      const code = 'ERR_OSSL_PEM_NO_START_LINE';
      refused({ certFile: server.keyFile }, code, holds('certFile', 'PRIVATE KEY'));
      refused({ ca: ca.cert, crlFile: ca.certFile }, code, holds('crlFile', 'CERTIFICATE'));
      const odd = file('odd.pem', '-----BEGIN \u001b[31m-----\nAAAA\n-----END \u001b[31m-----\n');
      const error = thrown(() => new SslContext({ certFile: odd }), code);
      assert.match(error.message, /^certFile '[^']*' is not a certificate/);
      assert.ok(!error.message.includes('\u001b'));
    });

    it('a key that does not fit, or is of another type', () => {
      const { server, client, serverRsa } = certificates();
      const { certFile } = server;
      refused(
        { certFile, keyFile: client.keyFile },
        'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
        /keyFile '.*client.key' does not belong/,
      );
      refused(
        { certFile, keyFile: serverRsa.keyFile },
        'ERR_OSSL_X509_KEY_TYPE_MISMATCH',
        /keyFile '.*does not belong.*another algorithm/,
      );
    });

    it('what is no path', () => {
      refused({ certFile: '' }, 'ERR_INVALID_ARG_VALUE', /options.certFile/);
      refused({ keyFile: ['a\0b'] }, 'ERR_INVALID_ARG_VALUE', /options.keyFile\[0\]/);
      refused({ keyFile: 1 as never }, 'ERR_INVALID_ARG_TYPE', /options.keyFile/);
    });
  });
});

describe('certificates and keys by URI', () => {
  const uri = (path: string): string => pathToFileURL(path).href;

  it('file: gives keys and certificates', async () => {
    const { server, deepServer } = certificates();
    takes({ certUri: uri(server.certFile), keyUri: uri(server.keyFile) });
    takes({ certUri: uri(derCert('uri')), keyUri: uri(server.keyFile) });
    const chain = file('uri-chain.pem', deepServer.cert);
    const identity = { cert: undefined, key: undefined, certUri: uri(chain), keyUri: uri(deepServer.keyFile) };
    const pair = await connectedPair({ server: identity });
    assert.equal(pair.client.peerCertificateChain.length, 2);
  });

  it('a locked key asks for its passphrase', () => {
    const { certFile, key } = certificates().server;
    const keyUri = uri(file('uri-locked.key', locked(key)));
    takes({ certFile, keyUri, passphrase: secret });
    takes({ certFile, keyUri, passphrase: () => secret });
    const error = thrown(() => new SslContext({ certFile, keyUri }), 'ERR_TLS_PASSPHRASE_REQUIRED');
    assert.match(error.message, /keyUri 'file:.*uri-locked.key' is encrypted/);
  });

  it('and says so when that is wrong, as a file does', () => {
    const path = file('fixed.key', sealedKey);
    for (const option of ['keyFile', 'keyUri']) {
      const place = option === 'keyUri' ? uri(path) : path;
      const refusal = (passphrase: string, code: string | RegExp) =>
        thrown(() => new SslContext({ [option]: place, passphrase }), code).message;
      assert.match(refusal('wrong', 'ERR_OSSL_BAD_DECRYPT'), new RegExp(`${option} '.*the passphrase is wrong`));
      assert.match(refusal(luckyGuess, /^ERR_OSSL_/), /or the passphrase that was asked for is wrong/);
      assert.match(refusal('', 'ERR_TLS_PASSPHRASE_REQUIRED'), /is encrypted: give its passphrase/);
      assert.ok(new SslContext({ [option]: place, passphrase: sealedBy }));
    }
    const bundled = bundle('uri-bundle.p12');
    const message = (passphrase: string, code: string) =>
      thrown(() => new SslContext({ certUri: uri(bundled), passphrase }), code).message;
    assert.match(message('wrong', 'ERR_OSSL_OSSL_STORE_ERROR_VERIFYING_PKCS12_MAC'), /the passphrase is wrong/);
    assert.match(message('', 'ERR_TLS_PASSPHRASE_REQUIRED'), /is encrypted: give its passphrase/);
  });

  it('what is not there, or not of that kind, is refused', () => {
    const { certFile, keyFile } = certificates().server;
    thrown(() => new SslContext({ keyUri: 'file:///nonexistent/x.key' }), 'ENOENT');
    const error = thrown(() => new SslContext({ certFile, keyUri: uri(certFile) }), 'ERR_TLS_STORE_NOT_FOUND');
    assert.match(error.message, /no private key at keyUri/);
    thrown(() => new SslContext({ certUri: uri(keyFile) }), /^ERR_(TLS_STORE_NOT_FOUND|OSSL_\w+)$/);
    thrown(() => new SslContext({ keyUri: uri(file('uri-garbage', 'garbage')) }), /^ERR_/);
    thrown(
      () => new SslContext({ certFile, keyUri: uri(certificates().client.keyFile) }),
      'ERR_OSSL_X509_KEY_VALUES_MISMATCH',
    );
    thrown(() => new SslContext({ keyUri: 'a\0b' }), 'ERR_INVALID_ARG_VALUE');
    thrown(() => new SslContext({ keyUri: 1 as never }), 'ERR_INVALID_ARG_TYPE');
  });

  it('a scheme that no provider serves is refused, and the PIN stays out of the message', () => {
    const keyUri = 'pkcs11:object=key?pin-value=1234';
    const error = thrown(() => new SslContext({ keyUri }), 'ERR_OSSL_OSSL_STORE_UNREGISTERED_SCHEME');
    assert.match(error.message, /loadProvider/);
    assert.doesNotMatch(JSON.stringify([error.message, error.errors, error.stack]), /1234/);
  });
});

describe('passphrases that are asked for', () => {
  const both = (passphrase: PassphraseCallback): SslContextOptions => {
    const { server, serverRsa } = certificates();
    const keyFile = file('asked.key', locked(serverRsa.key));
    return { cert: [server.cert, serverRsa.cert], key: locked(server.key), keyFile, passphrase };
  };

  it('the function hears what is locked, and nothing else asks', async () => {
    const names: string[] = [];
    const passphrase: PassphraseCallback = ({ name }) => {
      names.push(name);
      return name.startsWith('key[') ? secret : Buffer.from(secret);
    };
    const expected = ['key[0]', `keyFile '${join(certificates().folder, 'asked.key')}'`];
    assert.ok(new SslContext(both(passphrase)));
    assert.deepEqual(names.splice(0), expected);
    assert.ok(await SslContext.create(both(passphrase)));
    assert.deepEqual(names.splice(0), expected);
    const { cert, key } = certificates().server;
    assert.ok(new SslContext({ cert, key, passphrase }));
    assert.ok(new SslContext({ pfxFile: bundle('asked.p12'), passphrase }).certificate);
    assert.deepEqual(names, [`pfxFile '${join(certificates().folder, 'asked.p12')}'`]);
  });

  it('a promise is awaited by create() and connect(), one input after the other', async () => {
    let asking = 0;
    const passphrase: PassphraseCallback = async () => {
      assert.equal(++asking, 1);
      await new Promise(resolve => setImmediate(resolve));
      asking--;
      return secret;
    };
    assert.ok((await SslContext.create(both(passphrase))).certificate);
    const { ca, client } = certificates();
    const { port, next } = await startServer({ requestCert: true, ca: ca.cert });
    const socket = await connect({ port, ca: ca.cert, cert: client.cert, key: locked(client.key), passphrase });
    assert.equal((await next()).ssl.peerCertificate?.subject, 'CN=client');
    socket.destroy();
  });

  it('connect() does not wait longer than it may', async () => {
    const never = both(() => new Promise<string>(() => {}));
    await rejected(connect({ port: 1, timeout: 50, ...never }), 'ERR_TLS_TIMEOUT');
    const controller = new AbortController();
    const connecting = connect({ port: 1, signal: controller.signal, ...never });
    setImmediate(() => controller.abort());
    await rejected(connecting, 'ABORT_ERR');
    await rejected(connect({ port: 1, signal: controller.signal, ...never }), 'ABORT_ERR');
  });

  it('create() without a function is the constructor', async () => {
    assert.ok((await SslContext.create()) instanceof SslContext);
    await rejected(SslContext.create({ cert: 'garbage' }), /^ERR_OSSL_/);
    await rejected(SslContext.create(null as never), 'ERR_INVALID_ARG_TYPE');
  });

  it('a promise where nothing can wait is refused', () => {
    for (const passphrase of [() => Promise.resolve(secret), () => Promise.reject(new Error('no'))]) {
      for (const action of [() => new SslContext(both(passphrase)), () => createServer(both(passphrase))]) {
        assert.match(thrown(action, 'ERR_TLS_PASSPHRASE_ASYNC').message, /key\[0\].*await SslContext\.create\(\)/);
      }
    }
  });

  it('a function that throws or rejects is the cause', async () => {
    const cause = new Error('the vault is closed');
    const throws: PassphraseCallback = () => {
      throw cause;
    };
    const code = 'ERR_TLS_PASSPHRASE_CALLBACK';
    const atOnce = thrown(() => new SslContext(both(throws)), code);
    assert.equal(atOnce.cause, cause);
    assert.match(atOnce.message, /key\[0\]: the vault is closed/);
    for (const passphrase of [throws, () => Promise.reject(cause)]) {
      assert.equal((await rejected(SslContext.create(both(passphrase)), code)).cause, cause);
      await rejected(connect({ port: 1, ...both(passphrase) }), code);
    }
    await rejected(SslContext.create(both(() => Promise.reject(undefined))), code);
  });

  it('what is no passphrase, or a wrong one, is refused', async () => {
    for (const value of [undefined, null, 42, {}, [secret]]) {
      const passphrase = () => value as never;
      thrown(() => new SslContext(both(passphrase)), 'ERR_INVALID_RETURN_VALUE');
      await rejected(SslContext.create(both(passphrase)), 'ERR_INVALID_RETURN_VALUE');
      await rejected(SslContext.create(both(async () => passphrase())), 'ERR_INVALID_RETURN_VALUE');
    }
    const wrong = await rejected(
      SslContext.create({ key: sealedKey, passphrase: async () => 'wrong' }),
      'ERR_OSSL_BAD_DECRYPT',
    );
    assert.match(wrong.message, /key\[0\].*the passphrase is wrong/);
    const pfxFile = bundle('wrong-asked.p12');
    await rejected(SslContext.create({ pfxFile, passphrase: () => 'wrong' }), 'ERR_OSSL_PKCS12_MAC_VERIFY_FAILURE');
    thrown(() => new SslContext(both(() => 'x'.repeat(2000))), 'ERR_TLS_PASSPHRASE_TOO_LONG');
    for (const passphrase of [1, {}, true]) {
      thrown(() => new SslContext({ passphrase: passphrase as never }), 'ERR_INVALID_ARG_TYPE');
    }
  });
});

describe('folders as input', () => {
  it('are named in what is said of them', () => {
    const folder = join(certificates().folder, 'empty-folder');
    mkdirSync(folder, { recursive: true });
    assert.match(thrown(() => new SslContext({ keyFile: folder }), 'EISDIR').message, /caPath/);
  });
});
