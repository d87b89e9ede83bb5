// Errors end in logs: nothing of a key, a passphrase, a ticket key or a session may be in one, whatever its type.
import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { Ssl, SslContext, type SslContextOptions, SslSession, TicketKeyRing } from 'system-tls';
import { certificates, openssl } from '../../support/certificates.ts';
import { thrown } from '../../support/errors.ts';
import { clientContext } from '../../support/memory-pair.ts';

const { server, folder } = certificates();
const { cert } = server;
const secret = 'open sesame 271828';

/** One secret in every type that somebody might give. */
const shapes: readonly (readonly [name: string, value: unknown])[] = [
  ['text', secret],
  ['text with a NUL', `${secret}\0`],
  ['a number', 271828],
  ['a bigint', 271828n],
  ['bytes', Buffer.from(secret)],
  ['an array', [secret]],
  ['an array of numbers', [271828]],
  ['an object', { secret }],
  ['an object that tells', { toString: () => secret, toJSON: () => secret, [inspect.custom]: () => secret }],
  ['a function', () => secret],
  ['a symbol', Symbol(secret)],
  ['an error', new Error(secret)],
  ['a KeyObject', createSecretKey(Buffer.from(secret))],
];

type Attempt = (value: unknown) => unknown;

const context = (options: Record<string, unknown>) => new SslContext(options as SslContextOptions);

const places: Readonly<Record<string, Attempt>> = {
  ticketKeys: value => context({ ticketKeys: value }),
  'context.ticketKeys': value => {
    context({}).ticketKeys = value as never;
  },
  'TicketKeyRing, secret': value => new TicketKeyRing({ secret: value as never }),
  'TicketKeyRing, instead of its options': value => new TicketKeyRing(value as never),
  key: value => context({ cert, key: value }),
  'key, of several': value => context({ cert, key: [server.key, value] }),
  'key.pem': value => context({ cert, key: { pem: value } }),
  'key.passphrase': value => context({ cert, key: [{ pem: server.key, passphrase: value }, value] }),
  pfx: value => context({ pfx: value }),
  'pfx.buf': value => context({ pfx: [{ buf: value, passphrase: value }] }),
  passphrase: value => context({ cert, key: [server.key, ''], passphrase: value, pfx: 'x' }),
  'keyUri, whose PIN it is': value => {
    const withPin = (pin: unknown): unknown => (typeof pin === 'string' ? `pkcs11:token=x?pin-value=${pin}` : pin);
    return context({ cert, keyUri: Array.isArray(value) ? value.map(withPin) : withPin(value) });
  },
  session: value => new Ssl(clientContext(), { side: 'client', session: value as never }),
  'setSession()': value => new Ssl(clientContext(), { side: 'client' }).setSession(value as never),
  'SslSession.from()': value => SslSession.from(value as never),
  'useCertificate()': value => new Ssl(clientContext(), { side: 'client' }).useCertificate(value as never),
  'usePrivateKey()': value => new Ssl(clientContext(), { side: 'client' }).usePrivateKey(value as never),
  sessionIdContext: value => context({ sessionIdContext: value }),
};

/** All that a log may show of an error. */
function everythingOf(error: Error): string {
  const own = Object.getOwnPropertyNames(error).map(name =>
    String((error as unknown as Record<string, unknown>)[name]),
  );
  return [error.message, error.stack, inspect(error, { depth: 9 }), JSON.stringify(error), ...own].join('\n');
}

describe('no secret is in an error', () => {
  for (const [place, attempt] of Object.entries(places)) {
    it(place, () => {
      let errors = 0;
      for (const [shape, value] of shapes) {
        // What is taken for a passphrase or for bytes of the right length is no error.
        try {
          attempt(value);
        } catch (error) {
          errors++;
          assert.ok(error instanceof Error && 'code' in error, `${shape}: no error with a code: ${String(error)}`);
          const text = everythingOf(error);
          assert.doesNotMatch(text, /sesame|271828/, `${shape}: ${error.message}`);
        }
      }
      assert.notEqual(errors, 0);
    });
  }

  it('of what a function passphrase gives', () => {
    openssl('pkcs8', '-topk8', '-in', server.keyFile, '-out', `${folder}/secrets.key`, '-passout', 'pass:another');
    const locked = { cert, key: readFileSync(`${folder}/secrets.key`) };
    for (const [shape, value] of shapes) {
      const error = thrown(() => context({ ...locked, passphrase: () => value }), /./);
      assert.doesNotMatch(everythingOf(error), /sesame|271828/, `${shape}: ${error.message}`);
    }
  });

  it('where a key was given instead of where it is', () => {
    const pem = server.key;
    const middle = pem.slice(60, 90);
    for (const option of ['keyFile', 'keyUri', 'certFile', 'certUri', 'pfxFile', 'caFile', 'caPath', 'crlFile']) {
      for (const value of [pem, [pem], `  ${pem}`]) {
        const error = thrown(
          () => context({ cert, key: pem, [option]: value }),
          ['ERR_INVALID_ARG_VALUE', 'ERR_INVALID_ARG_TYPE'],
        );
        assert.ok(!everythingOf(error).includes(middle), `${option}: ${error.message}`);
      }
    }
  });

  it('and the length of what is too short or too long is', () => {
    const error = thrown(() => context({ ticketKeys: secret }), 'ERR_INVALID_ARG_VALUE');
    assert.match(error.message, /48 or 80 bytes; it is a string of 18 characters/);
    assert.match(thrown(() => context({ ticketKeys: Buffer.alloc(47) }), 'ERR_INVALID_ARG_VALUE').message, /47 bytes/);
  });
});
