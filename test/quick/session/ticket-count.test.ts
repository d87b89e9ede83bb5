// How many tickets of TLS 1.3 a server sends: what the context says, or one connection.
import assert from 'node:assert/strict';
import type { SslContext, SslContextOptions, SslOptions } from 'system-tls';
import { codes } from '../../support/codes.ts';
import { thrown } from '../../support/errors.ts';
import { clientContext, makePair, serverContext, tls12, tls13 } from '../../support/memory-pair.ts';

/** Sessions that a client is given by a connection of that context. */
async function given(context: SslContext, serverSsl: Partial<SslOptions> = {}, both = tls13): Promise<number> {
  let count = 0;
  const session = () => {
    count++;
  };
  const clientSsl = { on: { session } };
  const pair = makePair({ clientContext: clientContext(both), serverContext: context, clientSsl, serverSsl });
  await pair.handshake();
  const read = pair.client.read();
  await pair.server.write('x');
  await pair.during(read);
  pair.close();
  return count;
}

describe('ticketCount', () => {
  it('of a connection holds for that one, whatever its context says', async () => {
    for (const [own, shared] of [
      [undefined, 2],
      [3, 3],
      [0, 0],
    ] as const) {
      const context = serverContext({ ...tls13, ticketCount: own });
      assert.equal(await given(context), shared);
      for (const ticketCount of [0, 1, 5]) assert.equal(await given(context, { ticketCount }), ticketCount);
      assert.equal(await given(context, { ticketCount: undefined }), shared);
    }
  });

  it('of a connection stays when a name changes its context', async () => {
    const named = serverContext({ ...tls13, ticketCount: 3 });
    const context = serverContext({ ...tls13, serverNames: { localhost: named } } as SslContextOptions);
    assert.equal(await given(context), 3);
    assert.equal(await given(context, { ticketCount: 1 }), 1);
    assert.equal(await given(context, { ticketCount: 0 }), 0);
  });

  it('is not for TLS 1.2, which has one ticket or none', async () => {
    const context = serverContext(tls12);
    assert.equal(await given(context, { ticketCount: 0 }, tls12), 1);
    assert.equal(await given(context, { ticketCount: 5 }, tls12), 1);
  });

  it('is from 0 to 255', () => {
    for (const ticketCount of [-1, 256, 0.5, Number.NaN]) {
      thrown(() => makePair({ serverSsl: { ticketCount } }), codes.outOfRange);
      thrown(() => serverContext({ ticketCount }), codes.outOfRange);
    }
    thrown(() => makePair({ serverSsl: { ticketCount: '1' as never } }), codes.wrongType);
  });
});
