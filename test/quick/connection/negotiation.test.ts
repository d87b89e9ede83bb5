import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectedPair, makePair, tls13, versions } from '../../support/memory-pair.ts';
import { watch } from '../../support/wait.ts';

describe('negotiation', () => {
  for (const [version, both] of versions) {
    describe(version, () => {
      it('ALPN: the server’s preference among what both have', async () => {
        const pair = await connectedPair({
          client: { ...both, ALPNProtocols: ['http/1.1', 'h2', 'x'] },
          server: { ...both, ALPNProtocols: ['h2', 'http/1.1'] },
        });
        assert.equal(pair.client.alpnProtocol, 'h2');
        assert.equal(pair.server.alpnProtocol, 'h2');
      });

      it('ALPN: nothing in common is a fatal alert', async () => {
        const pair = makePair({ client: { ...both, ALPNProtocols: ['a'] }, server: { ...both, ALPNProtocols: ['b'] } });
        const accepting = watch(pair.server.accept());
        const error = await rejected(
          pair.during(pair.client.connect()),
          /^ERR_SSL_(TLSV1_ALERT|TLSV13_ALERT|SSLV3_ALERT|TLS_ALERT)_NO_APPLICATION_PROTOCOL$/,
        );
        assert.deepEqual(error.alert, {
          level: 'fatal',
          description: 120,
          name: 'no_application_protocol',
          direction: 'received',
        });
        const other = await rejected(accepting.promise, 'ERR_SSL_NO_APPLICATION_PROTOCOL');
        assert.equal((other.alert as { direction?: string }).direction, 'sent');
      });

      it('ALPN: offered to a server that has none, or by a client that has none', async () => {
        const offered = await connectedPair({ client: { ...both, ALPNProtocols: ['a'] }, server: both });
        assert.equal(offered.client.alpnProtocol, null);
        const unasked = await connectedPair({ client: both, server: { ...both, ALPNProtocols: ['a'] } });
        assert.equal(unasked.server.alpnProtocol, null);
      });

      it('exported keying material is the same on both sides, and another for another label, context and connection', async () => {
        const [one, two] = [await connectedPair({ both }), await connectedPair({ both })];
        const context = randomBytes(16);
        const here = await one.client.exportKeyingMaterial(40, 'EXPORTER-test', context);
        assert.equal(here.length, 40);
        assert.deepEqual(one.server.exportKeyingMaterial(40, 'EXPORTER-test', context), here);
        const others = [
          one.client.exportKeyingMaterial(40, 'EXPORTER-other', context),
          one.client.exportKeyingMaterial(40, 'EXPORTER-test', randomBytes(16)),
          one.client.exportKeyingMaterial(40, 'EXPORTER-test'),
          two.client.exportKeyingMaterial(40, 'EXPORTER-test', context),
        ];
        for (const other of others) assert.notDeepEqual(other, here);
      });

      it('exporting wants sensible arguments and a finished handshake', async () => {
        const pair = makePair({ both });
        thrown(() => pair.client.exportKeyingMaterial(32, 'EXPORTER-test'), /^ERR_/);
        await pair.handshake();
        for (const length of [0, -1, 1.5, Number.NaN, 2 ** 40]) {
          thrown(
            () => pair.client.exportKeyingMaterial(length, 'x'),
            [codes.wrongValue, 'ERR_OUT_OF_RANGE', codes.wrongType],
          );
        }
        thrown(() => pair.client.exportKeyingMaterial('32' as never, 'x'), codes.wrongType);
        thrown(() => pair.client.exportKeyingMaterial(32, 7 as never), codes.wrongType);
      });

      it('what was negotiated is told the same by both', async () => {
        const pair = await connectedPair({ both });
        for (const ssl of [pair.client, pair.server]) {
          assert.equal(ssl.version, version);
          assert.match(String(ssl.cipher?.standardName), /^TLS_/);
          assert.equal(typeof ssl.group, 'string');
        }
        assert.deepEqual(pair.client.cipher, pair.server.cipher);
        assert.equal(pair.client.group, pair.server.group);
      });
    });
  }

  it('before the handshake nothing is negotiated', () => {
    const { client } = makePair();
    assert.equal(client.cipher, null);
    assert.equal(client.alpnProtocol, null);
    assert.equal(client.group, null);
    assert.equal(client.sessionReused, false);
    assert.equal(client.renegotiations, 0);
    assert.equal(client.renegotiatePending, false);
    assert.equal(client.keyUpdateType, 'none');
  });

  it('the group that was asked for', async () => {
    const pair = await connectedPair({ both: tls13, client: { ...tls13, ecdhCurve: 'P-384' } });
    assert.match(String(pair.client.group), /384/);
  });
});
