import assert from 'node:assert/strict';
import { Ssl } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected } from '../../support/errors.ts';
import {
  all,
  clientContext,
  connectedPair,
  makePair,
  serverContext,
  tls12,
  tls13,
  versions,
} from '../../support/memory-pair.ts';
import { watch } from '../../support/wait.ts';

describe('handshake in memory', () => {
  for (const [version, both] of versions) {
    for (const fragment of [1, 7, 1000, all]) {
      it(`${version}, ${fragment === all ? 'everything' : fragment} bytes at a time`, async () => {
        const pair = await connectedPair({ both, fragment });
        for (const ssl of [pair.client, pair.server]) {
          assert.equal(ssl.version, version);
          assert.ok(ssl.cipher);
          assert.equal(ssl.sessionReused, false);
          assert.equal(ssl.servername, 'localhost');
        }
        assert.equal(pair.client.cipher?.name, pair.server.cipher?.name);
        assert.deepEqual(pair.client.verifyResult.code, 0);
        assert.equal(pair.client.verifyResult.name, 'OK');
      });
    }

    it(`${version}: read on one side and write on the other perform it`, async () => {
      const pair = makePair({ both });
      const read = pair.server.read();
      const written = pair.client.write(Buffer.from('implicit'));
      const [chunk] = await pair.during(Promise.all([read, written]));
      assert.equal(String(chunk), 'implicit');
      assert.equal(pair.client.version, version);
    });

    it(`${version}: handshake() serves either side, and is done once`, async () => {
      const pair = makePair({ both });
      const { client, server } = pair;
      await pair.during(Promise.all([client.handshake(), client.handshake(), client.connect(), server.handshake()]));
      const crossed = pair.toServer.bytes.length;
      await pair.during(Promise.all([client.handshake(), client.connect(), server.accept()]));
      assert.equal(pair.toServer.bytes.length, crossed);
    });

    it(`${version}: the order in which the sides begin does not matter`, async () => {
      const pair = makePair({ both });
      const accepting = watch(pair.server.accept());
      await pair.pump();
      assert.equal(accepting.outcome.status, 'pending');
      await pair.during(Promise.all([pair.client.connect(), accepting.promise]));
    });

    it(`${version}: with an RSA certificate`, async () => {
      const { cert, key } = certificates().serverRsa;
      const pair = await connectedPair({ both, server: { cert, key } });
      assert.equal(pair.client.peerCertificate?.publicKey.asymmetricKeyType, 'rsa');
    });
  }

  it('connect belongs to clients, accept to servers', async () => {
    const pair = makePair();
    await rejected(pair.server.connect(), codes.wrongSide);
    await rejected(pair.client.accept(), codes.wrongSide);
    await pair.handshake();
    await rejected(pair.server.connect(), codes.wrongSide);
    assert.equal(pair.server.version, 'TLSv1.3');
  });

  it('without a transport is refused, and possible once there is one', async () => {
    const ssl = new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
    await rejected(ssl.connect(), codes.noTransport);
    await rejected(ssl.read(), codes.noTransport);
    await rejected(ssl.write(Buffer.from('x')), codes.noTransport);
    ssl.close();
  });

  it('versions that have nothing in common fail on both sides with named errors', async () => {
    const pair = makePair({ client: tls13, server: tls12 });
    const accepting = rejected(pair.server.accept(), 'ERR_SSL_UNSUPPORTED_PROTOCOL');
    const connecting = rejected(pair.client.connect(), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
    await pair.during(Promise.all([accepting, connecting]));
    assert.equal(((await connecting) as { library?: string }).library, 'SSL routines');
  });

  it('no cipher in common fails on both sides with named errors', async () => {
    const pair = makePair({
      both: tls12,
      client: { ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' },
      server: { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' },
    });
    await pair.during(
      Promise.all([
        rejected(pair.server.accept(), 'ERR_SSL_NO_SHARED_CIPHER'),
        rejected(pair.client.connect(), /^ERR_SSL_(SSLV3|TLS)_ALERT_HANDSHAKE_FAILURE$/),
      ]),
    );
  });

  it('many connections share one context', async () => {
    const shared = { clientContext: clientContext(), serverContext: serverContext() };
    const pairs = Array.from({ length: 20 }, () => makePair(shared));
    await Promise.all(pairs.map(pair => pair.handshake({ fragment: 100 })));
    for (const pair of pairs) assert.equal(pair.server.version, 'TLSv1.3');
  });
});
