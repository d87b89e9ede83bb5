// Who names authorities to whom: a client by `authorities`, a server by `clientCa`.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { type ConnectOptions, type ServerOptions, SslContext, type SslSession } from 'system-tls';
import { certificates, openssl } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { tls12, tls13, versions } from '../../support/memory-pair.ts';
import { opensslClient, opensslServer } from '../../support/peers.ts';
import { connectTo, pool, socketPair, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

const { ca, otherCa, client: identity, server: serverIdentity } = certificates();
const authenticated: Partial<ConnectOptions> = { cert: identity.cert, key: identity.key };
const [testCa, other] = ['CN=Test CA', 'CN=Other CA'];
const authorities = [ca.cert, otherCa.cert];

describe('authorities', () => {
  it('of a client are told to the server, in TLS 1.3', async () => {
    const { client, server } = await socketPair(tls13, { ...tls13, authorities });
    assert.deepEqual(server.ssl.peerCaList, [testCa, other]);
    assert.deepEqual([server.ssl.clientCaList, client.ssl.clientCaList, client.ssl.peerCaList], [[], [], []]);
    server.ssl.close();
    thrown(() => server.ssl.peerCaList, codes.closed);
  });

  it('of a client stay there in TLS 1.2, which has no place for them', async () => {
    const { server } = await socketPair(tls12, { ...tls12, authorities });
    assert.deepEqual(server.ssl.peerCaList, []);
  });

  it('are not sent unless somebody says so', async () => {
    const { server } = await socketPair(tls13, { ...tls13, ca: authorities });
    assert.deepEqual(server.ssl.peerCaList, []);
  });

  for (const [version, both] of versions) {
    it(`of both sides are kept apart: ${version}`, async () => {
      const { client, server } = await socketPair(
        { ...both, ca: ca.cert, requestCert: true, clientCa: [ca.cert, certificates().intermediate.cert] },
        { ...both, ...authenticated, authorities: otherCa.cert },
      );
      const asked = [testCa, 'CN=Intermediate CA'];
      assert.deepEqual(
        [client.ssl.clientCaList, client.ssl.peerCaList, server.ssl.clientCaList],
        [asked, asked, asked],
      );
      assert.deepEqual(server.ssl.peerCaList, version === 'TLSv1.3' ? [other] : []);
    });

    it(`of a server’s context are not sent to its clients, by no name: ${version}`, async () => {
      const { cert, key } = serverIdentity;
      const asking: ServerOptions = { ...both, ca: ca.cert, clientCa: [], requestCert: true, authorities };
      const running = await startServer({ ...asking, serverNames: { 'a.example': { cert, key } } });
      const plain = await startServer({
        ...both,
        serverNames: { 'a.example': { cert, key, ca: ca.cert, clientCa: [], requestCert: true, authorities } },
      });
      for (const [{ port }, servername] of [
        [running, 'localhost'],
        [running, 'a.example'],
        [plain, 'a.example'],
      ] as const) {
        const client = await connectTo(port, { ...both, ...authenticated, servername, rejectUnauthorized: false });
        assert.deepEqual(client.ssl.peerCaList, []);
      }
    });
  }

  it('come with each ClientHello: behind a HelloRetryRequest, and where a session is resumed', async () => {
    const options = { ...tls13, authorities, ecdhCurve: 'X25519:P-384' };
    const running = await startServer({ ...tls13, ecdhCurve: 'P-384' });
    const client = await connectTo(running.port, options);
    const server = await running.next();
    assert.deepEqual(server.ssl.peerCaList, [testCa, other]);
    server.write('x');
    client.resume();
    await until(() => client.ssl.session?.resumable === true, 'a session');
    await connectTo(running.port, { ...options, session: client.ssl.session as SslSession });
    const resumed = await running.next();
    assert.equal(resumed.ssl.sessionReused, true);
    assert.deepEqual(resumed.ssl.peerCaList, [testCa, other]);
  });

  it('make nobody trusted, and nobody refused', async () => {
    const { running } = await socketPair({}, { authorities: otherCa.cert });
    const error = await rejected(connectTo(running.port, { ca: otherCa.cert, authorities: ca.cert }), /^[A-Z_]+$/);
    assert.match(error.code, /^(SELF_SIGNED|UNABLE_TO)/);
  });

  it('have the form of X509Certificate.subject', async () => {
    const file = `${certificates().folder}/authority-parts`;
    openssl(
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', `${file}.key`, '-out', `${file}.pem`, '-utf8'],
      ...['-subj', '/C=DE/O=Zertifikate für alle + mehr/CN=Wurzel, "1"', '-days', '3'],
    );
    const certificate = new X509Certificate(openssl('x509', '-in', `${file}.pem`));
    const { server } = await socketPair(tls13, { ...tls13, authorities: [certificate, ca.cert] });
    assert.deepEqual(server.ssl.peerCaList, [certificate.subject, testCa]);
  });

  it('may be as many as a ClientHello has room for', async () => {
    const length = 2 + 20;
    const [most, many] = [Math.floor((32 * 1024) / length), 3000];
    const { server } = await socketPair(tls13, { ...tls13, authorities: Array(most).fill(ca.cert) });
    assert.equal(server.ssl.peerCaList.length, most);
    thrown(() => new SslContext({ authorities: Array(most + 1).fill(ca.cert) }), codes.wrongValue);
    thrown(() => new SslContext({ authorities: Array(many).fill(ca.cert) }), codes.wrongValue);
  });

  it('are certificates, and not for datagrams', () => {
    thrown(() => new SslContext({ method: 'DTLS', authorities }), 'ERR_TLS_DTLS');
    thrown(() => new SslContext({ authorities: 7 as never }), codes.wrongType);
    thrown(() => new SslContext({ authorities: 'CN=Test CA' }), /^ERR_/);
    assert.ok(new SslContext({ authorities: [] }));
  });
});

describe('authorities and OpenSSL’s programs', () => {
  it('s_client has its names read, s_server reads ours', async () => {
    const ours = await startServer({ ...tls13, io: pool });
    const names = `${certificates().folder}/authorities.pem`;
    writeFileSync(names, authorities.join(''));
    const peer = opensslClient(ours.port, ['-tls1_3', '-requestCAfile', names]);
    const socket = await ours.next();
    await peer.printed(/Verify return code: 0/);
    assert.deepEqual([...socket.ssl.peerCaList].sort(), [other, testCa]);

    const theirs = await opensslServer(['-tls1_3']);
    await connectTo(theirs.port, { ...tls13, authorities });
    await within(
      theirs.peer.printed(/Acceptable server certificate CA names\s+CN ?= ?Test CA\s+CN ?= ?Other CA/),
      'names',
    );
  });
});
