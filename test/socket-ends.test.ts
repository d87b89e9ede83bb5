// What must hold beside the bytes of a TlsSocket: who the peer is by now, how transports end, whose listeners are whose.
import assert from 'node:assert/strict';
import { certificates } from './support/certificates.ts';
import { tls12, tls13 } from './support/memory-pair.ts';
import { socketPair } from './support/sockets.ts';
import { within } from './support/wait.ts';

describe('what a TlsSocket says of its peer', () => {
  for (const [version, both] of [
    ['TLS 1.2', tls12],
    ['TLS 1.3', tls13],
  ] as const) {
    it(`follows a client authentication that was begun below it: ${version}`, async () => {
      const { cert, key } = certificates().client;
      const ca = certificates().ca.cert;
      const { client, server } = await socketPair({ ...both, ca }, { ...both, cert, key });
      client.resume();
      server.resume();
      assert.equal(server.authorized, false);
      assert.deepEqual(server.getPeerCertificate(), {});
      await within(server.ssl.requestClientCertificate(), 'the certificate');
      assert.equal(server.authorized, true);
      assert.equal(server.ssl.peerCertificate, server.ssl.peerCertificate, 'the same object as long as it is the same');
      assert.equal(server.getPeerX509Certificate()?.subject, 'CN=client');
      server.destroy();
      assert.equal(server.authorized, true, 'what was true last');
    });
  }

  it('follows a renegotiation of the peer', async () => {
    const { cert, key } = certificates().client;
    const forServer = { ...tls12, ca: certificates().ca.cert, clientRenegotiation: true };
    const { client, server } = await socketPair(forServer, { ...tls12, cert, key });
    client.resume();
    server.resume();
    assert.equal(server.authorized, false);
    server.ssl.setVerify({ requestCert: true });
    await within(client.renegotiate(), 'the renegotiation');
    assert.equal(server.authorized, true);
    assert.equal(server.ssl.peerCertificateChain[0]?.subject, 'CN=client');
  });
});
