import assert from 'node:assert/strict';
import { pattern } from '../../support/bytes.ts';
import { needsProgram } from '../../support/capabilities.ts';
import { tls12, tls13 } from '../../support/memory-pair.ts';
import { pythonClient, pythonServer } from '../../support/peers.ts';
import { collect, connectTo, startServer } from '../../support/sockets.ts';
import { within } from '../../support/wait.ts';

describe('python3 ssl', () => {
  before(function () {
    needsProgram(this, 'python3');
  });

  for (const [name, both] of [
    ['TLSv1_2', tls12],
    ['TLSv1_3', tls13],
  ] as const) {
    it(`as our client, ${both.maxVersion}: data both ways and a clean close`, async () => {
      const { port } = await startServer({}, socket => socket.pipe(socket));
      const peer = pythonClient(port, name);
      const { code } = await within(peer.exited, 'it to end');
      assert.equal(code, 0, peer.output);
      assert.match(peer.output, /got hello from python\n.*echoed 300000\nclosed cleanly/s);
    });

    it(`as our server, ${both.maxVersion}: data both ways and a clean close`, async () => {
      const { peer, port } = await pythonServer();
      const socket = await connectTo(port, both);
      const data = pattern(400_000);
      const echoed = collect(socket);
      socket.end(data);
      assert.ok((await within(echoed, 'the echo')).equals(data));
      const { code } = await within(peer.exited, 'it to end');
      assert.equal(code, 0, peer.output);
      assert.match(peer.output, /closed cleanly/);
    });
  }
});
