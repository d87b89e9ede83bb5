import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import * as tls from 'node:tls';
import { type MessageEvent, openssl, SslSession } from 'system-tls';
import { needs } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { noTicket, resumptions, tls12, tls13, versions } from '../../support/memory-pair.ts';
import { socketPair, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

const handshake = 22;
const newSessionTicket = 4;
/** Of ticketKeys: the name of the keys, with which each ticket begins (RFC 5077 section 4). */
const keyNameLength = 16;

describe('the ticket of a session', () => {
  for (const [version, both] of versions) {
    it(`is what the server sent: ${version}`, async () => {
      const ticketKeys = randomBytes(80);
      const sent: Buffer[] = [];
      const message = ({ direction, contentType, data }: MessageEvent) => {
        const arrived = direction === 'received' && contentType === handshake;
        if (arrived && data[0] === newSessionTicket) sent.push(Buffer.from(data));
      };
      const { client, server } = await socketPair({ ...both, ticketKeys }, { ...both, on: { message } });
      server.write('x');
      await within(once(client, 'data'), 'a byte behind the tickets');
      const ticket = client.getTLSTicket();
      assert.ok(ticket !== undefined && ticket.length > keyNameLength);
      assert.deepEqual(ticket, client.ssl.session?.ticket);
      assert.deepEqual(ticket.subarray(0, keyNameLength), ticketKeys.subarray(0, keyNameLength));
      assert.ok(sent.length > 0 && sent.at(-1)?.includes(ticket), `${sent.length} tickets`);
      const stored = client.ssl.session?.serialize();
      assert.deepEqual(SslSession.from(stored as Buffer).ticket, ticket);
      client.ssl.close();
      assert.equal(client.getTLSTicket(), undefined);
    });

    it(`is what node:tls gets: ${version}`, async function () {
      const release = (text: string): string => text.split('.').slice(0, 2).join('.');
      const same = release(process.versions.openssl) === release(openssl.version);
      needs(this, same, 'the OpenSSL of this node writes sessions that the other one may not read');
      const ticketKeys = randomBytes(80);
      const { port } = await startServer({ ...both, ticketKeys }, socket => void socket.end('x'));
      const ca = certificates().ca.cert;
      const client = tls.connect({ port, host: '127.0.0.1', ca, servername: 'localhost', ...(both as object) });
      const [session] = (await within(once(client, 'session'), 'a session')) as [Buffer];
      assert.deepEqual(SslSession.from(session).ticket, client.getTLSTicket());
      client.destroy();
    });
  }

  for (const [kind, both, kept] of resumptions) {
    it(`is the client’s alone: ${kind}`, async () => {
      const { client, server } = await socketPair({ ...both, ...kept }, both);
      server.write('x');
      client.resume();
      await until(() => client.ssl.session?.resumable === true, 'a session');
      const stateless = kind !== 'TLSv1.2 by session id';
      assert.equal(client.getTLSTicket() !== undefined, stateless);
      assert.equal(client.ssl.session?.hasTicket, stateless);
      assert.equal(server.getTLSTicket(), undefined);
    });
  }

  it('is not there before it has come, and where there is none', async () => {
    const { client } = await socketPair({ ...tls13, ticketCount: 0 }, tls13);
    assert.equal(client.getTLSTicket(), undefined);
    assert.equal(client.ssl.session?.ticket, null);
    const plain = await socketPair({ ...tls12, ...noTicket }, tls12);
    assert.equal(plain.client.ssl.session?.ticket, null);
  });
});
