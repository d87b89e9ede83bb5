// Suite B (RFC 6460): which certificates it takes.
import assert from 'node:assert/strict';
import type { SslContextOptions } from 'system-tls';
import { certificates, type Identity, issue } from '../../support/certificates.ts';
import { rejected } from '../../support/errors.ts';
import { clientContext, connectedPair, makePair, serverContext, tls12 } from '../../support/memory-pair.ts';
import { opensslClient } from '../../support/peers.ts';
import { startServer } from '../../support/sockets.ts';

const curve = (name: string): readonly string[] => ['-newkey', 'ec', '-pkeyopt', `ec_paramgen_curve:${name}`];
const suiteB = { ciphers: 'SUITEB128' };

describe('Suite B', () => {
  const { ca, otherCa, intermediate } = certificates();
  let p384: Identity;
  let p521: Identity;
  before('makes certificates', () => {
    p384 = issue('suite-b-p384', { names: 'DNS:localhost', key: curve('P-384') });
    p521 = issue('suite-b-p521', { names: 'DNS:localhost', key: curve('P-521') });
  });

  const serving = ({ cert, key }: Identity, options: SslContextOptions = {}) =>
    serverContext({ cert, key, ...suiteB, ...options });

  it('takes a single certificate, whose chain it does not know', async () => {
    // The issuer signs with SHA-256 and P-256, which is too little for P-384 in a chain: OpenSSL, 20-cert-select.cnf, 14.
    for (const options of [{}, { ca: ca.cert }, { ca: otherCa.cert }]) {
      const pair = await connectedPair({ client: tls12, serverContext: serving(p384, options) });
      assert.equal(pair.server.cipher?.name, 'ECDHE-ECDSA-AES128-GCM-SHA256');
    }
  });

  it('takes one of a connection of its own', async () => {
    const far = serverContext({ ...suiteB, cert: undefined, key: undefined });
    const own = { cert: p384.cert, key: p384.key };
    const pair = await connectedPair({ client: tls12, serverContext: far, serverSsl: own });
    assert.equal(pair.server.cipher?.name, 'ECDHE-ECDSA-AES128-GCM-SHA256');
  });

  it('takes one that openssl s_client asks for', async () => {
    const { port, next } = await startServer({ cert: p384.cert, key: p384.key, ...suiteB });
    const peer = opensslClient(port, ['-cipher', 'ECDHE-ECDSA-AES128-GCM-SHA256', '-tls1_2', '-CAfile', ca.certFile]);
    await peer.printed(/ECDHE-ECDSA-AES128-GCM-SHA256/);
    await next();
  });

  it('takes none of another curve, and none whose chain is too weak', async () => {
    for (const far of [serving(p521), serving({ ...p384, cert: p384.cert + intermediate.cert })]) {
      const pair = makePair({ client: tls12, serverContext: far });
      pair.client.connect().catch(() => {});
      await rejected(pair.during(pair.server.accept()), 'ERR_SSL_NO_SHARED_CIPHER');
    }
  });

  it('or not, a single certificate goes out alone, and one with known issuers with them', async () => {
    const { server, deepServer } = certificates();
    const lengths: number[] = [];
    const alone = { cert: server.cert, key: server.key };
    const leaf = deepServer.cert.split(/(?<=-----END CERTIFICATE-----\n)/)[0] ?? '';
    for (const [options, length] of [
      [alone, 1],
      // Its issuer is a root, which is not sent, neither now nor by a chain that is built in the handshake.
      [{ ...alone, ca: ca.cert }, 1],
      [{ cert: leaf, key: deepServer.key, ca: ca.cert + intermediate.cert }, 2],
      [{ cert: leaf, key: deepServer.key, ca: intermediate.cert }, 2],
    ] as const) {
      const near = clientContext({ ca: ca.cert + intermediate.cert });
      const pair = await connectedPair({ clientContext: near, serverContext: serverContext(options) });
      lengths.push(pair.client.peerCertificateChain.length - length);
    }
    assert.deepEqual(lengths, [0, 0, 0, 0]);
  });
});
