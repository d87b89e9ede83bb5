// Keys and bundles that need algorithms of the provider legacy: the error names it where it is the cure, and nowhere else.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { openssl as library, OpenSslError, SslContext, type SslContextOptions } from 'system-tls';
import { needs } from '../../support/capabilities.ts';
import { certificates, openssl } from '../../support/certificates.ts';
import { thrown } from '../../support/errors.ts';
import { evaluate } from '../../support/nodes.ts';

const { folder, serverRsa } = certificates();
const { cert, certFile, keyFile } = serverRsa;
const modules = process.env['OPENSSL_MODULES'] ?? library.modulesDirectory;
const path = (name: string): string => join(folder, `old-${name}`);
const passphrase = 'pw';
const providers = ['-provider', 'legacy', '-provider', 'default'];

const make: Readonly<Record<string, () => void>> = {
  'rc2.p12': () =>
    openssl(
      'pkcs12',
      '-export',
      '-legacy',
      '-inkey',
      keyFile,
      '-in',
      certFile,
      '-passout',
      'pass:pw',
      '-out',
      path('rc2.p12'),
    ),
  'md5.key': () => pkcs8('md5.key', '-v1', 'PBE-MD5-DES'),
  'md5.der': () => pkcs8('md5.der', '-v1', 'PBE-MD5-DES', '-outform', 'DER'),
  'rc2.key': () => pkcs8('rc2.key', '-v1', 'PBE-SHA1-RC2-40'),
  'des.key': () => pkcs8('des.key', '-v2', 'des'),
  'traditional.key': () =>
    openssl(
      'rsa',
      ...providers,
      '-in',
      keyFile,
      '-des',
      '-traditional',
      '-passout',
      'pass:pw',
      '-out',
      path('traditional.key'),
    ),
};

function pkcs8(name: string, ...how: string[]): void {
  openssl('pkcs8', '-topk8', ...providers, '-in', keyFile, ...how, '-passout', 'pass:pw', '-out', path(name));
}

/** Each way in for a file. */
const waysIn = (name: string): Readonly<Record<string, SslContextOptions>> =>
  name.endsWith('.p12')
    ? {
        pfx: { pfx: readFileSync(path(name)) },
        pfxFile: { pfxFile: path(name) },
        keyUri: { cert, keyUri: `file:${path(name)}` },
      }
    : {
        key: { cert, key: readFileSync(path(name)) },
        keyFile: { cert, keyFile: path(name) },
        keyUri: { cert, keyUri: `file:${path(name)}` },
      };

describe('the provider legacy', () => {
  before('makes keys', function () {
    needs(this, existsSync(join(modules, 'legacy.so')), 'there is no legacy provider');
    for (const each of Object.values(make)) each();
  });

  for (const name of Object.keys(make)) {
    it(`is named for ${name}, with the documented code, and is the cure`, async () => {
      for (const [option, options] of Object.entries(waysIn(name))) {
        const error = thrown(() => new SslContext({ ...options, passphrase }), 'ERR_OSSL_UNSUPPORTED');
        assert.ok(error instanceof OpenSslError, option);
        assert.match(
          error.message,
          /provider legacy, which is not loaded: call openssl\.loadProvider\('legacy'\)/,
          option,
        );
        assert.match(error.message, /RC2-40-CBC|PBKDF1|DES-CBC/, option);
        assert.doesNotMatch(error.message, /passphrase/, option);
        assert.equal(error.errors[0]?.code, 'ERR_OSSL_UNSUPPORTED', option);
        assert.ok(
          error.errors.some(({ code }) => code === 'ERR_OSSL_EVP_UNSUPPORTED'),
          option,
        );
      }
      // In a process of its own: a provider stays.
      const opened = await evaluate(
        process.execPath,
        `import { openssl, SslContext } from 'system-tls';
         import { readFileSync } from 'node:fs';
         openssl.loadProvider('legacy');
         const [cert, file] = ${JSON.stringify([cert, path(name)])};
         const one = file.endsWith('.p12') ? { pfxFile: file } : { cert, keyFile: file };
         new SslContext({ ...one, passphrase: 'pw' });
         new SslContext({ cert, keyUri: 'file:' + file, passphrase: 'pw' });
         let wrong = 'opened';
         try {
           new SslContext({ ...one, passphrase: 'wrong' });
         } catch ({ code, message }) {
           wrong = message.includes('legacy') ? message : code;
         }
         console.log(JSON.stringify({ wrong }));`,
      );
      assert.match((opened as { wrong: string }).wrong, /BAD_DECRYPT|MAC_VERIFY_FAILURE|UNSUPPORTED|ASN1/);
    });
  }

  it('is not named where it is no cure', () => {
    const locked = path('aes.key');
    openssl('pkcs8', '-topk8', '-in', keyFile, '-v2', 'aes256', '-passout', 'pass:pw', '-out', locked);
    const wrong: Readonly<Record<string, SslContextOptions>> = {
      rubbish: { cert, key: Buffer.from('rubbish') },
      'rubbish in PEM': { cert, key: '-----BEGIN PRIVATE KEY-----\naGFsbG8gd2VsdA==\n-----END PRIVATE KEY-----\n' },
      'rubbish as PKCS #12': { pfx: Buffer.from('rubbish') },
      'a wrong passphrase': { cert, keyFile: locked, passphrase: 'wrong' },
      'a wrong passphrase of a bundle': { pfxFile: path('rc2.p12'), passphrase: 'wrong' },
      'no passphrase': { cert, keyFile: path('md5.key') },
    };
    for (const [what, options] of Object.entries(wrong)) {
      const error = thrown(() => new SslContext(options), /^ERR_/);
      assert.doesNotMatch(error.message, /legacy/, what);
    }
  });
});
