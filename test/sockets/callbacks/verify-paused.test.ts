// What ends a process, a thread or an object while a handshake is paused in a callback: nobody will answer any more, and a
// job that is left paused would leak with its stack, or be resumed on another.
import assert from 'node:assert/strict';
import { asking, pausedEndings } from '../../support/paused.ts';
import { endsWith, run } from '../../support/scripts.ts';
import { startServer } from '../../support/sockets.ts';

const overSockets = `
  const server = createServer({ cert, key, ca, io, requestCert: true, verify }, socket => socket.on('error', ignore).end());
  server.on('tlsClientError', ignore);
  await server.listen({ port: 0, host: '127.0.0.1' });
  const reach = options => connect({ ...server.address(), ca, cert, key, io, servername: 'localhost', ...options });
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3']) {
    reach({ maxVersion }).then(socket => socket.on('error', ignore), ignore);
    reach({ maxVersion, verify }).catch(ignore);
  }
  // Two clients wait for themselves, and two for the server.
  await asked(4);
`;

describe('a handshake that is paused in a callback', () => {
  for (const [how, code, expected] of pausedEndings) {
    it(`ends with the process, by ${how}, over sockets`, async () => {
      await endsWith(run(`${asking}${overSockets}\n${code}`), expected, how);
    });
  }

  it('keeps the process alive by its socket, unless unref()', async () => {
    const { port } = await startServer();
    const waits = `${asking}
      const socket = createConnection({ host: '127.0.0.1', port: ${port} }).pause();
      await new Promise(resolve => socket.once('connect', resolve));
      const ssl = new Ssl(new SslContext({ ca }), { side: 'client', servername: 'localhost', verify, io });
      ssl.setFd(socket._handle.fd);
      socket.destroy();
      ssl.connect().catch(ignore);
      await asked(1);
      console.log('paused');
    `;
    const alive = run(`import { createConnection } from 'node:net'; ${waits}`);
    await alive.printed(/paused/);
    const early = await Promise.race([alive.exited, new Promise(resolve => setTimeout(resolve, 150, 'alive'))]);
    assert.equal(early, 'alive', alive.output);
    await alive.stop();
    await endsWith(run(`import { createConnection } from 'node:net'; ${waits} ssl.unref();`), 0, 'after unref()');
  });
});
