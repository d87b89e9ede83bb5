import assert from 'node:assert/strict';
import { needsProgram } from '../../support/capabilities.ts';
import type { Child } from '../../support/child.ts';
import { tls12, tls13 } from '../../support/memory-pair.ts';
import { gnutlsClient } from '../../support/peers.ts';
import { startServer } from '../../support/sockets.ts';
import { until } from '../../support/wait.ts';

const tls12Only = '--priority=NORMAL:-VERS-ALL:+VERS-TLS1.2';
const tls13Only = '--priority=NORMAL:-VERS-ALL:+VERS-TLS1.3';

const ready = (peer: Child) => peer.printed(/Simple Client Mode/);

describe('gnutls-cli and our server', () => {
  before(function () {
    needsProgram(this, 'gnutls-cli');
  });

  it('^rekey1^ and ^rekey^, and our key updates', async () => {
    const { port, next } = await startServer(tls13, socket => socket.pipe(socket));
    const peer = gnutlsClient(port, [tls13Only]);
    const socket = await next();
    const events: string[] = [];
    socket.ssl.on('keyUpdate', ({ from, requested }) => events.push(`${from}${requested ? ' requested' : ''}`));
    await ready(peer);
    peer.write('^rekey1^\n');
    await until(() => events.includes('peer'), 'its key update');
    peer.write('^rekey^\n');
    await until(() => events.includes('peer requested'), 'its key update with a request');
    await until(() => events.includes('self'), 'our answer');
    const { peerUpdated } = await socket.keyUpdate({ requestPeer: true });
    peer.write('after all updates\n');
    await peerUpdated;
    await peer.printed(/after all updates/);
  });

  it('^renegotiate^, and our request for it', async () => {
    const { port, next } = await startServer({ ...tls12, clientRenegotiation: true }, socket => socket.pipe(socket));
    const peer = gnutlsClient(port, [tls12Only]);
    const socket = await next();
    await ready(peer);
    peer.write('^renegotiate^\n');
    await until(() => socket.ssl.renegotiations === 1, 'its renegotiation');
    peer.write('between\n');
    await peer.printed(/between/);
    await socket.renegotiate();
    assert.equal(socket.ssl.renegotiations, 2);
    peer.write('after both\n');
    await peer.printed(/after both/);
  });

  for (const [version, both, priority] of [
    ['TLSv1.2', tls12, tls12Only],
    ['TLSv1.3', tls13, tls13Only],
  ] as const) {
    it(`^resume^, ${version}`, async () => {
      const { port, accepted } = await startServer(both, socket => socket.pipe(socket));
      const peer = gnutlsClient(port, [priority]);
      await ready(peer);
      peer.write('first\n');
      await peer.printed(/^first$/m);
      peer.write('^resume^\n');
      await peer.printed(/This is a resumed session/);
      peer.write('second\n');
      await peer.printed(/^second$/m);
      assert.equal(accepted.length, 2);
      assert.equal(accepted[1]?.ssl.sessionReused, true);
    });
  }
});
