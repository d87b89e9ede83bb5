// Pre-shared keys of DTLS: RFC 4279, RFC 5489.
import assert from 'node:assert/strict';
import type { OpenSslError } from 'system-tls';
import { connectDtlsTo, startDtls } from '../../support/dtls.ts';
import { rejected } from '../../support/errors.ts';
import { until } from '../../support/wait.ts';

const key = Buffer.alloc(32, 7);

describe('pre-shared keys of DTLS', () => {
  it('known, by a function, and of nobody', async () => {
    const errors: OpenSslError[] = [];
    const { server, port, accepted } = await startDtls({
      psk: { identity: 'one', key },
      onPsk: async ({ identity }) => (identity === 'two' ? key : null),
    });
    server.on('tlsClientError', error => errors.push(error as OpenSslError));
    for (const identity of ['one', 'two']) {
      const client = await connectDtlsTo(port, { psk: { identity, key } });
      assert.deepEqual([client.psk, client.pskIdentity, client.peerCertificate], [true, identity, null]);
      await until(() => accepted.at(-1)?.pskIdentity === identity, 'the server to have it too');
    }
    await rejected(
      connectDtlsTo(port, { psk: { identity: 'three', key } }),
      'ERR_SSL_TLSV1_ALERT_UNKNOWN_PSK_IDENTITY',
    );
    await until(() => errors.length === 1, 'the server to hear of it');
    // Records that do not verify are dropped: the peer may not have sent them (RFC 6347 section 4.1.2.7).
    await rejected(connectDtlsTo(port, { psk: { identity: 'one', key: Buffer.alloc(32, 8) }, timeout: 500 }), /^ERR_/);
  });
});
