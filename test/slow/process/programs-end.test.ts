// Programs and the endings of their connections: none ends early, and none stays.
import assert from 'node:assert/strict';
import { certificates } from '../../support/certificates.ts';
import { nodeScript } from '../../support/child.ts';
import { within } from '../../support/wait.ts';

describe('a program', () => {
  it('that awaits an Ssl on an IoPool ends when it is through', async () => {
    const { ca, server } = certificates();
    const code = `
      import { readFileSync } from 'node:fs';
      import net from 'node:net';
      import { once } from 'node:events';
      import { IoPool, Ssl, SslContext } from 'system-tls';
      const [cert, key, ca] = process.argv.slice(1, 4).map(file => readFileSync(file, 'utf8'));
      const io = new IoPool({ threads: 1 });
      const listener = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
      await once(listener, 'listening');
      const near = new net.Socket();
      near.pause();
      near.connect(listener.address().port, '127.0.0.1');
      const [[far]] = await Promise.all([once(listener, 'connection'), once(near, 'connect')]);
      listener.close();
      const client = new Ssl(new SslContext({ ca }), { side: 'client', servername: 'localhost', io });
      const peer = new Ssl(new SslContext({ cert, key }), { side: 'server', io });
      client.setFd(near._handle.fd);
      peer.setFd(far._handle.fd);
      near.destroy();
      far.destroy();
      await Promise.all([client.connect(), peer.accept()]);
      for (let n = 0; n < 20; n++) {
        await client.write('ping');
        if (String(await peer.read()) !== 'ping') throw new Error('not a ping');
        await peer.write('pong');
        if (String(await client.read()) !== 'pong') throw new Error('not a pong');
      }
      console.log('done');
      process.exit();
    `;
    for (let round = 0; round < 4; round++) {
      const run = () => nodeScript(code, { args: [server.certFile, server.keyFile, ca.certFile] });
      for (const child of [run(), run()]) {
        assert.deepEqual(await within(child.exited, 'the program to end'), { code: 0, signal: null }, child.output);
        assert.match(child.output, /done/);
      }
    }
  });

  it('that awaits the end of its IoPool last of all ends when it is through', async () => {
    const { ca, server } = certificates();
    const code = `
      import { readFileSync } from 'node:fs';
      import { connect, createServer, IoPool } from 'system-tls';
      const [cert, key, ca] = process.argv.slice(1, 4).map(file => readFileSync(file, 'utf8'));
      const io = new IoPool({ threads: 1 });
      const server = createServer({ cert, key, io }, socket => socket.on('error', () => {}).end('bye'));
      await server.listen({ host: '127.0.0.1' });
      const { port } = server.address();
      const socket = await connect({ host: '127.0.0.1', port, servername: 'localhost', ca, io });
      for await (const chunk of socket) if (String(chunk) !== 'bye') throw new Error('not what was said');
      await server.close();
      await io.close();
      console.log('done');
    `;
    const run = () => nodeScript(code, { args: [server.certFile, server.keyFile, ca.certFile] });
    for (let round = 0; round < 5; round++) {
      for (const child of [run(), run()]) {
        assert.deepEqual(await within(child.exited, 'the program to end'), { code: 0, signal: null }, child.output);
        assert.match(child.output, /done/);
      }
    }
  });

  it('that has said its last words ends soon', async () => {
    const { ca, server } = certificates();
    const code = `
      import { readFileSync } from 'node:fs';
      import net from 'node:net';
      import { connect, createServer } from 'system-tls';
      const [cert, key, ca] = process.argv.slice(1, 4).map(file => readFileSync(file, 'utf8'));
      const server = createServer({ cert, key }, socket => socket.resume().on('error', () => {}));
      await server.listen({ port: 0, host: '127.0.0.1' });
      const socket = await connect({ host: '127.0.0.1', port: server.address().port, ca, servername: 'localhost' });
      await socket[Symbol.asyncDispose]();
      server.closeAllConnections();
      await server.close();
      console.log('done');
    `;
    const child = nodeScript(code, { args: [server.certFile, server.keyFile, ca.certFile] });
    assert.deepEqual(await within(child.exited, 'the program to end'), { code: 0, signal: null }, child.output);
    assert.match(child.output, /done/);
  });
});
