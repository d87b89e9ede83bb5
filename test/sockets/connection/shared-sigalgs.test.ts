import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import * as tls from 'node:tls';
import type { SslSession } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { thrown } from '../../support/errors.ts';
import { resumptions, tls13, versions } from '../../support/memory-pair.ts';
import { connectTo, socketPair, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

const { ca, client: identity, server: serverIdentity } = certificates();
const authenticated = { cert: identity.cert, key: identity.key };
const asking = { ca: ca.cert, requestCert: true };

/** What node:tls calls the same on a server. */
async function namesOfNode(sigalgs: string): Promise<string[]> {
  const { cert, key } = serverIdentity;
  const server = tls.createServer({ cert, key, sigalgs, minVersion: 'TLSv1.3' }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const arriving = once(server, 'secureConnection') as Promise<[tls.TLSSocket]>;
  const client = tls.connect({ port, host: '127.0.0.1', ca: ca.cert, servername: 'localhost', sigalgs });
  try {
    const [socket] = await within(arriving, 'a connection');
    return socket.getSharedSigalgs();
  } finally {
    client.destroy();
    server.close();
  }
}

describe('shared signature algorithms', () => {
  for (const [version, both] of versions) {
    it(`are what both have, by the own preference: ${version}`, async () => {
      const [forServer, forClient] = ['ECDSA+SHA384:RSA-PSS+SHA256:ECDSA+SHA256', 'ECDSA+SHA256:ed25519:ECDSA+SHA384'];
      const shared = ['ECDSA+SHA384', 'ECDSA+SHA256'];
      for (const honorCipherOrder of [true, false]) {
        const { client, server } = await socketPair(
          { ...both, ...asking, sigalgs: forServer, honorCipherOrder },
          { ...both, ...authenticated, sigalgs: forClient, honorCipherOrder },
        );
        const reversed = [...shared].reverse();
        assert.deepEqual(server.ssl.sharedSigalgs, honorCipherOrder ? shared : reversed);
        assert.deepEqual(client.ssl.sharedSigalgs, honorCipherOrder ? reversed : shared);
        assert.deepEqual(server.getSharedSigalgs(), server.ssl.sharedSigalgs);
      }
    });

    it(`are unknown to a client that was not asked to sign: ${version}`, async () => {
      const { client, server } = await socketPair(both, both);
      assert.deepEqual(client.ssl.sharedSigalgs, []);
      assert.ok(server.ssl.sharedSigalgs.includes('RSA-PSS+SHA256'));
      assert.ok(server.ssl.sharedSigalgs.includes('Ed25519'));
      server.destroy();
      assert.deepEqual(server.getSharedSigalgs(), []);
      thrown(() => server.ssl.sharedSigalgs, codes.closed);
    });
  }

  it('have the names of node:tls, without "+UNDEF"', async () => {
    const sigalgs =
      'ECDSA+SHA256:RSA-PSS+SHA256:RSA-PSS+SHA512:RSA+SHA384:ECDSA+SHA512:ed25519:ed448:rsa_pss_pss_sha256';
    const { server } = await socketPair({ ...tls13, sigalgs }, { ...tls13, sigalgs });
    const nodes = await namesOfNode(sigalgs);
    assert.deepEqual(
      server.ssl.sharedSigalgs,
      nodes.map(name => name.replace('+UNDEF', '')),
    );
    assert.ok(nodes.length >= 8);
  });

  for (const [kind, both, kept] of resumptions) {
    it(`are not looked for where the session was resumed: ${kind}`, async () => {
      const running = await startServer({ ...both, ...kept, sigalgs: 'ECDSA+SHA256' });
      const first = await connectTo(running.port, both);
      const served = await running.next();
      served.write('x');
      first.resume();
      await until(() => first.ssl.session?.resumable === true, 'a session');
      const session = first.ssl.session as SslSession;
      assert.deepEqual(served.ssl.sharedSigalgs, ['ECDSA+SHA256']);
      first.end();
      served.end();
      await connectTo(running.port, { ...both, session });
      const resumed = await running.next();
      assert.equal(resumed.ssl.sessionReused, true);
      assert.deepEqual(resumed.ssl.sharedSigalgs, []);
    });
  }
});
