// The cases of 13-fragmentation of OpenSSL's own tests (test/ssl-tests), with the numbers of OpenSSL 3.0: data of many sizes,
// in fragments of many sizes, in both directions. Those where the client asks for a length are beside `maxSendFragment` over
// sockets, since a client of this package has no such option.
import assert from 'node:assert/strict';
import type { SslContextOptions } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { connectedPair, tls12 } from '../../support/memory-pair.ts';
import { identity } from '../../support/outcome.ts';
import { fullRecords, recordsOf } from '../../support/records.ts';

const kib = 1024;
const mib = 1024 * kib;
/** So much OpenSSL is given at once. */
const together = 256 * kib;

/** What a record has besides: header and, of TLS 1.3, content type and tag. */
const tls13Rest = 5 + 1 + 16;
/** The same of a cipher with CBC: header, number, MAC, and padding up to a block. */
const cbcMost = (mac: number): number => 5 + 16 + mac + 16;
const macs: Readonly<Record<string, number>> = { 'AES128-SHA': 20, 'AES128-SHA256': 32 };

/** The fragments of OpenSSL's tests, if a case says nothing. */
const usual = 512;
const [sha1, sha2] = ['AES128-SHA', 'AES128-SHA256'];

type Case = readonly [title: string, size: number, fragment?: number, cipher?: string];

const cases: readonly Case[] = [
  ['0 one-fragment-minus-app-data', usual - 1],
  ['1 one-fragment-app-data', usual],
  ['2 one-fragment-plus-app-data', usual + 1],
  ['3 small-app-data', 4 * kib + 1],
  ['4 small-app-data-large-fragment-size', 4 * kib + 1, 16 * kib],
  ['5 medium-app-data', 32 * kib + 7],
  ['6 medium-plus-app-data', 128 * kib - 3],
  ['7 large-app-data', mib],
  ['8 large-app-data-large-fragment-size', mib, 16 * kib],
  ['9 large-app-data-odd-fragment-size', mib, 5 * kib - 5],
  ['10 large-app-data-aes-sha1-multibuffer', mib, 4 * kib, sha1],
  ['11 large-app-data-aes-sha2-multibuffer', mib, 4 * kib, sha2],
  ['12 large-app-data-aes-sha1-multibuffer-odd-fragment', mib + 3, 5 * kib - 5, sha1],
  ['13 large-app-data-aes-sha2-multibuffer-odd-fragment', mib - 3, 5 * kib + 5, sha2],
  ['14 small-app-data-aes-sha1-multibuffer', 4 * kib, 4 * kib, sha1],
  ['15 small-app-data-aes-sha2-multibuffer', 4 * kib, 4 * kib, sha2],
];

/** As full as they can be: the fragments of each part that OpenSSL is given at once. */
const divided = (size: number, fragment: number): number[] =>
  fullRecords(size, together).flatMap(part => fullRecords(part, fragment));

/** Clear bytes are exact where the cipher has no padding; else records are within it. */
function checkRecords(lengths: readonly number[], expected: readonly number[], cipher?: string): void {
  if (cipher === undefined) {
    assert.deepEqual(
      lengths.map(length => length - tls13Rest),
      expected,
    );
    return;
  }
  const overhead = cbcMost(macs[cipher] ?? 0);
  // OpenSSL may encrypt several records of AES-CBC at once, and then divides them evenly.
  assert.ok(lengths.length >= expected.length, `${lengths.length} records instead of ${expected.length}`);
  assert.ok(Math.max(...lengths) <= Math.max(...expected) + overhead, String(Math.max(...lengths)));
}

describe('OpenSSL’s cases of fragmentation (13-fragmentation)', () => {
  for (const [title, size, fragment = usual, cipher] of cases) {
    it(`${title}: ${size} bytes in fragments of ${fragment}`, async () => {
      const both: SslContextOptions = {
        maxSendFragment: fragment,
        ...(cipher !== undefined && { ...tls12, ciphers: cipher }),
      };
      const server = { ...both, ...identity(certificates().serverRsa) };
      const pair = await connectedPair({ client: both, server });
      if (cipher !== undefined) assert.equal(pair.client.cipher?.name, cipher);
      for (const from of ['client', 'server'] as const) {
        checkRecords(await recordsOf(pair, size, { from }), divided(size, fragment), cipher);
      }
    });
  }
});
