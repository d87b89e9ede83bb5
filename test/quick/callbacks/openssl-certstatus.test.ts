// The cases of 15-certstatus and 16-dtls-certstatus of OpenSSL's own tests (test/ssl-tests): a client that asks for an OCSP
// response, and takes or refuses the one that it gets. Two more there run over SCTP, which this package does not speak.
import assert from 'node:assert/strict';
import { openssl, type SslContextOptions } from 'system-tls';
import { needs } from '../../support/capabilities.ts';
import { formOfResponse } from '../../support/ocsp.ts';
import { outcomeOf } from '../../support/outcome.ts';

const [good, bad] = [formOfResponse('good'), formOfResponse('bad')];

const files: ReadonlyArray<readonly [string, SslContextOptions, boolean]> = [
  ['15-certstatus', {}, true],
  ['16-dtls-certstatus', { method: 'DTLS' }, openssl.features.dtls],
];
const cases = [
  ['0 certstatus-good', good, ['Success', undefined]],
  ['1 certstatus-bad', bad, ['ClientFail', 'bad_certificate_status_response']],
] as const;

for (const [file, method, present] of files) {
  describe(`OpenSSL’s cases of OCSP (${file})`, () => {
    before(function () {
      needs(this, present && openssl.features.async, 'this OpenSSL lacks DTLS or ASYNC jobs');
    });
    for (const [title, response, expected] of cases) {
      it(`${title}: ${expected[0]}`, async () => {
        const shown: Array<Buffer | null> = [];
        const { pair, result, alert } = await outcomeOf({
          server: { ...method, onStatusRequest: () => response },
          client: {
            ...method,
            onStatus: found => {
              shown.push(found);
              return found?.equals(good) === true;
            },
          },
        });
        assert.deepEqual([result, alert], expected);
        assert.deepEqual(shown, [response]);
        assert.equal(pair.client.established, result === 'Success');
      });
    }
  });
}
