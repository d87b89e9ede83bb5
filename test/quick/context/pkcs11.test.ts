// A key that never leaves its device: pkcs11: URIs, with SoftHSM as the device.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { openssl as library } from 'system-tls';
import { hasProgram, needs } from '../../support/capabilities.ts';
import { certificates, openssl } from '../../support/certificates.ts';
import { runModule } from '../../support/nodes.ts';
import { tracedBindings } from '../../support/openssl-bindings.ts';

const provider = join(process.env['OPENSSL_MODULES'] ?? library.modulesDirectory, 'pkcs11.so');
const device = [
  process.env['PKCS11_PROVIDER_MODULE'],
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib64/softhsm/libsofthsm.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
].find(file => file !== undefined && existsSync(file));

const pin = '1234';
const uri = 'pkcs11:token=tests;object=server;type=private';

/** A token with the server's key; the environment in which it is found. */
function makeToken(): NodeJS.ProcessEnv {
  const { folder, server } = certificates();
  const tokens = join(folder, 'tokens');
  const SOFTHSM2_CONF = join(folder, 'softhsm2.conf');
  mkdirSync(tokens);
  writeFileSync(SOFTHSM2_CONF, `directories.tokendir = ${tokens}\nobjectstore.backend = file\n`);
  const plain = join(folder, 'for-token.key');
  openssl('pkcs8', '-topk8', '-nocrypt', '-in', server.keyFile, '-out', plain);
  const env = { ...process.env, SOFTHSM2_CONF, PKCS11_PROVIDER_MODULE: device };
  const util = (...args: string[]) =>
    execFileSync('softhsm2-util', ['--module', device as string, '--pin', pin, ...args], { env, stdio: 'pipe' });
  util('--init-token', '--free', '--label', 'tests', '--so-pin', '5678');
  util('--import', plain, '--token', 'tests', '--label', 'server', '--id', '01');
  return env;
}

/** Runs with the provider; prints what `SslContext` says to the options, or the code of its error. */
const script = (options: string, then = ''): string => `
  import { Bio, openssl, Ssl, SslContext } from 'system-tls';
  openssl.loadProvider('pkcs11');
  const certFile = ${JSON.stringify(certificates().server.certFile)};
  const uri = ${JSON.stringify(uri)};
  let context;
  try {
    context = new SslContext(${options});
    console.log('made', context.certificate?.subject);
  } catch ({ code, message }) {
    console.log(code, message);
  }
  ${then}
`;

const handshake = `
  const client = new Ssl(new SslContext({ caFile: ${JSON.stringify('CA')} }), { side: 'client', servername: 'localhost' });
  const server = new Ssl(context, { side: 'server' });
  const [near, far] = Bio.pair();
  client.setBio(near, near);
  server.setBio(far, far);
  await Promise.all([client.connect(), server.accept()]);
  console.log(client.version, client.verifyResult.name);
`;

describe('keys in a PKCS #11 device', () => {
  let env: NodeJS.ProcessEnv;

  before(function () {
    needs(this, existsSync(provider), `no OpenSSL provider for PKCS #11 (${provider}; Debian 13: pkcs11-provider)`);
    needs(this, device !== undefined && hasProgram('softhsm2-util'), 'no SoftHSM (softhsm2)');
    env = makeToken();
  });

  const run = async (options: string, then?: string): Promise<string> => {
    const text = script(options, then).replace('"CA"', JSON.stringify(certificates().ca.certFile));
    const { stdout, stderr, code } = await runModule(process.execPath, text, { env });
    assert.equal(code, 0, stdout + stderr);
    return stdout.trim();
  };

  it('sign a handshake; the PIN is the passphrase, or what a function gives, or in the URI', async () => {
    for (const options of [
      `{ certFile, keyUri: uri, passphrase: '${pin}' }`,
      `{ certFile, keyUri: uri, passphrase: ({ name }) => (name.includes('pkcs11:') ? '${pin}' : 'wrong') }`,
      `{ certFile, keyUri: uri + '?pin-value=${pin}' }`,
    ]) {
      assert.equal(await run(options, handshake), 'made CN=localhost\nTLSv1.3 OK');
    }
  });

  it('a missing or wrong PIN is an error, and nothing asks on the terminal', async () => {
    assert.match(await run('{ certFile, keyUri: uri }'), /^ERR_TLS_PASSPHRASE_REQUIRED .*give its passphrase$/);
    assert.match(
      await run("{ certFile, keyUri: uri, passphrase: '0000' }"),
      /^ERR_TLS_STORE_NOT_FOUND .*the passphrase that was asked for is wrong$/,
    );
  });

  it('an object that is not there, and a key of another certificate', async () => {
    const other = uri.replace('server', 'nobody');
    assert.match(await run(`{ certFile, keyUri: '${other}', passphrase: '${pin}' }`), /^ERR_TLS_STORE_NOT_FOUND /);
    const { certFile } = certificates().client;
    assert.match(
      await run(`{ certFile: '${certFile}', keyUri: uri, passphrase: '${pin}' }`),
      /^ERR_OSSL_X509_KEY_VALUES_MISMATCH /,
    );
  });

  it('neither provider nor device calls into node’s own OpenSSL', async () => {
    const text = script(`{ certFile, keyUri: uri, passphrase: '${pin}' }`);
    const traced = await tracedBindings(process.execPath, text, env);
    const { bindings } = traced;
    assert.match(traced.run.stdout, /^made CN=localhost$/m);
    const theirs = bindings.filter(({ from }) => /^(pkcs11\.so|libsofthsm2?\.so)$/.test(from));
    assert.ok(
      theirs.some(({ to }) => to.startsWith('libcrypto.so')),
      'the trace shows what it should',
    );
    assert.deepEqual(
      theirs.filter(({ to }) => to === basename(process.execPath)).map(({ symbol }) => symbol),
      [],
    );
  });
});
