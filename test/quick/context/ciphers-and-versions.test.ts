// The option ciphers decides about versions too: who names ciphers of one kind gets no other. node:tls does so with suites of
// TLS 1.3 alone, and keeps its own of those beside older ciphers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import tls from 'node:tls';
import { certificates } from '../../support/certificates.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { within } from '../../support/wait.ts';

const { cert, key } = certificates().server;
const ca = certificates().ca.cert;
const older = 'ECDHE-ECDSA-AES128-GCM-SHA256';
const suite = 'TLS_AES_128_GCM_SHA256';

const cases: readonly (readonly [
  options: Pick<tls.SecureContextOptions, 'ciphers' | 'maxVersion'>,
  version: string,
])[] = [
  [{}, 'TLSv1.3'],
  [{ ciphers: older }, 'TLSv1.2'],
  [{ ciphers: older, maxVersion: 'TLSv1.3' }, 'TLSv1.2'],
  [{ ciphers: 'HIGH:!aNULL' }, 'TLSv1.2'],
  [{ ciphers: suite }, 'TLSv1.3'],
  [{ ciphers: `${suite}:${older}` }, 'TLSv1.3'],
  [{ ciphers: `${suite}:${older}`, maxVersion: 'TLSv1.2' }, 'TLSv1.2'],
];

async function ofNode(port: number, options: tls.ConnectionOptions): Promise<string | null> {
  const socket = tls.connect({ host: '127.0.0.1', port, servername: 'localhost', ca, ...options });
  socket.on('error', () => {});
  await within(once(socket, 'secureConnect'), 'the connection of node:tls');
  const version = socket.getProtocol();
  socket.destroy();
  return version;
}

describe('ciphers', () => {
  for (const [options, version] of cases) {
    it(`${JSON.stringify(options)} leave ${version}, on either side`, async () => {
      const ours = await startServer(options);
      assert.equal(await ofNode(ours.port, {}), version);
      const any = await startServer();
      assert.equal((await connectTo(any.port, options)).ssl.version, version);
      if (options.ciphers !== undefined && !options.ciphers.includes(suite)) return;
      assert.equal(await ofNode(any.port, options), version);
      const theirs = tls.createServer({ cert, key, ...options });
      try {
        theirs.on('tlsClientError', () => {}).listen(0, '127.0.0.1');
        await once(theirs, 'listening');
        const { port } = theirs.address() as { port: number };
        assert.equal((await connectTo(port)).ssl.version, version);
      } finally {
        theirs.close();
      }
    });
  }

  it('of one kind leave no other even to a peer that has nothing else', async () => {
    const without = await startServer({ ciphers: older });
    await assert.rejects(
      connectTo(without.port, { minVersion: 'TLSv1.3' }),
      /ALERT_PROTOCOL_VERSION|alert protocol version/i,
    );
    const alone = await startServer({ ciphers: suite });
    await assert.rejects(connectTo(alone.port, { maxVersion: 'TLSv1.2' }), /alert protocol version/i);
  });
});
