// The cases of 10-resumption, 11-dtls_resumption, those of 09-alpn that resume, and what can be said of 27-ticket-appdata, of
// OpenSSL's own tests (test/ssl-tests), in the order of OpenSSL 3.0. A second handshake has contexts of its own: the
// servers have ticket keys in common or, without tickets, a store, where OpenSSL's tests call SSL_CTX_add_session(3).
import assert from 'node:assert/strict';
import { openssl, type SslContextOptions, type SslSession } from 'system-tls';
import { needs } from '../../support/capabilities.ts';
import { clientContext, serverContext, tls12 } from '../../support/memory-pair.ts';
import { type Outcome, oldVersions, outcomeOf } from '../../support/outcome.ts';
import { sessionOf } from '../../support/resumption.ts';

type Version = NonNullable<SslContextOptions['minVersion']>;

const tlsVersions: readonly Version[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
const dtlsVersions: readonly Version[] = ['DTLSv1', 'DTLSv1.2'];
const ticketKeys = Buffer.alloc(80);
/** Of IANA's registry of groups. */
const x25519 = 29;

/** What two servers have in common, so that the second resumes a session of the first. */
function inCommon(tickets: boolean): SslContextOptions {
  if (tickets) return { ticketKeys };
  const store = new Map<string, Buffer>();
  return {
    onNewSession: (id, session) => void store.set(id.toString('hex'), session),
    onResumeSession: id => store.get(id.toString('hex')),
  };
}

interface Handshake {
  readonly client?: SslContextOptions;
  readonly server?: SslContextOptions;
}

interface Twice {
  readonly first: Outcome;
  readonly second: Outcome;
  readonly session: SslSession;
}

async function handshake({ client, server }: Handshake, session?: SslSession): Promise<Outcome> {
  const contexts = { clientContext: clientContext(client), serverContext: serverContext(server) };
  return outcomeOf({ ...contexts, clientSsl: { session } });
}

/** A handshake, and another one with its session. */
async function twice(before: Handshake, after: Handshake): Promise<Twice> {
  const first = await handshake(before);
  assert.equal(first.result, 'Success');
  const session = await sessionOf(first.pair, async () => {});
  assert.equal(session.resumable, true);
  // A connection that is freed before it said goodbye takes its session out of the server's cache.
  await first.pair.during(Promise.all([first.pair.client.shutdown(), first.pair.server.shutdown()]));
  return { first, second: await handshake(after, session), session };
}

function agreed({ second }: Twice, version: string, resumed: boolean): void {
  const { client, server } = second.pair;
  assert.deepEqual([second.result, second.alert], ['Success', undefined]);
  assert.deepEqual([client.version, server.version], [version, version]);
  assert.deepEqual([client.sessionReused, server.sessionReused], [resumed, resumed]);
}

/** Cases of two versions: one side has only the first at first, and then up to the second. */
function versionCases(versions: readonly Version[], common: SslContextOptions): void {
  let index = 0;
  for (const changing of ['server', 'client'] as const) {
    for (const original of versions) {
      for (const next of versions) {
        for (const tickets of [true, false]) {
          const how = tickets ? 'tickets' : 'no tickets';
          const resumed = original === next;
          const title = `${index++} resumption: a ${changing} of ${original}, then of up to ${next}, ${how}`;
          it(`${title}: ${resumed ? 'resumed' : 'a full handshake'}`, async () => {
            const server = { ...common, ...inCommon(tickets) };
            const sides = (range: SslContextOptions): Handshake =>
              changing === 'server'
                ? { client: common, server: { ...server, ...range } }
                : { client: { ...common, ...range }, server };
            const done = await twice(
              sides({ minVersion: original, maxVersion: original }),
              sides({ maxVersion: next }),
            );
            assert.equal(done.first.pair.client.version, original);
            assert.equal(done.session.version, original);
            if (original !== 'TLSv1.3') assert.equal(done.session.hasTicket, tickets);
            agreed(done, next, resumed);
          });
        }
      }
    }
  }
}

describe('OpenSSL’s cases of resumption (10-resumption)', () => {
  versionCases(tlsVersions, oldVersions);

  it('64 resumption-with-hrr: behind a HelloRetryRequest it is resumed', async () => {
    const shared: number[] = [];
    const server: SslContextOptions = {
      ...inCommon(true),
      ecdhCurve: 'P-256',
      onClientHello: ({ keyShares }) => void shared.push(...keyShares.map(({ group }) => group)),
    };
    const client: SslContextOptions = { ecdhCurve: 'X25519:P-256' };
    const done = await twice({ client, server }, { client, server });
    agreed(done, 'TLSv1.3', true);
    // The first hello of each has no share of the server's group.
    assert.deepEqual(shared, [x25519, x25519]);
  });
});

describe('OpenSSL’s cases of resumption with DTLS (11-dtls_resumption)', () => {
  before(function () {
    needs(this, openssl.features.dtls, 'this OpenSSL was built without DTLS');
  });
  versionCases(dtlsVersions, { method: 'DTLS', securityLevel: 0, minVersion: 'DTLSv1' });
});

describe('OpenSSL’s cases of protocols in a resumed handshake (09-alpn)', () => {
  const protocols = (...ALPNProtocols: readonly string[]): SslContextOptions =>
    ALPNProtocols.length === 0 ? {} : { ALPNProtocols };
  interface Offers {
    readonly client: readonly string[];
    readonly server: readonly string[];
  }
  const both = ({ client, server }: Offers): Handshake => ({
    client: protocols(...client),
    server: { ...protocols(...server), ...inCommonKeys },
  });
  const inCommonKeys = inCommon(true);
  const cases: ReadonlyArray<readonly [string, Offers, Partial<Offers>, string | null]> = [
    ['10 alpn-simple-resumption', { client: ['foo'], server: ['foo'] }, {}, 'foo'],
    [
      '11 alpn-server-switch-resumption',
      { client: ['foo', 'bar', 'baz'], server: ['bar', 'foo'] },
      { server: ['baz', 'foo'] },
      'baz',
    ],
    [
      '12 alpn-client-switch-resumption',
      { client: ['foo', 'baz'], server: ['foo', 'bar', 'baz'] },
      { client: ['bar', 'baz'] },
      'bar',
    ],
    ['14 alpn-no-server-support-resumption', { client: ['foo'], server: ['foo'] }, { server: [] }, null],
    ['15 alpn-no-client-support-resumption', { client: ['foo'], server: ['foo'] }, { client: [] }, null],
  ];
  for (const [title, before, after, expected] of cases) {
    it(`${title}: ${expected ?? 'none'}`, async () => {
      const done = await twice(both(before), both({ ...before, ...after }));
      agreed(done, 'TLSv1.3', true);
      const { client, server } = done.second.pair;
      assert.deepEqual([client.alpnProtocol, server.alpnProtocol], [expected, expected]);
    });
  }

  it('13 alpn-alert-on-mismatch-resumption: nothing in common ends a resumed handshake too', async () => {
    const before = { client: ['foo', 'bar'], server: ['bar'] };
    const { second } = await twice(both(before), both({ ...before, server: ['baz'] }));
    assert.deepEqual([second.result, second.alert], ['ServerFail', 'no_application_protocol']);
  });
});

describe('OpenSSL’s cases of data in a ticket (27-ticket-appdata)', () => {
  // Cases 0 and 2 put data of the application's into the ticket (SSL_SESSION_set1_ticket_appdata), which this package has not.
  const cases = [
    ['1 session-ticket-app-data12', 'TLSv1.2', tls12],
    ['3 session-ticket-app-data13', 'TLSv1.3', {}],
  ] as const;
  for (const [title, version, client] of cases) {
    it(`${title}: a ticket without any is resumed`, async () => {
      const sides = { client, server: inCommon(true) };
      const done = await twice(sides, sides);
      assert.equal(done.session.hasTicket, true);
      agreed(done, version, true);
    });
  }
});
