// What the functions of a client decide, as nginx meets it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type CertificateRequest,
  type ConnectOptions,
  type CredentialOptions,
  type OnCertificate,
  type OnStatus,
  SslContext,
  type SslSession,
  type TlsSocket,
} from 'system-tls';
import { ways } from '../../support/answers.ts';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity, issue } from '../../support/certificates.ts';
import { rejected } from '../../support/errors.ts';
import { versions } from '../../support/memory-pair.ts';
import { alerted, alerts, hasNginxModule, nginx } from '../../support/nginx.ts';
import { ocspResponse } from '../../support/ocsp.ts';
import type { Listening } from '../../support/peers.ts';
import { collect, connectTo } from '../../support/sockets.ts';
import { deferred, sleep, within } from '../../support/wait.ts';

type Choose = OnCertificate<CredentialOptions>;

const identity = ({ cert, key }: Identity) => ({ cert, key });

interface Block {
  readonly name: string;
  readonly identity: Identity;
  /** Further directives. */
  readonly more?: readonly string[];
}

/** Each server says what it knows of its connection. */
const variables = ['name=$server_name', 'sni=$ssl_server_name', 'version=$ssl_protocol', 'alpn=$ssl_alpn_protocol'];
const sayings = [...variables, 'client=$ssl_client_s_dn', 'verified=$ssl_client_verify', 'reused=$ssl_session_reused'];

/** Server blocks on one port; the first is the default. */
const nginxServer = (blocks: readonly Block[], listen = ''): Promise<Listening> =>
  nginx(port =>
    blocks
      .map(({ name, identity: { certFile, keyFile }, more = [] }) =>
        [
          'server {',
          `listen 127.0.0.1:${port} ssl ${listen};`,
          `server_name ${name};`,
          `ssl_certificate ${certFile};`,
          `ssl_certificate_key ${keyFile};`,
          'ssl_protocols TLSv1.2 TLSv1.3;',
          ...more,
          `location / { return 200 "${sayings.join('\\n')}\\n"; }`,
          '}',
        ].join('\n'),
      )
      .join('\n'),
  );

/** What nginx says of the connection, by name. */
async function said(socket: TlsSocket): Promise<{ status: number; [name: string]: string | number | undefined }> {
  socket.write(`GET / HTTP/1.0\r\nhost: ${socket.ssl.servername ?? 'localhost'}\r\n\r\n`);
  const text = String(await within(collect(socket), 'the response of nginx'));
  const known = [...text.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1]), ...Object.fromEntries(known) };
}

/** A promise, and a function that asks and waits for it. */
function held<T>() {
  const [asked, answer] = [deferred<void>(), deferred<T>()];
  const call = () => {
    asked.resolve();
    return answer.promise;
  };
  return { call, asked: asked.promise, answer: answer.resolve };
}

/** The peer is gone while the function of the client has not answered; then it does. */
async function leftAlone<T>(
  { peer, port }: Listening,
  answer: T,
  options: (call: () => Promise<T>) => Partial<ConnectOptions>,
): Promise<void> {
  const waiting = held<T>();
  const connecting = connectTo(port, options(waiting.call));
  connecting.catch(() => {});
  await within(waiting.asked, 'the question');
  await peer.stop();
  waiting.answer(answer);
  // In TLS 1.3 all that a client waits for may have arrived before.
  const ended = connecting.then(socket => once(socket.resume(), 'close').then(() => Promise.reject(socket.errored)));
  await rejected(ended, /^E/);
}

const block = (more: readonly string[] = []): Block => ({ name: 'localhost', identity: certificates().server, more });

/** Requires a certificate of the CA, and names another beside it. */
function verifying(): readonly string[] {
  const { folder, ca, otherCa } = certificates();
  const both = join(folder, 'nginx-authorities.pem');
  writeFileSync(both, ca.cert + otherCa.cert);
  return ['ssl_verify_client on;', `ssl_client_certificate ${both};`];
}

const stapling = (file: string): readonly string[] => ['ssl_stapling on;', `ssl_stapling_file ${file};`];

describe('nginx as the server of a client with functions', () => {
  before(function () {
    needsProgram(this, 'nginx');
  });

  for (const [version, both] of versions) {
    it(`${version}: shows the certificate of the block that has the name`, async () => {
      const other = issue('nginx-other', { subject: '/CN=other', names: 'DNS:other.example' });
      const { port } = await nginxServer([block(), { name: 'other.example', identity: other }]);
      for (const [servername, subject] of [
        ['localhost', 'CN=localhost'],
        ['other.example', 'CN=other'],
      ] as const) {
        const socket = await connectTo(port, { ...both, servername });
        assert.equal(socket.ssl.peerCertificate?.subject, subject);
        const { name, sni, version: spoken } = await said(socket);
        assert.deepEqual([name, sni, spoken], [servername, servername, version]);
      }
    });

    it(`${version}: agrees on a protocol that a connection offers instead of its context's, or refuses it`, async function () {
      needs(this, hasNginxModule('http_v2'), 'nginx without http_v2');
      const { peer, port } = await nginxServer([block()], 'http2');
      const secureContext = new SslContext({ ...both, ca: certificates().ca.cert, ALPNProtocols: ['h2'] });
      assert.equal((await connectTo(port, { secureContext })).ssl.alpnProtocol, 'h2');
      const socket = await connectTo(port, { secureContext, ALPNProtocols: ['http/1.1', 'other'] });
      assert.equal(socket.ssl.alpnProtocol, 'http/1.1');
      assert.equal((await said(socket))['alpn'], 'http/1.1');
      await rejected(connectTo(port, { secureContext, ALPNProtocols: ['other'] }), /NO_APPLICATION_PROTOCOL/);
      await peer.printed(/no application protocol/);
    });

    for (const [how, by] of ways) {
      it(`${version}, ${how}: gets the certificate that onCertificate chooses by its authorities`, async () => {
        const { peer, port } = await nginxServer([block(verifying())]);
        const requests: CertificateRequest[] = [];
        const answer = by<CredentialOptions>(identity(certificates().client));
        const onCertificate: Choose = request => {
          requests.push(request);
          return answer();
        };
        const { status, client, verified } = await said(await connectTo(port, { ...both, onCertificate }));
        assert.deepEqual([status, client, verified], [200, 'CN=client', 'SUCCESS'], peer.output);
        assert.equal(requests.length, 1);
        const { authorities, signatureAlgorithms, certificateTypes } = requests[0] as CertificateRequest;
        assert.deepEqual([...authorities].sort(), ['CN=Other CA', 'CN=Test CA']);
        assert.ok(signatureAlgorithms.includes('ecdsa_secp256r1_sha256'));
        assert.equal(certificateTypes.includes('ecdsa_sign'), version === 'TLSv1.2');
      });

      it(`${version}, ${how}: gets the OCSP response that it staples accepted, refused or read afterwards`, async () => {
        const { der, file } = ocspResponse(certificates().server);
        const { peer, port } = await nginxServer([block(stapling(file))]);
        const seen: Array<Buffer | null> = [];
        const judge =
          (good: boolean): OnStatus =>
          response => {
            seen.push(response);
            return by(good)();
          };
        assert.equal((await said(await connectTo(port, { ...both, onStatus: judge(true) }))).status, 200);
        await rejected(connectTo(port, { ...both, onStatus: judge(false) }), /INVALID_STATUS_RESPONSE/);
        await alerted(peer, alerts.badStatusResponse);
        assert.deepEqual(seen, [der, der]);
        assert.deepEqual((await connectTo(port, { ...both, requestOCSP: true })).ssl.ocspResponse, der);
      });
    }

    it(`${version}: that requires a certificate refuses who has none, or one that it does not trust`, async () => {
      const { port } = await nginxServer([block(verifying())]);
      for (const answer of [null, identity(certificates().selfSigned)]) {
        const socket = await connectTo(port, { ...both, onCertificate: () => sleep(1, answer) });
        // It says so by HTTP.
        assert.equal((await said(socket)).status, 400);
      }
    });

    it(`${version}: that staples nothing has null judged`, async () => {
      const { port } = await nginxServer([block()]);
      const seen: Array<Buffer | null> = [];
      const onStatus: OnStatus = async response => {
        seen.push(response);
        return true;
      };
      assert.equal((await said(await connectTo(port, { ...both, onStatus }))).status, 200);
      assert.deepEqual(seen, [null]);
    });

    it(`${version}: hears an alert where a function throws`, async () => {
      const { file } = ocspResponse(certificates().server);
      const fails = () => {
        throw new Error('on purpose');
      };
      for (const [more, options, code] of [
        [verifying(), { onCertificate: fails }, 'ERR_TLS_CERTIFICATE_CALLBACK'],
        [stapling(file), { onStatus: fails }, 'ERR_TLS_STATUS_CALLBACK'],
      ] as const) {
        const { peer, port } = await nginxServer([block(more)]);
        const error = await rejected(connectTo(port, { ...both, ...options }), code);
        assert.equal((error.cause as Error).message, 'on purpose');
        await alerted(peer, alerts.internalError);
      }
    });

    it(`${version}: that is gone before a function has answered is an error`, async () => {
      const { file } = ocspResponse(certificates().server);
      await leftAlone<CredentialOptions>(
        await nginxServer([block(verifying())]),
        identity(certificates().client),
        onCertificate => ({ ...both, onCertificate }),
      );
      await leftAlone(await nginxServer([block(stapling(file))]), true, onStatus => ({ ...both, onStatus }));
    });

    it(`${version}: resumes, and asks for neither certificate nor judgement again`, async () => {
      const { file } = ocspResponse(certificates().server);
      const { port } = await nginxServer([block([...verifying(), ...stapling(file)])]);
      const asked: string[] = [];
      const sessions: SslSession[] = [];
      const options: Partial<ConnectOptions> = {
        ...both,
        on: { session: session => void sessions.push(session) },
        onCertificate: () => {
          asked.push('certificate');
          return sleep(1, identity(certificates().client));
        },
        onStatus: () => {
          asked.push('status');
          return sleep(1, true);
        },
      };
      assert.equal((await said(await connectTo(port, options)))['reused'], '.');
      const second = await connectTo(port, { ...options, session: sessions.at(-1) });
      assert.equal(second.ssl.sessionReused, true);
      const { reused, client } = await said(second);
      assert.deepEqual([reused, client], ['r', 'CN=client']);
      assert.deepEqual(asked.sort(), ['certificate', 'status']);
    });
  }
});
