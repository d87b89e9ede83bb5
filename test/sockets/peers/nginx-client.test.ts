// What the functions of a server decide, as nginx meets it: a reverse proxy is the client of a server of ours.
import assert from 'node:assert/strict';
import net from 'node:net';
import {
  type ClientHello,
  ja4,
  type OpenSslError,
  type ServerOptions,
  SslContext,
  TicketKeyRing,
  type TlsSocket,
} from 'system-tls';
import { ways } from '../../support/answers.ts';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity, issue } from '../../support/certificates.ts';
import { versions } from '../../support/memory-pair.ts';
import { alerted, alerts, ask, hasNginxModule, nginx } from '../../support/nginx.ts';
import type { Listening } from '../../support/peers.ts';
import { type Running, startServer } from '../../support/sockets.ts';
import { deferred, sleep, until, within } from '../../support/wait.ts';

const identity = ({ cert, key }: Identity) => ({ cert, key });
const named = (name: string) => issue(`nginx-${name}`, { subject: `/CN=${name}`, names: `DNS:${name}.example` });

/** OpenSSL's names, of what nginx offers. */
const ciphers = ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES256-GCM-SHA384'];
const numbersOfCiphers = [0xc02b, 0xc030];

/** What a location for each of these names says to nginx: /a leads to `upstream` under the name a.example. */
function locations(version: string, upstream: number, names: readonly string[], more: readonly string[]): string {
  const common = [
    `proxy_ssl_protocols ${version};`,
    `proxy_ssl_ciphers ${ciphers.join(':')};`,
    'proxy_ssl_server_name on;',
    'proxy_ssl_verify on;',
    `proxy_ssl_trusted_certificate ${certificates().ca.certFile};`,
    ...more,
  ];
  return names
    .map(name =>
      [
        `location /${name} {`,
        `proxy_pass https://127.0.0.1:${upstream};`,
        `proxy_ssl_name ${name}.example;`,
        ...common,
        '}',
      ].join('\n'),
    )
    .join('\n');
}

/** Sends each request to the server of ours, in a connection of its own. */
const proxy = (
  version: string,
  upstream: number,
  names: readonly string[],
  more: readonly string[] = [],
): Promise<Listening> =>
  nginx(port => `server {\nlisten 127.0.0.1:${port};\n${locations(version, upstream, names, more)}\n}`);

/** Says to the client of nginx who it is. */
function answer(socket: TlsSocket): void {
  const { certificate, sessionReused } = socket.ssl;
  socket.once('data', () => socket.end(`HTTP/1.0 200 OK\r\n\r\n${certificate?.subject}, ${sessionReused}`));
}

function heard({ server }: Running): OpenSslError[] {
  const errors: OpenSslError[] = [];
  server.on('tlsClientError', error => errors.push(error as OpenSslError));
  return errors;
}

const forwarders = new Set<net.Server>();

/** The port of what leads to `target`, which may change: nginx keeps the sessions of one address. */
async function forwarder(target: { readonly port: number }): Promise<number> {
  const server = net.createServer(near => {
    const far = net.connect(target.port, '127.0.0.1');
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) socket.on('error', () => socket.destroy());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  forwarders.add(server);
  return (server.address() as net.AddressInfo).port;
}

describe('nginx as the client of a server with functions', () => {
  before(function () {
    needsProgram(this, 'nginx');
  });

  afterEach(() => {
    for (const server of forwarders) server.close();
    forwarders.clear();
  });

  for (const [version, both] of versions) {
    for (const [how, by] of ways) {
      it(`${version}, ${how}: is shown by its hello, and gets the certificate that onCertificate chooses`, async () => {
        const identities = { 'a.example': identity(named('a')), 'b.example': identity(named('b')) };
        const hellos: ClientHello[] = [];
        const options: ServerOptions = {
          ...both,
          onClientHello: hello => {
            hellos.push(hello);
            return by(null)();
          },
          onCertificate: ({ servername }) => by(identities[servername as keyof typeof identities])(),
          onALPN: () => assert.fail('nginx offers none to an upstream server'),
        };
        const { port } = await startServer(options, answer);
        const { port: front, peer } = await proxy(version, port, ['a', 'b'], ['proxy_ssl_session_reuse off;']);
        for (const name of ['a', 'b']) {
          assert.deepEqual(await ask(front, `/${name}`), { status: 200, body: `CN=${name}, false` }, peer.output);
        }
        assert.deepEqual(
          hellos.map(({ serverName }) => serverName),
          ['a.example', 'b.example'],
        );
        const [hello] = hellos as [ClientHello];
        if (version === 'TLSv1.2') assert.deepEqual(hello.ciphers.slice(0, 2), numbersOfCiphers);
        assert.equal(hello.supportedVersions.includes(0x0304), version === 'TLSv1.3');
        assert.equal(new Set(hellos.map(ja4)).size, 1, 'it is one client');
      });

      it(`${version}, ${how}: gets the context that onServerName gives, or the one of its name`, async () => {
        const [a, b] = [named('a'), named('b')].map(each => new SslContext(identity(each)));
        const asked: string[] = [];
        const options: ServerOptions = {
          ...both,
          serverNames: { 'a.example': a as SslContext },
          onServerName: servername => {
            asked.push(servername);
            return by(b)();
          },
        };
        const { port } = await startServer(options, answer);
        const { port: front } = await proxy(version, port, ['a', 'b']);
        for (const name of ['a', 'b']) assert.equal((await ask(front, `/${name}`)).body, `CN=${name}, false`);
        assert.ok(asked.includes('b.example'), String(asked));
      });

      it(`${version}, ${how}: shows its certificate to verify, which may refuse it`, async () => {
        const { client } = certificates();
        let good = true;
        const seen: Array<string | undefined> = [];
        const options: ServerOptions = {
          ...{ ...both, ...identity(named('a')), requestCert: true, ca: certificates().ca.cert },
          verify: ({ chain }) => {
            seen.push(chain[0]?.subject);
            return by(good)();
          },
        };
        const { port } = await startServer(options, answer);
        const { peer, port: front } = await proxy(
          version,
          port,
          ['a'],
          [
            `proxy_ssl_certificate ${client.certFile};`,
            `proxy_ssl_certificate_key ${client.keyFile};`,
            'proxy_ssl_session_reuse off;',
          ],
        );
        assert.equal((await ask(front, '/a')).status, 200);
        good = false;
        assert.equal((await ask(front, '/a')).status, 502);
        await alerted(peer, alerts.handshakeFailure);
        assert.deepEqual(seen, ['CN=client', 'CN=client']);
      });

      it(`${version}, ${how}: resumes what onResumeSession finds, on another server too`, async () => {
        const store = new Map<string, Buffer>();
        const asked: string[] = [];
        const options: ServerOptions = {
          ...{ ...both, ...identity(named('a')) },
          onNewSession: (id, session) => store.set(id.toString('hex'), session),
          onResumeSession: id => {
            asked.push(id.toString('hex'));
            return by(store.get(id.toString('hex')))();
          },
        };
        const [first, second] = [await startServer(options, answer), await startServer(options, answer)];
        const target = { port: first.port };
        const { port: front } = await proxy(version, await forwarder(target), ['a']);
        assert.equal((await ask(front, '/a')).body, 'CN=a, false');
        assert.equal((await ask(front, '/a')).body, 'CN=a, true');
        target.port = second.port;
        assert.equal((await ask(front, '/a')).body, 'CN=a, true');
        assert.ok(asked.length >= 2);
        store.clear();
        assert.equal((await ask(front, '/a')).body, 'CN=a, false');
      });
    }

    it(`${version}: resumes by tickets of one TicketKeyRing on any server, and not by those of another`, async () => {
      const servers = [1, 1, 2].map(secret =>
        startServer(
          { ...both, ...identity(named('a')), ticketKeys: new TicketKeyRing({ secret: Buffer.alloc(32, secret) }) },
          answer,
        ),
      );
      const [first, second, stranger] = (await Promise.all(servers)) as [Running, Running, Running];
      const target = { port: first.port };
      const { port: front } = await proxy(version, await forwarder(target), ['a']);
      for (const [{ port }, reused] of [
        [first, false],
        [first, true],
        [second, true],
        [stranger, false],
        [stranger, true],
        [second, false],
      ] as const) {
        target.port = port;
        assert.equal((await ask(front, '/a')).body, `CN=a, ${reused}`);
      }
    });

    it(`${version}: offers h2 to a gRPC server, where onALPN decides`, async function () {
      needs(this, hasNginxModule('http_v2'), 'nginx without http_v2');
      const offered: Array<readonly string[]> = [];
      const words = deferred<string>();
      const running = await startServer(
        {
          ...both,
          onALPN: async ({ protocols }) => {
            offered.push(protocols);
            return protocols[0];
          },
        },
        socket => {
          socket.once('data', data => {
            words.resolve(`${socket.ssl.alpnProtocol}: ${data}`);
            socket.destroy();
          });
        },
      );
      const grpc = [`grpc_pass grpcs://127.0.0.1:${running.port};`, `grpc_ssl_protocols ${version};`];
      const { port } = await nginx(own => `server {\nlisten 127.0.0.1:${own};\nlocation / {\n${grpc.join('\n')}\n}\n}`);
      assert.equal((await ask(port)).status, 502);
      assert.match(await within(words.promise, 'its first words'), /^h2: PRI \* HTTP\/2\.0/);
      assert.deepEqual(offered, [['h2']]);
    });

    it(`${version}: hears the alert of a function that refuses or throws, and its next request is served`, async () => {
      let decide: () => unknown = () => null;
      const call = () => decide() as never;
      const fails = () => {
        throw new Error('on purpose');
      };
      for (const [options, refuses, alert, code] of [
        [{ onClientHello: call }, () => ({ alert: 'access_denied' }), alerts.accessDenied, 'ERR_SSL_CALLBACK_FAILED'],
        [{ onClientHello: call }, fails, alerts.internalError, 'ERR_TLS_CLIENT_HELLO_CALLBACK'],
        [{ onServerName: call }, fails, alerts.internalError, 'ERR_TLS_SERVER_NAME_CALLBACK'],
        [{ onCertificate: call }, () => sleep(1).then(fails), alerts.internalError, 'ERR_TLS_CERTIFICATE_CALLBACK'],
      ] as const) {
        decide = () => null;
        const running = await startServer({ ...both, ...identity(named('a')), ...options }, answer);
        const errors = heard(running);
        const { peer, port } = await proxy(version, running.port, ['a']);
        decide = refuses;
        assert.equal((await ask(port, '/a')).status, 502);
        await alerted(peer, alert);
        await until(() => errors.length === 1, 'the server to hear of it');
        assert.equal(errors[0]?.code, code, errors[0]?.stack);
        decide = () => null;
        assert.equal((await ask(port, '/a')).status, 200);
        assert.equal(errors.length, 1);
      }
    });

    it(`${version}: leaves before a function has answered, which then answers nobody`, async () => {
      for (const name of ['onClientHello', 'onServerName', 'onCertificate'] as const) {
        const questions: Array<() => void> = [];
        const call = () => new Promise<null>(resolve => questions.push(() => resolve(null)));
        const running = await startServer({ ...both, ...identity(named('a')), [name]: call }, answer);
        const errors = heard(running);
        const { peer, port } = await proxy(version, running.port, ['a']);
        const leaves = new AbortController();
        const asking = ask(port, '/a', leaves.signal);
        await until(() => questions.length === 1, 'the question');
        // nginx ends its own connection when its client is gone.
        leaves.abort();
        await assert.rejects(asking);
        await peer.printed(/so upstream connection is closed too/);
        questions[0]?.();
        await until(() => errors.length === 1, 'the server to hear of it');
        const next = ask(port, '/a');
        await until(() => questions.length === 2, 'the next question');
        questions[1]?.();
        assert.equal((await next).status, 200);
        assert.equal(errors.length, 1, name);
      }
    });
  }
});
