// The method table of OpenSSL: both sides, a server, a client; each version fixed, and negotiated.
import assert from 'node:assert/strict';
import { connect, createServer, openssl, Ssl, SslContext, type SslContextOptions, type TlsMethod } from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child, packageFolder } from '../../support/child.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectedPair, makePair } from '../../support/memory-pair.ts';
import { opensslServer } from '../../support/peers.ts';
import { connectTo, startServer } from '../../support/sockets.ts';

/** TLS 1.0 and 1.1 need SHA-1, which every security level but 0 refuses. */
const old: SslContextOptions = { ciphers: 'ALL:@SECLEVEL=0' };

const fixed = [
  ['TLSv1', 'TLSv1', old],
  ['TLSv1_1', 'TLSv1.1', old],
  ['TLSv1_2', 'TLSv1.2', {}],
  ['TLSv1_3', 'TLSv1.3', {}],
] as const;

describe('methods', () => {
  for (const [method, version, options] of fixed) {
    it(`${method}: that version alone, for both sides and for each`, async () => {
      const sides: [TlsMethod, TlsMethod][] = [
        [method, method],
        [`${method}_client`, `${method}_server`],
      ];
      for (const [client, server] of sides) {
        const pair = await connectedPair({
          client: { ...options, method: client },
          server: { ...options, method: server },
        });
        assert.equal(pair.client.version, version);
        assert.equal(pair.server.version, version);
      }
    });
  }

  it('TLS, and its old name SSLv23, negotiate', async () => {
    for (const method of ['TLS', 'SSLv23'] as const) {
      for (const [fixedMethod, version] of [
        ['TLSv1_2', 'TLSv1.2'],
        ['TLSv1_3', 'TLSv1.3'],
      ] as const) {
        const either: [TlsMethod, TlsMethod][] = [
          [`${method}_client`, fixedMethod],
          [fixedMethod, `${method}_server`],
          [method, fixedMethod],
        ];
        for (const [client, server] of either) {
          const pair = await connectedPair({ client: { method: client }, server: { method: server } });
          assert.equal(pair.client.version, version);
        }
      }
    }
    const bounded = await connectedPair({ both: { method: 'TLS', maxVersion: 'TLSv1.2' } });
    assert.equal(bounded.client.version, 'TLSv1.2');
  });

  it('two fixed versions that differ do not meet', async () => {
    const pair = makePair({ client: { method: 'TLSv1_2' }, server: { method: 'TLSv1_3' } });
    void pair.client.connect().catch(() => {});
    await rejected(pair.during(pair.server.accept()), 'ERR_SSL_UNSUPPORTED_PROTOCOL');
  });

  it('SSL 2.0 and 3.0 are refused with the reason', () => {
    for (const family of ['SSLv2', 'SSLv3']) {
      for (const method of [family, `${family}_server`, `${family}_client`]) {
        const error = thrown(() => new SslContext({ method: method as TlsMethod }), 'ERR_TLS_INVALID_PROTOCOL_METHOD');
        assert.match(error.message, new RegExp(`'${method}'.*RFC (6176|7568).*'TLS_server'`));
      }
    }
  });

  it('what is no method is refused', () => {
    for (const method of [
      '',
      'TLS_',
      'TLS_both',
      'TLS_method',
      'tls',
      'TLSv1_4',
      'TLSv1.2',
      'TLS_server_client',
      'a\nb',
    ]) {
      thrown(() => new SslContext({ method: method as TlsMethod }), 'ERR_TLS_INVALID_PROTOCOL_METHOD');
    }
    for (const method of [1, {}, ['TLS'], true]) {
      thrown(() => new SslContext({ method: method as never }), 'ERR_INVALID_ARG_TYPE');
    }
  });

  it('one version by name and bounds beside it are refused', () => {
    for (const bound of [{ minVersion: 'TLSv1.2' }, { maxVersion: 'TLSv1.3' }] as const) {
      thrown(() => new SslContext({ method: 'TLSv1_2', ...bound }), 'ERR_TLS_PROTOCOL_VERSION_CONFLICT');
    }
  });

  it('a context for one side serves no other', async () => {
    const { cert, key } = certificates().server;
    const forServers = new SslContext({ cert, key, method: 'TLS_server' });
    const forClients = new SslContext({ method: 'TLS_client' });
    const wrong = [
      () => new Ssl(forServers, { side: 'client' }),
      () => new Ssl(forClients, { side: 'server' }),
      () => createServer({ secureContext: forClients }),
      () => createServer({ cert, key, method: 'TLSv1_3_client' }),
      () => createServer({ cert, key }).setSecureContext(forClients),
      () => createServer({ cert, key }).setSecureContext({ cert, key, method: 'TLS_client' }),
    ];
    for (const action of wrong) {
      assert.match(thrown(action, 'ERR_TLS_WRONG_SIDE').message, /option method/);
    }
    await rejected(connect({ port: 1, secureContext: forServers }), 'ERR_TLS_WRONG_SIDE');
    // And the context is as good as before.
    const pair = await connectedPair({ serverContext: forServers, client: { method: 'TLS_client' } });
    assert.equal(pair.client.established, true);
  });

  it('show on the wire, to openssl s_server and s_client', async function () {
    needsProgram(this, 'openssl');
    const { peer, port } = await opensslServer();
    const client = await connectTo(port, { method: 'TLSv1_2_client' });
    assert.equal(client.ssl.version, 'TLSv1.2');
    client.destroy();
    peer.signal('SIGTERM');
    const { port: own } = await startServer({ method: 'TLSv1_2_server' });
    const refused = new Child('openssl', ['s_client', '-connect', `127.0.0.1:${own}`, '-tls1_3']);
    await refused.exited;
    assert.match(refused.output, /alert protocol version/);
  });
});

describe('initialisation of the library', () => {
  const run = (code: string): Child =>
    new Child(process.execPath, ['--input-type=module', '-e', code], { cwd: packageFolder });

  it('SSL_library_init(): importing is all', async () => {
    const child = run(`
      import { SslContext } from 'system-tls';
      console.log(new SslContext().ciphers.includes('ECDHE-RSA-AES256-GCM-SHA384'));
      console.log((await import('system-tls')).SslContext === SslContext);
    `);
    assert.deepEqual(await child.exited, { code: 0, signal: null }, child.output);
    assert.equal(child.output.trim(), 'true\ntrue');
  });

  it('SSL_load_error_strings(): the first error already has its texts, of libssl and of libcrypto', async () => {
    const child = run(`
      import { SslContext } from 'system-tls';
      for (const options of [{ ciphers: 'NO-SUCH-CIPHER' }, { cert: 'garbage' }]) {
        try { new SslContext(options); } catch ({ library, reason, code }) { console.log([library, reason, code].join(', ')); }
      }
    `);
    assert.deepEqual(await child.exited, { code: 0, signal: null }, child.output);
    assert.match(child.output, /^SSL routines, no cipher match, ERR_SSL_NO_CIPHER_MATCH$/m);
    assert.match(child.output, /^(asn1 encoding routines|PEM routines|DECODER routines), [a-z ]+, ERR_OSSL_\w+$/m);
    assert.ok(openssl.version);
  });
});
