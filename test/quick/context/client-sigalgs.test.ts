// clientSigalgs: with what a client's certificate may sign, apart from everybody else's.
import assert from 'node:assert/strict';
import { SslContext, type SslContextOptions } from 'system-tls';
import { certificates, type Identity, issue } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import {
  connectedPair,
  makePair,
  type PairOptions,
  serverContext,
  tls12,
  versions,
} from '../../support/memory-pair.ts';
import { opensslClient, opensslServer } from '../../support/peers.ts';
import { signatures } from '../../support/signatures.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { watch, within } from '../../support/wait.ts';

const { ca, client: ecdsa, server } = certificates();
const identity = ({ cert, key }: Identity): SslContextOptions => ({ cert, key });
// With RSA the hash is free on all versions; TLS 1.3 binds that of ECDSA to the curve.
const rsa = issue('sigalgs-rsa', { subject: '/CN=rsa', key: ['-newkey', 'rsa:2048'] });
const [sha256, sha384, sha512] = ['RSA-PSS+SHA256', 'RSA-PSS+SHA384', 'RSA-PSS+SHA512'] as const;

const asking: SslContextOptions = { ca: ca.cert, requestCert: true };

/** What a client has signed with, in a handshake of these contexts. */
async function signedBy(
  client: SslContextOptions,
  forServer: SslContextOptions,
  rest: PairOptions = {},
): Promise<string[]> {
  const { signed, on } = signatures();
  await connectedPair({
    ...rest,
    client: { ...rest.both, ...client },
    server: { ...rest.both, ...asking, ...forServer },
    serverSsl: { on },
  });
  return signed;
}

describe('clientSigalgs', () => {
  for (const [version, both] of versions) {
    describe(version, () => {
      it('of a server is what the client’s certificate signs with', async () => {
        for (const [who, clientSigalgs, signed] of [
          [rsa, sha384, sha384],
          [rsa, `ECDSA+SHA256:${sha512}:${sha256}`, sha512],
          [ecdsa, `${sha512}:ECDSA+SHA256`, 'ECDSA+SHA256'],
        ] as const) {
          // The client takes what the server prefers.
          const client = { ...identity(who), honorCipherOrder: false };
          assert.deepEqual(await signedBy(client, { clientSigalgs }, { both }), [signed]);
        }
      });

      it('of a client is what it is ready to sign with, by its preference', async () => {
        const client = { ...identity(rsa), clientSigalgs: `${sha512}:${sha384}` };
        assert.deepEqual(await signedBy(client, {}, { both }), [sha512]);
        assert.deepEqual(await signedBy(client, { clientSigalgs: `${sha256}:${sha384}` }, { both }), [sha384]);
      });

      it('is not what the server itself signs with, and sigalgs is in its place', async () => {
        const pair = await connectedPair({
          client: { ...both, ...identity(rsa), sigalgs: 'ECDSA+SHA256', clientSigalgs: sha384 },
          server: { ...both, ...asking, clientSigalgs: sha384 },
        });
        assert.deepEqual(pair.client.sharedSigalgs, [sha384]);
        assert.deepEqual(pair.server.sharedSigalgs, ['ECDSA+SHA256']);
        const sigalgs = `ECDSA+SHA256:${sha384}`;
        assert.deepEqual(await signedBy(identity(rsa), { sigalgs }, { both }), [sha384]);
        assert.deepEqual(await signedBy(identity(rsa), { sigalgs, clientSigalgs: sha512 }, { both }), [sha512]);
      });

      it('without one in common there is no certificate, and no handshake', async () => {
        for (const [who, own, clientSigalgs] of [
          [rsa, sha384, sha256],
          [ecdsa, undefined, sha256],
          [rsa, undefined, 'ECDSA+SHA256'],
        ] as const) {
          const client = { ...both, ...identity(who), clientSigalgs: own };
          const pair = makePair({ client, server: { ...both, ...asking, clientSigalgs } });
          watch(pair.client.connect());
          await rejected(pair.during(pair.server.accept()), /^ERR_SSL_/);
          assert.equal(pair.server.peerCertificate, null);
        }
      });

      it('comes with the context of a name', async () => {
        const named = serverContext({ ...both, ...asking, clientSigalgs: sha512 });
        const forServer = { clientSigalgs: sha384, serverNames: { localhost: named } };
        assert.deepEqual(await signedBy(identity(rsa), forServer, { both }), [sha512]);
        const other = { both, clientSsl: { servername: 'other.example', host: 'localhost' } };
        assert.deepEqual(await signedBy(identity(rsa), forServer, other), [sha384]);
      });

      it('holds for clients and servers of OpenSSL', async () => {
        const flag = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3';
        const { signed, on } = signatures();
        const ours = await startServer({ ...both, ...asking, clientSigalgs: sha384, on });
        const peer = opensslClient(ours.port, [flag, '-cert', rsa.certFile, '-key', rsa.keyFile]);
        await ours.next();
        await peer.printed(/Verify return code: 0/);
        assert.deepEqual(signed, [sha384]);

        const verify = ['-Verify', '1', '-CAfile', ca.certFile, '-client_sigalgs', `${sha512}:${sha384}`];
        const theirs = await opensslServer([flag, ...verify]);
        const chosen = { ...both, ...identity(rsa), clientSigalgs: sha384, io: undefined };
        const socket = await connectTo(theirs.port, chosen);
        await within(theirs.peer.printed(/Peer signing digest: SHA384/), 'what it verified');
        assert.deepEqual(socket.getSharedSigalgs(), [sha384]);
      });
    });
  }

  it('with a name that is none is refused', () => {
    for (const clientSigalgs of ['ECDSA+NO-SUCH', '', ':', 'ECDSA+SHA256\0']) {
      assert.match(thrown(() => new SslContext({ clientSigalgs }), codes.wrongValue).message, /clientSigalgs/);
    }
    thrown(() => new SslContext({ clientSigalgs: 7 as never }), codes.wrongType);
    thrown(() => new SslContext({ ...tls12, clientSigalgs: ['ECDSA+SHA256'] as never }), codes.wrongType);
    assert.ok(new SslContext({ ...identity(server), clientSigalgs: null as never }));
  });
});
