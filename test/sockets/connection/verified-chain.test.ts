// The chain by which a peer was verified, which is another than what it sent.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ConnectOptions, ServerOptions, Ssl, SslSession, TlsSocket } from 'system-tls';
import { certificates, issue } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { thrown } from '../../support/errors.ts';
import { resumptions, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { connectTo, socketPair, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

const { ca, client: identity, deepServer, selfSigned, wrongHost } = certificates();
const authenticated: Partial<ConnectOptions> = { cert: identity.cert, key: identity.key };

const subjects = ({ verifiedChain }: Ssl): string[] => verifiedChain.map(({ subject }) => subject);

async function sessionOf(socket: TlsSocket): Promise<SslSession> {
  socket.resume();
  await until(() => socket.ssl.session?.resumable === true, 'a session');
  return socket.ssl.session as SslSession;
}

describe('the verified chain', () => {
  for (const [version, both] of versions) {
    it(`goes up to the root, which the peer did not send: ${version}`, async () => {
      const { client, server } = await socketPair(
        { ...both, cert: deepServer.cert, key: deepServer.key, ca: ca.cert, requestCert: true },
        { ...both, ...authenticated },
      );
      assert.deepEqual(subjects(client.ssl), ['CN=localhost', 'CN=Intermediate CA', 'CN=Test CA']);
      assert.equal(client.ssl.peerCertificateChain.length, 2);
      assert.deepEqual(subjects(server.ssl), ['CN=client', 'CN=Test CA']);
      assert.equal(client.ssl.verifiedChain, client.ssl.verifiedChain);
      assert.ok(Object.isFrozen(client.ssl.verifiedChain));
      client.ssl.close();
      thrown(() => client.ssl.verifiedChain, codes.closed);
    });
  }

  it('is empty of a peer that shows no certificate', async () => {
    const { server } = await socketPair({ ca: ca.cert, requestCert: true, rejectUnauthorized: false });
    assert.deepEqual(subjects(server.ssl), []);
    assert.equal(server.ssl.verifyResult.name, 'OK');
  });

  it('does not depend on who insists, and is empty of whatever was found wrong', async () => {
    for (const [who, chain] of [
      [certificates().server, ['CN=localhost', 'CN=Test CA']],
      [wrongHost, []],
      [selfSigned, []],
    ] as const) {
      const { client } = await socketPair({ cert: who.cert, key: who.key }, { rejectUnauthorized: false });
      assert.deepEqual(subjects(client.ssl), chain, client.ssl.verifyResult.name);
      assert.equal(client.ssl.verifyResult.name === 'OK', chain.length > 0);
    }
    const { server } = await socketPair(
      { ca: ca.cert, requestCert: true, rejectUnauthorized: false },
      { cert: certificates().stranger.cert, key: certificates().stranger.key },
    );
    assert.deepEqual(subjects(server.ssl), []);
    assert.equal(server.ssl.peerCertificate?.subject, 'CN=stranger');
  });

  for (const [version, both] of versions) {
    it(`is what OpenSSL built where a function has decided later: ${version}`, async () => {
      const verify = async () => true;
      const options: ServerOptions = { cert: selfSigned.cert, key: selfSigned.key, ca: ca.cert, requestCert: true };
      const { client, server } = await socketPair(
        { ...both, ...options, verify },
        { ...both, ...authenticated, verify },
      );
      assert.deepEqual(subjects(client.ssl), ['CN=localhost']);
      assert.deepEqual(subjects(server.ssl), ['CN=client', 'CN=Test CA']);
    });
  }

  for (const [kind, both, kept] of resumptions) {
    it(`is empty after resumption: ${kind}`, async () => {
      const running = await startServer({ ...both, ...kept, ca: ca.cert, requestCert: true });
      const first = await connectTo(running.port, { ...both, ...authenticated });
      const served = await running.next();
      served.write('x');
      const session = await sessionOf(first);
      // So that a session in memory stays.
      first.end();
      served.end();
      const second = await connectTo(running.port, { ...both, ...authenticated, session });
      const resumed = await running.next();
      assert.deepEqual([second.ssl.sessionReused, resumed.ssl.sessionReused], [true, true]);
      assert.deepEqual([subjects(second.ssl), subjects(resumed.ssl)], [[], []]);
      assert.deepEqual([second.authorized, resumed.authorized], [true, true]);
      assert.equal(resumed.ssl.peerCertificate?.subject, 'CN=client');
    });
  }

  it('follows a certificate that is shown later', async () => {
    const { client, server } = await socketPair({ ...tls13, ca: ca.cert }, { ...tls13, ...authenticated });
    assert.deepEqual(subjects(server.ssl), []);
    client.resume();
    server.resume();
    await server.requestClientCertificate();
    assert.deepEqual(subjects(server.ssl), ['CN=client', 'CN=Test CA']);
  });

  it('follows a renegotiation, and is not that of a certificate which was not shown again', async () => {
    const { client, server } = await socketPair(
      { ...tls12, ca: ca.cert, verifyMode: ['PEER', 'CLIENT_ONCE'], clientRenegotiation: true },
      { ...tls12, ...authenticated },
    );
    assert.deepEqual(subjects(server.ssl), ['CN=client', 'CN=Test CA']);
    const other = issue('verified-chain-other', { names: 'DNS:localhost', subject: '/CN=other' });
    server.ssl.useCertificate(other.cert);
    server.ssl.usePrivateKey(other.key);
    client.resume();
    server.resume();
    await Promise.all([within(once(server, 'renegotiate'), 'the renegotiation'), client.renegotiate()]);
    assert.deepEqual(subjects(client.ssl), ['CN=other', 'CN=Test CA']);
    assert.equal(server.ssl.peerCertificate, null);
    assert.deepEqual(subjects(server.ssl), []);
  });
});
