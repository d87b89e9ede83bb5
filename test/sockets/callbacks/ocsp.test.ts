// OCSP stapling: onStatusRequest of a server, requestOCSP, onStatus and ocspResponse of a client.
import assert from 'node:assert/strict';
import { constants } from 'node:crypto';
import { once } from 'node:events';
import tls from 'node:tls';
import type { OnStatusRequest, OpenSslError, ServerOptions, StatusRequest, TlsSocket } from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity } from '../../support/certificates.ts';
import { causeCode, rejected } from '../../support/errors.ts';
import { tls12, tls13, versions } from '../../support/memory-pair.ts';
import { formOfResponse, ocspResponse } from '../../support/ocsp.ts';
import { gnutlsClient, opensslClient, opensslServer } from '../../support/peers.ts';
import { connectTo, type Running, socketPair, startServer } from '../../support/sockets.ts';
import { sleep, until, within } from '../../support/wait.ts';

const identity = ({ cert, key }: Identity) => ({ cert, key });
const response = formOfResponse;

function heard(running: Running): OpenSslError[] {
  const errors: OpenSslError[] = [];
  running.server.on('tlsClientError', error => errors.push(error as OpenSslError));
  return errors;
}

/** What a client gets: its accessor, and what the function is shown. */
async function stapled(running: Running, options = {}): Promise<{ socket: TlsSocket; shown: Array<Buffer | null> }> {
  const shown: Array<Buffer | null> = [];
  const onStatus = (found: Buffer | null) => {
    shown.push(found);
    return true;
  };
  return { socket: await connectTo(running.port, { ...options, onStatus }), shown };
}

describe('onStatusRequest', () => {
  for (const [version, both] of versions) {
    it(`${version}: staples what it gives, at once or later, for the certificate that it is shown`, async () => {
      for (const later of [false, true]) {
        const requests: StatusRequest[] = [];
        const onStatusRequest: OnStatusRequest = request => {
          requests.push(request);
          return later ? sleep(3, response()) : new Uint8Array(response());
        };
        const { cert, key } = certificates().deepServer;
        const running = await startServer({ cert, key, ...both, onStatusRequest });
        const { socket, shown } = await stapled(running, both);
        assert.deepEqual([shown, socket.ssl.ocspResponse], [[response()], response()]);
        const [request] = requests;
        assert.equal(requests.length, 1);
        assert.equal(request?.certificate.subject, 'CN=localhost');
        assert.equal(request.issuer?.subject, 'CN=Intermediate CA');
        assert.equal(request.ssl.side, 'server');
        assert.equal((await running.next()).ssl.ocspResponse, null);
      }
    });

    it(`${version}: is not asked by a client that does not ask`, async () => {
      const { client } = await socketPair({ ...both, onStatusRequest: () => assert.fail('asked') }, both);
      assert.equal(client.ssl.ocspResponse, null);
      const declined = await socketPair(
        { ...both, onStatusRequest: () => assert.fail('asked') },
        { ...both, onStatus: () => assert.fail('asked'), requestOCSP: false },
      );
      assert.equal(declined.client.ssl.ocspResponse, null);
    });

    it(`${version}: nothing, or nothing in it, staples none`, async () => {
      for (const nothing of [undefined, null, Buffer.alloc(0)]) {
        const running = await startServer({ ...both, onStatusRequest: () => sleep(1, nothing) });
        const { socket, shown } = await stapled(running, both);
        assert.deepEqual([shown, socket.ssl.ocspResponse], [[null], null]);
      }
    });

    it(`${version}: of two certificates, each has a response of its own, and that of the one that is sent crosses`, async () => {
      const { server, serverRsa } = certificates();
      const seen: string[] = [];
      const onStatusRequest: OnStatusRequest = async ({ certificate, issuer }) => {
        const type = certificate.publicKey.asymmetricKeyType ?? '';
        seen.push(`${type} ${issuer?.subject ?? 'unknown'}`);
        await sleep(2);
        return response(type);
      };
      const running = await startServer({
        ...{ cert: [server.cert, serverRsa.cert], key: [server.key, serverRsa.key] },
        ...both,
        onStatusRequest,
      });
      for (const [sigalgs, type] of [
        ['ecdsa_secp256r1_sha256', 'ec'],
        ['rsa_pss_rsae_sha256:rsa_pkcs1_sha256', 'rsa'],
      ] as const) {
        const { socket } = await stapled(running, { ...both, sigalgs });
        assert.equal(socket.ssl.peerCertificate?.publicKey.asymmetricKeyType, type);
        assert.deepEqual(socket.ssl.ocspResponse, response(type));
      }
      assert.deepEqual(
        seen
          .slice(0, 2)
          .map(each => each.split(' ')[0])
          .sort(),
        ['ec', 'rsa'],
      );
    });

    it(`${version}: only one of two certificates has a response: it crosses with its own alone`, async () => {
      const { server, serverRsa } = certificates();
      const running = await startServer({
        ...{ cert: [server.cert, serverRsa.cert], key: [server.key, serverRsa.key] },
        ...both,
        onStatusRequest: ({ certificate }) => (certificate.publicKey.asymmetricKeyType === 'rsa' ? response() : null),
      });
      const met = async (sigalgs: string) => (await stapled(running, { ...both, sigalgs })).socket.ssl.ocspResponse;
      assert.equal(await met('ecdsa_secp256r1_sha256'), null);
      assert.deepEqual(await met('rsa_pss_rsae_sha256:rsa_pkcs1_sha256'), response());
    });

    it(`${version}: belongs to what onCertificate gave, to a context by name, and to what onClientHello gave`, async () => {
      const { serverRsa } = certificates();
      const onStatusRequest: OnStatusRequest = ({ certificate }) =>
        sleep(1, response(certificate.publicKey.asymmetricKeyType));
      const ways: ServerOptions[] = [
        { onCertificate: () => sleep(1, identity(serverRsa)) },
        { serverNames: { localhost: identity(serverRsa) } },
        { onServerName: () => null, onClientHello: () => sleep(1, identity(serverRsa)) },
      ];
      for (const way of ways) {
        const running = await startServer({ ...both, ...way, onStatusRequest });
        const { socket } = await stapled(running, both);
        assert.deepEqual(socket.ssl.ocspResponse, response('rsa'), Object.keys(way).join());
      }
    });

    it(`${version}: a long response arrives whole`, async () => {
      // OpenSSL's client of TLS 1.2 takes no longer message.
      const long = response(Buffer.alloc(version === 'TLSv1.2' ? 16_000 : 60_000, 7));
      const running = await startServer({ ...both, onStatusRequest: () => long });
      assert.deepEqual((await stapled(running, both)).socket.ssl.ocspResponse, long);
    });

    it(`${version}: bytes that are no response end the handshake`, async () => {
      for (const wrong of [Buffer.from('text'), response().subarray(1), Buffer.concat([response(), Buffer.of(0)])]) {
        const running = await startServer({ ...both, onStatusRequest: () => wrong });
        const errors = heard(running);
        await rejected(stapled(running, both), /INTERNAL_ERROR|HANDSHAKE_FAILURE|ALERT/);
        await until(() => errors.length === 1, 'the server to hear of it');
        assert.equal(errors[0]?.code, 'ERR_TLS_STATUS_REQUEST_CALLBACK');
        assert.equal(causeCode(errors[0]), 'ERR_TLS_INVALID_INPUT');
      }
    });

    it(`${version}: what are no bytes ends the handshake`, async () => {
      for (const wrong of ['text', 7, {}, true, [1]]) {
        const running = await startServer({ ...both, onStatusRequest: () => wrong as never });
        const errors = heard(running);
        await rejected(stapled(running, both), /INTERNAL_ERROR|HANDSHAKE_FAILURE|ALERT/);
        await until(() => errors.length === 1, 'the server to hear of it');
        assert.equal(errors[0]?.code, 'ERR_TLS_STATUS_REQUEST_CALLBACK');
        assert.equal(causeCode(errors[0]), 'ERR_INVALID_RETURN_VALUE');
      }
    });

    it(`${version}: node’s client sees the response`, async () => {
      const running = await startServer({ ...both, onStatusRequest: () => sleep(2, response()) });
      const socket = tls.connect({
        ...{ port: running.port, host: '127.0.0.1', servername: 'localhost', ca: certificates().ca.cert },
        requestOCSP: true,
      } as tls.ConnectionOptions);
      const [seen] = await within(once(socket, 'OCSPResponse'), 'the response');
      assert.deepEqual(seen, response());
      socket.destroy();
    });

    it(`${version}: openssl s_client verifies a true one`, async () => {
      const { der } = ocspResponse(certificates().server);
      const running = await startServer({ ...both, onStatusRequest: () => sleep(2, der) });
      const peer = opensslClient(running.port, [version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3', '-status']);
      await peer.printed(/OCSP Response Status: successful/);
      await peer.printed(/Cert Status: good/);
      const none = await startServer({ ...both, onStatusRequest: () => null });
      const other = opensslClient(none.port, [version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3', '-status']);
      await other.printed(/OCSP responses?: no (OCSP )?responses? (sent|received)/);
    });
  }

  it('is asked once where there is a HelloRetryRequest', async () => {
    let asked = 0;
    const running = await startServer({
      ...{ ...tls13, ecdhCurve: 'P-384' },
      onStatusRequest: () => {
        asked++;
        return sleep(2, response());
      },
    });
    const { socket } = await stapled(running, { ...tls13, ecdhCurve: 'X25519:P-384' });
    assert.deepEqual([asked, socket.ssl.ocspResponse], [1, response()]);
  });

  it('is asked anew by a renegotiation', async () => {
    let asked = 0;
    const running = await startServer({
      ...{ ...tls12, clientRenegotiation: true },
      onStatusRequest: () => sleep(1, response(`response ${++asked}`)),
    });
    const { socket, shown } = await stapled(running, tls12);
    const server = await running.next();
    socket.resume();
    server.resume();
    await within(socket.renegotiate(), 'the renegotiation');
    assert.deepEqual(shown, [response('response 1'), response('response 2')]);
    assert.deepEqual(socket.ssl.ocspResponse, response('response 2'));
  });

  it('gnutls-cli verifies a true one', async function () {
    needsProgram(this, 'gnutls-cli');
    const { der } = ocspResponse(certificates().server);
    const running = await startServer({ onStatusRequest: () => sleep(2, der) });
    const peer = gnutlsClient(running.port, ['--ocsp']);
    await peer.printed(/Options:.*OCSP status request|OCSP status request/);
    await peer.printed(/Simple Client Mode/);
  });
});

describe('onStatus', () => {
  for (const [version, both] of versions) {
    it(`${version}: true accepts and false refuses, at once and later, with or without a response`, async () => {
      for (const found of [response(), null]) {
        for (const answer of [true, false]) {
          for (const later of [false, true]) {
            const running = await startServer({ ...both, onStatusRequest: () => found });
            const errors = heard(running);
            const shown: Array<Buffer | null> = [];
            const connecting = connectTo(running.port, {
              ...both,
              onStatus: (given, { ssl }) => {
                assert.equal(ssl.side, 'client');
                shown.push(given);
                return later ? sleep(3, answer) : answer;
              },
            });
            if (answer) {
              assert.deepEqual((await connecting).ssl.ocspResponse, found);
            } else {
              const error = await rejected(connecting, 'ERR_SSL_INVALID_STATUS_RESPONSE');
              assert.equal((error as unknown as OpenSslError).alert?.name, 'bad_certificate_status_response');
              await until(() => errors.length === 1, 'the server to hear of it');
              assert.match(errors[0]?.code ?? '', /BAD_CERTIFICATE_STATUS_RESPONSE/);
            }
            assert.deepEqual(shown, [found]);
          }
        }
      }
    });

    it(`${version}: a server that staples nothing at all is judged too`, async () => {
      const running = await startServer(both);
      const { shown } = await stapled(running, both);
      assert.deepEqual(shown, [null]);
    });

    it(`${version}: what is no boolean fails`, async () => {
      for (const wrong of [1, 'true', null, undefined, {}]) {
        const running = await startServer(both);
        const error = await rejected(
          connectTo(running.port, { ...both, onStatus: () => wrong as never }),
          'ERR_TLS_STATUS_CALLBACK',
        );
        const { alert } = error as unknown as OpenSslError;
        assert.equal(causeCode(error), 'ERR_INVALID_RETURN_VALUE');
        assert.equal(alert?.name, 'internal_error');
      }
    });

    it(`${version}: a resumed handshake asks nobody, and has no response`, async () => {
      const running = await startServer({ ...both, onStatusRequest: () => response() });
      const { socket } = await stapled(running, both);
      (await running.next()).write('x');
      await within(once(socket, 'data'), 'a byte');
      await until(() => socket.ssl.session?.resumable === true, 'a session');
      const second = await stapled(running, { ...both, session: socket.ssl.session });
      assert.equal(second.socket.ssl.sessionReused, true);
      assert.deepEqual([second.shown, second.socket.ssl.ocspResponse], [[], null]);
    });

    it(`${version}: is not asked about a server that is not verified`, async () => {
      const running = await startServer({ ...both, ...identity(certificates().selfSigned) });
      await rejected(connectTo(running.port, { ...both, onStatus: () => assert.fail('asked') }), /SELF_SIGNED/);
    });

    it(`${version}: with a function that verifies too, both are asked, one after the other`, async () => {
      const order: string[] = [];
      const running = await startServer({ ...both, onStatusRequest: () => response() });
      await connectTo(running.port, {
        ...both,
        verify: () => {
          order.push('verify');
          return sleep(2, true);
        },
        onStatus: () => {
          order.push('status');
          return sleep(2, true);
        },
      });
      assert.deepEqual(order, ['verify', 'status']);
    });

    it(`${version}: requestOCSP alone gives what is stapled`, async () => {
      const running = await startServer({ ...both, onStatusRequest: () => response() });
      const socket = await connectTo(running.port, { ...both, requestOCSP: true });
      assert.deepEqual(socket.ssl.ocspResponse, response());
      const node = tls.createServer({ ...identity(certificates().server), ...(both as tls.TlsOptions) });
      node.on('OCSPRequest', (_certificate: unknown, _issuer: unknown, callback: (...given: unknown[]) => void) =>
        callback(null, response('from node')),
      );
      node.listen(0, '127.0.0.1');
      await once(node, 'listening');
      const other = await connectTo((node.address() as { port: number }).port, { ...both, requestOCSP: true });
      assert.deepEqual(other.ssl.ocspResponse, response('from node'));
      other.destroy();
      node.close();
    });

    it(`${version}: openssl s_server staples from its file`, async () => {
      const { der, file } = ocspResponse(certificates().server);
      const flag = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3';
      const { port } = await opensslServer([flag, '-status_file', file]);
      const shown: Array<Buffer | null> = [];
      const socket = await connectTo(port, {
        ...both,
        onStatus: found => {
          shown.push(found);
          return sleep(2, true);
        },
      });
      assert.deepEqual([shown, socket.ssl.ocspResponse], [[der], der]);
    });
  }

  it('judges a renegotiation of the server inside a read', async () => {
    let answer = true;
    let asked = 0;
    const secureOptions = constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION;
    const running = await startServer({ ...tls12, secureOptions, onStatusRequest: () => response() });
    const socket = await connectTo(running.port, {
      ...tls12,
      onStatus: () => {
        asked++;
        return sleep(2, answer);
      },
    });
    const server = await running.next();
    socket.resume();
    server.resume();
    await within(server.renegotiate(), 'the renegotiation');
    assert.equal(asked, 2);
    answer = false;
    const ended = once(socket, 'error') as Promise<[OpenSslError]>;
    await rejected(server.renegotiate(), /BAD_CERTIFICATE_STATUS_RESPONSE/);
    assert.equal((await within(ended, 'the end'))[0].code, 'ERR_SSL_INVALID_STATUS_RESPONSE');
  });

  it('hundreds wait at once, also more than there are jobs on a thread', async () => {
    const many = 300;
    const waiting: Array<(answer: boolean) => void> = [];
    const running = await startServer({ onStatusRequest: () => response() });
    const options = { ...tls13, onStatus: () => new Promise<boolean>(resolve => waiting.push(resolve)) };
    const connecting = Array.from({ length: many }, () => connectTo(running.port, options));
    await until(() => waiting.length === many, 'that all wait');
    for (const answer of waiting.reverse()) answer(true);
    assert.equal((await Promise.all(connecting)).length, many);
  });
});
