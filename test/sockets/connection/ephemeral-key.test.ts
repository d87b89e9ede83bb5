import assert from 'node:assert/strict';
import { once } from 'node:events';
import * as tls from 'node:tls';
import { type ConnectOptions, openssl, type ServerOptions, type SslSession } from 'system-tls';
import { needs } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { thrown } from '../../support/errors.ts';
import { tls12, tls13, versions } from '../../support/memory-pair.ts';
import { connectTo, socketPair, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

const { ca, serverRsa } = certificates();
/** TLS 1.2 would want the curve of an ECDSA certificate among the groups. */
const rsa = { cert: serverRsa.cert, key: serverRsa.key };

/** What node:tls tells of the same on a client. */
async function toldByNode(port: number, options: tls.ConnectionOptions): Promise<unknown> {
  const client = tls.connect({ port, host: '127.0.0.1', ca: ca.cert, servername: 'localhost', ...options });
  try {
    await within(once(client, 'secureConnect'), 'the handshake');
    return client.getEphemeralKeyInfo();
  } finally {
    client.destroy();
  }
}

const x25519 = { type: 'ECDH', name: 'X25519', size: 253 };

describe('the ephemeral key', () => {
  for (const [version, both] of versions) {
    for (const [group, key] of [
      ['X25519', x25519],
      ['X448', { type: 'ECDH', name: 'X448', size: 448 }],
      ['P-256', { type: 'ECDH', name: 'prime256v1', size: 256 }],
      ['P-521', { type: 'ECDH', name: 'secp521r1', size: 521 }],
    ] as const) {
      it(`tells of the server what node:tls tells: ${version}, ${group}`, async () => {
        const options = { ...both, ecdhCurve: group };
        const { client, server, running } = await socketPair({ ...rsa, ...options }, options);
        assert.deepEqual(client.ssl.ephemeralKey, key);
        assert.deepEqual(client.getEphemeralKeyInfo(), key);
        assert.deepEqual(await toldByNode(running.port, options as tls.ConnectionOptions), key);
        // Up to TLS 1.2 OpenSSL does not keep it on a server, and node:tls never tells there.
        assert.deepEqual(server.ssl.ephemeralKey, version === 'TLSv1.3' ? key : null);
        assert.equal(server.getEphemeralKeyInfo(), null);
      });
    }
  }

  it('of Diffie-Hellman without curves has no name', async () => {
    const twelve = { ...tls12, ciphers: 'DHE-RSA-AES128-GCM-SHA256' };
    for (const options of [
      { ...twelve, dhparam: 'auto' },
      { ...tls13, ecdhCurve: 'ffdhe2048' },
    ]) {
      const { client } = await socketPair({ ...rsa, ...options }, options as ConnectOptions);
      const { type, size, ...rest } = client.getEphemeralKeyInfo() as { type: string; size: number };
      assert.equal(type, 'DH');
      assert.ok(size >= 2048, String(size));
      assert.deepEqual(rest, {});
    }
  });

  it('is absent where the server’s own key encrypts', async () => {
    const options: ConnectOptions & ServerOptions = { ...tls12, ciphers: 'AES128-GCM-SHA256' };
    const { client } = await socketPair({ ...rsa, ...options }, options);
    assert.equal(client.ssl.ephemeralKey, null);
    assert.deepEqual(client.getEphemeralKeyInfo(), {});
  });

  it('is absent where a hybrid group was used', async function () {
    needs(this, openssl.features.mlkem, 'OpenSSL has no ML-KEM');
    const options: ConnectOptions & ServerOptions = { ...tls13, ecdhCurve: 'X25519MLKEM768' };
    const { client, server } = await socketPair(options, options);
    assert.equal(client.ssl.group, 'X25519MLKEM768');
    assert.deepEqual([client.ssl.ephemeralKey, server.ssl.ephemeralKey], [null, null]);
  });

  for (const [version, both] of versions) {
    it(`of a resumed session is that of its own handshake: ${version}`, async () => {
      const options = { ...both, ecdhCurve: 'X25519:P-256' };
      const running = await startServer(options);
      const first = await connectTo(running.port, options);
      const served = await running.next();
      served.write('x');
      first.resume();
      await until(() => first.ssl.session?.resumable === true, 'a session');
      const session = first.ssl.session as SslSession;
      const second = await connectTo(running.port, { ...options, session });
      assert.equal(second.ssl.sessionReused, true);
      assert.deepEqual(second.ssl.ephemeralKey, version === 'TLSv1.3' ? x25519 : null);
    });
  }

  it('is not that of the handshake before a renegotiation that resumes', async () => {
    const { client, server } = await socketPair(
      { ...tls12, clientRenegotiation: true },
      { ...tls12, ecdhCurve: 'X25519:P-256' },
    );
    server.resume();
    client.resume();
    await client.renegotiate();
    assert.deepEqual(client.ssl.ephemeralKey, x25519);
    await client.renegotiate({ abbreviated: true });
    assert.equal(client.ssl.sessionReused, true);
    assert.equal(client.ssl.ephemeralKey, null);
  });

  it('is unknown when closed', async () => {
    const { client } = await socketPair();
    client.ssl.close();
    thrown(() => client.ssl.ephemeralKey, codes.closed);
    assert.equal(client.getEphemeralKeyInfo(), null);
  });
});
