// Certificates that a peer must not accept, each for its own reason, with advice, and an alert that fits.
import assert from 'node:assert/strict';
import type { OpenSslError, SslContextOptions } from 'system-tls';
import { certificates, type Identity } from '../../support/certificates.ts';
import { rejected } from '../../support/errors.ts';
import { makePair, versions } from '../../support/memory-pair.ts';

const identity = ({ cert, key }: Identity): SslContextOptions => ({ cert, key });

for (const [version, both] of versions) {
  describe(`bad certificates, ${version}`, () => {
    const bad: readonly [what: string, identity: () => Identity, code: string, advice: RegExp, alert: string][] = [
      ['expired', () => certificates().expired, 'CERT_HAS_EXPIRED', /out of date/, 'certificate_expired'],
      [
        'not yet valid',
        () => certificates().notYetValid,
        'CERT_NOT_YET_VALID',
        /compare the clocks/,
        'bad_certificate',
      ],
      [
        'for another purpose',
        () => certificates().client,
        'INVALID_PURPOSE',
        /extended key usage/,
        'unsupported_certificate',
      ],
      [
        'for another host',
        () => certificates().wrongHost,
        'ERR_TLS_CERT_ALTNAME_INVALID',
        /expected name/,
        'bad_certificate',
      ],
    ];
    for (const [what, make, code, advice, alert] of bad) {
      it(`of a server: ${what}`, async () => {
        const pair = makePair({ both, server: identity(make()) });
        void pair.server.accept().catch(() => {});
        const error = (await rejected(pair.during(pair.client.connect()), code)) as OpenSslError;
        assert.match(error.message, advice);
        assert.deepEqual([error.alert?.name, error.alert?.direction], [alert, 'sent']);
      });
    }

    const badOfClients: typeof bad = [
      ['expired', () => certificates().expired, 'CERT_HAS_EXPIRED', /out of date/, 'certificate_expired'],
      [
        'for another purpose',
        () => certificates().server,
        'INVALID_PURPOSE',
        /extended key usage/,
        'unsupported_certificate',
      ],
    ];
    for (const [what, make, code, advice, alert] of badOfClients) {
      it(`of a client: ${what}`, async () => {
        const server = { requestCert: true, ca: certificates().ca.cert };
        const pair = makePair({ both, server, client: identity(make()) });
        void pair.client.connect().catch(() => {});
        const error = (await rejected(pair.during(pair.server.accept()), code)) as OpenSslError;
        assert.match(error.message, advice);
        assert.deepEqual([error.alert?.name, error.alert?.direction], [alert, 'sent']);
      });
    }
  });
}
