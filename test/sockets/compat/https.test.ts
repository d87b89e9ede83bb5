// system-tls/https and system-tls/http2 against node's own, curl, and each other.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientRequest, IncomingMessage, RequestListener } from 'node:http';
import nodeHttp2, { type ServerHttp2Stream } from 'node:http2';
import nodeHttps from 'node:https';
import { buffer, text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { inherits } from 'node:util';
import '../../support/drop-in-threads.ts';
import http2 from 'system-tls/http2';
import https from 'system-tls/https';
import { pattern, sha256 } from '../../support/bytes.ts';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child, nodeScript } from '../../support/child.ts';
import { endLater, isOurs, listening, toServer } from '../../support/drop-in.ts';
import { within } from '../../support/wait.ts';

const large = pattern(4 << 20);

const answer: RequestListener = async (request, response) => {
  if (request.url === '/large') response.end(large);
  else if (request.method === 'POST') response.end(sha256(await buffer(request)));
  else response.end(`${request.httpVersion} ${isOurs(request.socket as TLSSocket)}`);
};

const identity = () => {
  const { cert, key } = certificates().server;
  return { cert, key };
};

/** Each answer waits for the callback of its second write, which throws. */
const throwing = `
  import { readFileSync } from 'node:fs';
  import { text } from 'node:stream/consumers';
  import http2 from 'system-tls/http2';
  const [cert, key, ca] = process.argv.slice(1, 4).map(file => readFileSync(file));
  process.on('uncaughtException', error => console.log(error.message));
  const server = http2.createSecureServer({ cert, key });
  server.on('stream', stream => {
    stream.respond();
    stream.write('a', () => setImmediate(() => stream.write('b', () => {
      stream.end('c');
      throw new Error('caught');
    })));
  });
  server.listen(0, '127.0.0.1', async () => {
    const session = http2.connect('https://127.0.0.1:' + server.address().port, { ca, servername: 'localhost' });
    for (const round of [1, 2]) console.log(await text(session.request({ ':path': '/' })));
    session.close();
    server.close();
  });
`;

async function responseOf(request: ClientRequest): Promise<IncomingMessage> {
  return (await within(once(request, 'response'), 'the response'))[0] as IncomingMessage;
}

describe('system-tls/https', () => {
  it('serves node:https and itself, with kept connections and large bodies', async () => {
    const port = await listening(https.createServer(identity(), answer));
    for (const [client, made] of [
      [https, new https.Agent({ keepAlive: true })],
      [nodeHttps, new nodeHttps.Agent({ keepAlive: true })],
    ] as const) {
      endLater(() => made.destroy());
      const sockets = new Set<unknown>();
      for (let round = 0; round < 3; round++) {
        const request = client.get({ ...toServer(port), agent: made }).once('socket', socket => sockets.add(socket));
        assert.equal(await text(await responseOf(request)), '1.1 true');
      }
      assert.equal(sockets.size, 1);
      assert.equal(isOurs([...sockets][0] as TLSSocket), client === https);
      const down = await responseOf(client.get({ ...toServer(port), agent: made, path: '/large' }));
      assert.equal(sha256(await buffer(down)), sha256(large));
      const up = client.request({ ...toServer(port), agent: made, method: 'POST' });
      up.end(large);
      assert.equal(await text(await responseOf(up)), sha256(large));
    }
  });

  it('an Agent is made, and inherited from, in each way of node', async () => {
    const port = await listening(https.createServer(identity(), answer));
    const call = https.Agent as unknown as (this: unknown, options: object) => nodeHttps.Agent;
    function Old(this: unknown) {
      call.call(this, { keepAlive: true });
    }
    inherits(Old, https.Agent);
    class New extends https.Agent {}
    for (const agent of [
      new https.Agent({ keepAlive: true }),
      call.call(undefined, { keepAlive: true }),
      new (Old as unknown as new () => nodeHttps.Agent)(),
      new New({ keepAlive: true }),
    ]) {
      endLater(() => agent.destroy());
      assert.ok(agent instanceof https.Agent && agent instanceof nodeHttps.Agent);
      assert.equal((agent as unknown as { keepAlive: boolean }).keepAlive, true);
      const request = nodeHttps.get({ ...toServer(port), agent });
      const socket = once(request, 'socket');
      assert.equal(await text(await responseOf(request)), '1.1 true');
      assert.equal(isOurs((await socket)[0] as TLSSocket), true);
    }
    assert.equal(https.Agent.name, 'Agent');
    assert.ok(!(new nodeHttps.Agent() instanceof https.Agent));
  });

  it('request() and get() take all forms, with the agent of the caller, none, or its own', async () => {
    const port = await listening(https.createServer(identity(), answer));
    const { ca, servername } = toServer(port);
    const url = `https://127.0.0.1:${port}/`;
    const options = { ca, servername };
    endLater(() => https.globalAgent.destroy());
    const forms: (() => ClientRequest)[] = [
      () => https.get(url, options),
      () => https.get(new URL(url), options, () => {}),
      () => https.get({ ...toServer(port), agent: false }),
      () => https.request({ ...toServer(port) }, () => {}).end(),
    ];
    for (const form of forms) {
      const request = form();
      const socket = once(request, 'socket');
      assert.equal(await text(await responseOf(request)), '1.1 true');
      assert.equal(isOurs((await socket)[0] as TLSSocket), true);
    }
    const nodes = new nodeHttps.Agent();
    const request = https.get({ ...toServer(port), agent: nodes });
    const [socket] = await once(request, 'socket');
    assert.equal(await text(await responseOf(request)), '1.1 true');
    assert.equal(isOurs(socket as TLSSocket), false);
  });

  it('a server that is not trusted is an error of the request', async () => {
    const port = await listening(https.createServer(identity(), answer));
    const { ca: _, ...untrusted } = toServer(port);
    const request = https.get({ ...untrusted, ca: certificates().otherCa.cert, agent: false });
    const [error] = (await within(once(request, 'error'), 'error')) as [NodeJS.ErrnoException];
    assert.match(String(error.code), /^UNABLE_TO_/);
  });
});

describe('system-tls/http2', () => {
  it('serves node:http2 and itself, and tells what the session is', async () => {
    const server = http2.createSecureServer(identity(), answer as never);
    const port = await listening(server);
    for (const client of [http2, nodeHttp2]) {
      const session = client.connect(`https://127.0.0.1:${port}`, toServer(port));
      endLater(() => session.destroy());
      const get = (path: string, method = 'GET') => session.request({ ':path': path, ':method': method });
      assert.equal(await text(get('/')), '2.0 true');
      assert.equal(session.encrypted, true);
      assert.equal(session.alpnProtocol, 'h2');
      assert.equal(session.socket.remotePort, port);
      assert.equal(sha256(await buffer(get('/large'))), sha256(large));
      const up = get('/', 'POST');
      up.end(large);
      assert.equal(await text(up), sha256(large));
    }
  });

  it('serves HTTP/1.1 on the same port', async function () {
    const server = http2.createSecureServer({ ...identity(), allowHTTP1: true }, answer as never);
    const port = await listening(server);
    const h1 = { ALPNProtocols: ['http/1.1'] } as object;
    const old = https.get({ ...toServer(port), ...h1, agent: false });
    assert.equal(await text(await responseOf(old)), '1.1 true');
    const none = nodeHttps.get({ ...toServer(port), agent: false });
    assert.equal(await text(await responseOf(none)), '1.1 true');
    needsProgram(this, 'curl');
    for (const [flag, version] of [
      ['--http2', '2.0'],
      ['--http1.1', '1.1'],
    ] as const) {
      const { certFile } = certificates().ca;
      const resolve = ['--resolve', `localhost:${port}:127.0.0.1`];
      const curl = new Child('curl', ['-sS', flag, '--cacert', certFile, ...resolve, `https://localhost:${port}/`]);
      assert.deepEqual(await within(curl.exited, 'curl'), { code: 0, signal: null }, curl.output);
      assert.equal(curl.output, `${version} true`);
    }
  });

  it('gives back bodies both ways at once, through windows that hold more than sockets do', async () => {
    const settings = { initialWindowSize: 1 << 29 };
    const limits = { settings, maxSessionMemory: 1000 };
    const server = http2.createSecureServer({ ...identity(), ...limits });
    server.on('session', session => session.once('remoteSettings', () => session.setLocalWindowSize(1 << 29)));
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.respond();
      stream.pipe(stream);
    });
    const port = await listening(server);
    // A session of Node's own does not read as long as it writes: two of them stop each other with more than sockets hold.
    for (const [client, most] of [
      [http2, large],
      [nodeHttp2, large.subarray(0, 100_000)],
    ] as const) {
      const session = client.connect(`https://127.0.0.1:${port}`, { ...toServer(port), ...limits });
      endLater(() => session.destroy());
      await within(once(session, 'remoteSettings'), 'settings');
      session.setLocalWindowSize(1 << 29);
      const bodies = await Promise.all(
        [most, most.subarray(1), pattern(10), Buffer.alloc(0)].map(async body => {
          const stream = session.request({ ':path': '/', ':method': 'POST' });
          stream.end(body);
          return [sha256(body), sha256(await within(buffer(stream), 'the body'))];
        }),
      );
      for (const [sent, received] of bodies) assert.equal(received, sent);
    }
  });

  it('a callback of a write that throws is an uncaught exception, and neither its session nor the process ends', async () => {
    const { server, ca } = certificates();
    const child = nodeScript(throwing, { args: [server.certFile, server.keyFile, ca.certFile], env: process.env });
    assert.deepEqual(await within(child.exited, 'the script'), { code: 0, signal: null }, child.output);
    assert.equal(child.output.trim(), 'caught\nabc\ncaught\nabc');
  });

  it('a session whose socket is destroyed in the middle of a body ends, and the server lives on', async () => {
    const server = http2.createSecureServer(identity(), answer as never);
    server.on('sessionError', () => {});
    const port = await listening(server);
    const session = http2.connect(`https://127.0.0.1:${port}`, toServer(port)).on('error', () => {});
    const stream = session.request({ ':path': '/large' }).on('error', () => {});
    await within(once(stream, 'data'), 'data');
    session.destroy();
    await within(once(session, 'close'), 'close');
    const again = http2.connect(`https://127.0.0.1:${port}`, toServer(port));
    endLater(() => again.destroy());
    assert.equal(await text(again.request({ ':path': '/' })), '2.0 true');
  });
});
