// node's own http served over a TlsSocket, fetched by curl and by node's https.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Bio, Ssl } from 'system-tls';
import { pattern, sha256 } from '../../support/bytes.ts';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child, nodeScript } from '../../support/child.ts';
import { clientContext } from '../../support/memory-pair.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { within } from '../../support/wait.ts';

const large = pattern(8 << 20);

async function startHttp(): Promise<number> {
  const server = http.createServer(async (request, response) => {
    if (request.url === '/large') response.end(large);
    else if (request.method === 'POST') response.end(sha256(await buffer(request)));
    else response.end(`you asked for ${request.url}\n`);
  });
  const options = { ALPNProtocols: ['http/1.1'], strictEnd: false };
  const { port } = await startServer(options, socket => server.emit('connection', socket));
  return port;
}

/** A server that hands each connection out after an upgrade or CONNECT, to nobody who listens for 'error'. */
const handingOut = (strictEnd: boolean) => `
  import http from 'node:http';
  import { createServer } from 'system-tls';
  const web = http.createServer();
  for (const event of ['upgrade', 'connect']) {
    web.on(event, (request, socket) => {
      console.log(event, 'error listeners:', socket.listenerCount('error'));
      socket.on('close', () => console.log(event, 'closed'));
      socket.on('end', () => console.log(event, 'ended'));
      socket.resume();
      socket.write('HTTP/1.1 101 Switching Protocols\\r\\n\\r\\n');
    });
  }
  const { cert, key } = ${JSON.stringify(certificates().server)};
  const server = createServer({ cert, key, strictEnd: ${strictEnd} }, socket => web.emit('connection', socket));
  await server.listen({ host: '127.0.0.1', port: 0 });
  console.log('port', server.address().port);
`;

/** Sends a request, reads what comes back, and goes without close_notify. */
async function goAfter(port: number, request: string): Promise<void> {
  const raw = net.connect(port, '127.0.0.1');
  await once(raw, 'connect');
  const bio = Bio.duplex(raw, { close: true });
  const ssl = new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
  ssl.setBio(bio, bio);
  await within(ssl.connect(), 'the handshake');
  await ssl.write(`${request} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n`);
  await within(ssl.read(), 'the answer');
  const closed = new Promise(resolve => raw.once('close', resolve));
  raw.end();
  await within(closed, 'the end');
  ssl.close();
}

describe('http over TlsSocket', () => {
  it('a client that just goes after an upgrade or CONNECT ends no process with strictEnd: false', async () => {
    const child = nodeScript(handingOut(false));
    const port = Number((await child.printed(/port (\d+)/))[1]);
    for (const [request, event] of [
      ['GET /', 'upgrade'],
      ['CONNECT x:1', 'connect'],
    ] as const) {
      await goAfter(port, request);
      await child.printed(new RegExp(`${event} error listeners: 0[\\s\\S]*${event} ended[\\s\\S]*${event} closed`));
    }
  });

  it('and does with strictEnd: true', async () => {
    const child = nodeScript(handingOut(true));
    const port = Number((await child.printed(/port (\d+)/))[1]);
    await goAfter(port, 'GET /');
    assert.notEqual((await within(child.exited, 'the end of the process')).code, 0);
    assert.match(child.output, /ERR_SSL_UNEXPECTED_EOF/);
  });

  it('a server that just goes is ECONNRESET to a request with strictEnd: false, for those who retry', async () => {
    const { port } = await startServer({}, socket => {
      socket.once('data', () => socket.destroy());
    });
    for (const [strictEnd, code] of [
      [false, 'ECONNRESET'],
      [true, 'ERR_SSL_UNEXPECTED_EOF'],
    ] as const) {
      const socket = await connectTo(port, { strictEnd });
      const request = http.get({ createConnection: () => socket, path: '/', headers: { host: 'localhost' } });
      const [error] = (await within(once(request, 'error'), 'the error')) as [NodeJS.ErrnoException];
      assert.equal(error.code, code);
    }
  });

  it('fetched with curl: small, large, posted, on one connection', async function () {
    needsProgram(this, 'curl');
    const port = await startHttp();
    const base = `https://localhost:${port}`;
    const common = [
      '--silent',
      '--show-error',
      '--cacert',
      certificates().ca.certFile,
      '--resolve',
      `localhost:${port}:127.0.0.1`,
    ];
    const small = new Child('curl', [...common, '--verbose', `${base}/one`, `${base}/two`]);
    assert.equal((await within(small.exited, 'curl')).code, 0, small.output);
    assert.match(small.output, /you asked for \/one\n/);
    assert.match(small.output, /you asked for \/two\n/);
    assert.match(small.output, /Re-using existing connection/i);
    const sized = new Child('curl', [
      ...common,
      '--output',
      '/dev/null',
      '--write-out',
      '%{http_code} %{size_download}',
      `${base}/large`,
    ]);
    assert.equal((await within(sized.exited, 'curl')).code, 0, sized.output);
    assert.equal(sized.output, `200 ${large.length}`);
    const posted = new Child('curl', [...common, '--data-binary', `@${certificates().ca.certFile}`, base]);
    assert.equal((await within(posted.exited, 'curl')).code, 0, posted.output);
    assert.equal(posted.output, sha256(Buffer.from(certificates().ca.cert)));
  });

  it('plain HTTP by curl is refused, and the server goes on', async function () {
    needsProgram(this, 'curl');
    const port = await startHttp();
    const plain = new Child('curl', ['--silent', `http://127.0.0.1:${port}/`]);
    assert.notEqual((await within(plain.exited, 'curl')).code, 0);
    const good = new Child('curl', ['--silent', '--insecure', `https://127.0.0.1:${port}/x`]);
    assert.equal((await within(good.exited, 'curl')).code, 0);
    assert.match(good.output, /you asked for \/x/);
  });

  it('100 requests of node’s https, keep-alive, 10 at a time', async () => {
    const port = await startHttp();
    const agent = new https.Agent({
      keepAlive: true,
      maxSockets: 10,
      ca: certificates().ca.cert,
      servername: 'localhost',
    });
    try {
      const bodies = await within(
        Promise.all(
          Array.from({ length: 100 }, (_, i) => {
            return new Promise<string>((resolve, reject) => {
              https
                .get({ host: '127.0.0.1', port, path: `/${i}`, agent }, response => {
                  buffer(response).then(body => resolve(String(body)), reject);
                })
                .on('error', reject);
            });
          }),
        ),
        'all answers',
      );
      assert.deepEqual(
        bodies,
        bodies.map((_, i) => `you asked for /${i}\n`),
      );
    } finally {
      agent.destroy();
    }
  });
});
