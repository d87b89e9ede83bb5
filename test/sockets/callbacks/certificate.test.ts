// The function onCertificate: on servers by hello, on clients by what the server asks for.
import assert from 'node:assert/strict';
import { constants } from 'node:crypto';
import { once } from 'node:events';
import tls from 'node:tls';
import {
  type CertificateRequest,
  type ConnectOptions,
  type CredentialOptions,
  type OnCertificate,
  type OpenSslError,
  type ServerOptions,
  SslContext,
} from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity } from '../../support/certificates.ts';
import { causeCode, rejected } from '../../support/errors.ts';
import { tls12, tls13, versions } from '../../support/memory-pair.ts';
import { resumesNoOtherName } from '../../support/name-sessions.ts';
import { command, gnutlsClient, opensslClient, opensslServer } from '../../support/peers.ts';
import { connectTo, type Running, socketPair, startServer } from '../../support/sockets.ts';
import { sleep, until, within } from '../../support/wait.ts';

type Choose = OnCertificate<CredentialOptions>;

const failed = 'ERR_TLS_CERTIFICATE_CALLBACK';
const identity = ({ cert, key }: Identity) => ({ cert, key });
const keyType = (socket: { ssl: { peerCertificate: { publicKey: { asymmetricKeyType?: string } } | null } }) =>
  socket.ssl.peerCertificate?.publicKey.asymmetricKeyType;

function heard(running: Running): OpenSslError[] {
  const errors: OpenSslError[] = [];
  running.server.on('tlsClientError', error => errors.push(error as OpenSslError));
  return errors;
}

/** At once, and by a promise. */
const ways = [
  ['at once', (answer: CredentialOptions | null) => () => answer],
  ['by a promise', (answer: CredentialOptions | null) => () => sleep(3, answer)],
] as const;

/** Requires a certificate of the CA. */
const asking = (more: ServerOptions = {}): ServerOptions => ({
  requestCert: true,
  ca: certificates().ca.cert,
  ...more,
});

describe('onCertificate on a server', () => {
  for (const [version, both] of versions) {
    for (const [how, by] of ways) {
      it(`${version}, ${how}: takes the place of what the context has`, async () => {
        const { client, server } = await socketPair(
          { ...both, onCertificate: by(identity(certificates().serverRsa)) },
          both,
        );
        assert.equal(keyType(client), 'rsa');
        assert.equal(server.ssl.certificate?.publicKey.asymmetricKeyType, 'rsa');
      });

      it(`${version}, ${how}: nothing leaves what is there`, async () => {
        const { client } = await socketPair({ ...both, onCertificate: by(null) }, both);
        assert.equal(keyType(client), 'ec');
      });

      it(`${version}, ${how}: a server without any certificate has one by it`, async () => {
        const running = await startServer({
          ...{ cert: undefined, key: undefined, ...both },
          onCertificate: by(identity(certificates().server)),
        });
        assert.equal(keyType(await connectTo(running.port, both)), 'ec');
      });

      it(`${version}, ${how}: RSA beside ECDSA, from which OpenSSL chooses by the client`, async () => {
        const { server, serverRsa } = certificates();
        const onCertificate = by({ cert: [server.cert, serverRsa.cert], key: [serverRsa.key, server.key] });
        const running = await startServer({ ...both, onCertificate });
        const met = async (sigalgs: string) => keyType(await connectTo(running.port, { ...both, sigalgs }));
        assert.equal(await met('ECDSA+SHA256'), 'ec');
        assert.equal(await met('rsa_pss_rsae_sha256:rsa_pkcs1_sha256'), 'rsa');
      });

      it(`${version}, ${how}: with the chain that is given, and that alone`, async () => {
        const { deepServer, ca } = certificates();
        const { client } = await socketPair({ ...both, onCertificate: by(identity(deepServer)) }, both);
        assert.deepEqual(
          client.ssl.peerCertificateChain.map(({ subject }) => subject),
          ['CN=localhost', 'CN=Intermediate CA'],
        );
        const [leaf = ''] = deepServer.cert.split(/(?<=-----END CERTIFICATE-----\n)/);
        const alone = await startServer({ ...both, onCertificate: by({ cert: leaf, key: deepServer.key }) });
        await rejected(connectTo(alone.port, { ...both, ca: ca.cert }), /UNABLE_TO/);
      });
    }

    it(`${version}: is told what the client verifies, and which name it sent`, async () => {
      const requests: CertificateRequest[] = [];
      await socketPair(
        { ...both, onCertificate: request => void requests.push(request) },
        { ...both, sigalgs: 'ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256:ed25519' },
      );
      const [request] = requests;
      assert.equal(requests.length, 1);
      assert.deepEqual(request?.signatureAlgorithms, ['ecdsa_secp256r1_sha256', 'rsa_pss_rsae_sha256', 'ed25519']);
      assert.deepEqual([request.servername, request.authorities, request.certificateTypes], ['localhost', [], []]);
      assert.equal(request.ssl.side, 'server');
    });

    it(`${version}: one object is read once, others each time`, async () => {
      const { serverRsa, server } = certificates();
      const given = identity(serverRsa);
      let answer: CredentialOptions = given;
      const running = await startServer({ ...both, onCertificate: () => answer });
      const met = async () => keyType(await connectTo(running.port, both));
      for (let round = 0; round < 3; round++) assert.equal(await met(), 'rsa');
      answer = identity(server);
      assert.equal(await met(), 'ec');
      answer = given;
      assert.equal(await met(), 'rsa');
    });

    it(`${version}: what is no certificate with its key ends the handshake, and says why`, async () => {
      const { server, client, serverRsa } = certificates();
      const wrong: ReadonlyArray<readonly [unknown, RegExp]> = [
        [7, /INVALID_RETURN_VALUE/],
        ['cert', /INVALID_RETURN_VALUE/],
        [true, /INVALID_RETURN_VALUE/],
        [{}, /INVALID_ARG_VALUE/],
        [[], /INVALID_ARG_VALUE/],
        [{ cert: server.cert }, /ERR_TLS_INVALID_INPUT/],
        [{ key: server.key }, /ERR_TLS_INVALID_INPUT/],
        [{ cert: 'nonsense', key: server.key }, /ERR_/],
        [{ cert: server.cert, key: client.key }, /KEY_VALUES_MISMATCH/],
        [{ cert: server.cert, key: serverRsa.key }, /KEY_TYPE_MISMATCH/],
        [{ cert: [server.cert, serverRsa.cert], key: server.key }, /ERR_TLS_INVALID_INPUT/],
        [{ cert: 7, key: 7 }, /INVALID_ARG_TYPE/],
        [new SslContext(identity(server)), /INVALID_ARG_VALUE/],
      ];
      for (const [answer, cause] of wrong) {
        for (const later of [false, true]) {
          const given = answer as CredentialOptions;
          const running = await startServer({ ...both, onCertificate: () => (later ? sleep(1, given) : given) });
          const errors = heard(running);
          await rejected(connectTo(running.port, both), /INTERNAL_ERROR|HANDSHAKE_FAILURE|ALERT/);
          await until(() => errors.length === 1, 'the server to hear of it');
          assert.equal(errors[0]?.code, failed, errors[0]?.stack);
          assert.match(causeCode(errors[0]), cause);
        }
      }
    });

    it(`${version}: what the security level refuses is refused`, async () => {
      const running = await startServer({
        ...{ ...both, ciphers: 'DEFAULT@SECLEVEL=3' },
        onCertificate: () => identity(certificates().serverRsa),
      });
      const errors = heard(running);
      await rejected(connectTo(running.port, both), /ALERT|EOF/);
      await until(() => errors.length === 1, 'the server to hear of it');
      assert.equal(errors[0]?.code, failed, errors[0]?.stack);
      assert.match(causeCode(errors[0]), /KEY_TOO_SMALL/);
      assert.match(errors[0]?.message ?? '', /onCertificate/);
    });

    it(`${version}: a session of one name is not resumed under another`, async () => {
      await resumesNoOtherName(await startServer({ ...both, onCertificate: () => null }));
    });

    it(`${version}: is not asked by a handshake that resumes`, async () => {
      let asked = 0;
      const running = await startServer({ ...both, onCertificate: () => void asked++ });
      const first = await connectTo(running.port, both);
      (await running.next()).write('x');
      await within(once(first, 'data'), 'a byte');
      await until(() => first.ssl.session?.resumable === true, 'a session');
      const session = first.ssl.session ?? undefined;
      const second = await connectTo(running.port, { ...both, ...(session && { session }) });
      assert.deepEqual([second.ssl.sessionReused, asked], [true, 1]);
    });

    it(`${version}: beside names it has the last word, and a context by name its certificates`, async () => {
      const { serverRsa, selfSigned } = certificates();
      let answer: CredentialOptions | null = null;
      const running = await startServer({
        ...both,
        serverNames: { 'a.example': identity(selfSigned) },
        onCertificate: () => sleep(2, answer),
      });
      const met = async () => {
        const options = { ...both, servername: 'a.example', rejectUnauthorized: false };
        return (await connectTo(running.port, options)).ssl.peerCertificate;
      };
      assert.equal((await met())?.issuer, 'CN=localhost');
      answer = identity(serverRsa);
      assert.equal((await met())?.publicKey.asymmetricKeyType, 'rsa');
    });

    it(`${version}: node’s client meets the choice`, async () => {
      const running = await startServer({ ...both, onCertificate: () => sleep(2, identity(certificates().serverRsa)) });
      const socket = tls.connect({
        port: running.port,
        host: '127.0.0.1',
        servername: 'localhost',
        ca: certificates().ca.cert,
      });
      await within(once(socket, 'secureConnect'), 'the handshake');
      assert.equal(socket.getPeerX509Certificate()?.publicKey.asymmetricKeyType, 'rsa');
      socket.destroy();
    });
  }

  it('is asked once where there is a HelloRetryRequest', async () => {
    let asked = 0;
    const { client } = await socketPair(
      {
        ...{ ...tls13, ecdhCurve: 'P-384' },
        onCertificate: () => {
          asked++;
          return sleep(2, identity(certificates().serverRsa));
        },
      },
      { ...tls13, ecdhCurve: 'X25519:P-384' },
    );
    assert.deepEqual([asked, keyType(client)], [1, 'rsa']);
  });

  it('is asked again by a renegotiation, whose certificate may be another', async () => {
    const { server: ec, serverRsa } = certificates();
    let asked = 0;
    const { client, server } = await socketPair(
      {
        ...{
          ...tls12,
          clientRenegotiation: true,
          secureOptions: constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION,
        },
        onCertificate: () => sleep(2, ++asked === 2 ? identity(serverRsa) : asked === 3 ? identity(ec) : null),
      },
      tls12,
    );
    client.resume();
    server.resume();
    const types = [keyType(client)];
    await within(client.renegotiate(), 'a renegotiation');
    types.push(keyType(client));
    await within(server.renegotiate(), 'another, by the server');
    types.push(keyType(client));
    assert.deepEqual([types, asked], [['ec', 'rsa', 'ec'], 3]);
  });

  it('openssl s_client and gnutls-cli meet the choice', async function () {
    needsProgram(this, 'gnutls-cli');
    const running = await startServer({ onCertificate: () => sleep(2, identity(certificates().deepServer)) });
    for (const flag of ['-tls1_2', '-tls1_3']) {
      const peer = opensslClient(running.port, [flag]);
      await peer.printed(/i:CN ?= ?Intermediate CA/);
      await peer.printed(/Verify return code: 0|Verification: OK/);
      await peer.stop();
    }
    const gnutls = gnutlsClient(running.port);
    await gnutls.printed(/Status: The certificate is trusted/);
    await gnutls.stop();
  });
});

describe('onCertificate on a client', () => {
  for (const [version, both] of versions) {
    for (const [how, by] of ways) {
      it(`${version}, ${how}: shows the certificate when the server asks`, async () => {
        const onCertificate = by(identity(certificates().client));
        const { server } = await socketPair(asking(both), { ...both, onCertificate });
        assert.equal(server.ssl.peerCertificate?.subject, 'CN=client');
      });

      it(`${version}, ${how}: nothing leaves what is there, or none`, async () => {
        const own = { ...both, ...identity(certificates().client), onCertificate: by(null) };
        assert.equal((await socketPair(asking(both), own)).server.ssl.peerCertificate?.subject, 'CN=client');
        const optional = asking({ ...both, rejectUnauthorized: false });
        const { server } = await socketPair(optional, { ...both, onCertificate: by(null) });
        assert.equal(server.ssl.peerCertificate, null);
      });

      it(`${version}, ${how}: a key that does not match ends the handshake on both sides`, async () => {
        const { client, stranger } = certificates();
        const running = await startServer(asking({ ...both, rejectUnauthorized: false }));
        const errors = heard(running);
        let served = 0;
        running.server.on('secureConnection', () => served++);
        const onCertificate = by({ cert: client.cert, key: stranger.key });
        const error = await rejected(connectTo(running.port, { ...both, onCertificate }), failed);
        assert.match(causeCode(error), /KEY_VALUES_MISMATCH/);
        await until(() => errors.length === 1, 'the server to hear of it');
        assert.equal(served, 0);
      });
    }

    it(`${version}: is told whom the server trusts, and what it verifies`, async () => {
      const requests: CertificateRequest[] = [];
      const { ca, otherCa } = certificates();
      const onCertificate: Choose = request => {
        requests.push(request);
        return sleep(2, identity(certificates().client));
      };
      const server = asking({
        ...both,
        ca: [ca.cert, otherCa.cert],
        sigalgs: 'ecdsa_secp256r1_sha256:rsa_pss_rsae_sha256',
      });
      await socketPair(server, { ...both, onCertificate });
      const [request] = requests;
      assert.equal(requests.length, 1);
      assert.deepEqual([...(request?.authorities ?? [])].sort(), ['CN=Other CA', 'CN=Test CA']);
      assert.deepEqual(request?.signatureAlgorithms, ['ecdsa_secp256r1_sha256', 'rsa_pss_rsae_sha256']);
      const types = version === 'TLSv1.2' ? ['rsa_sign', 'ecdsa_sign'] : [];
      assert.ok(
        types.every(type => request.certificateTypes.includes(type)),
        String(request.certificateTypes),
      );
      assert.equal(version === 'TLSv1.3', request.certificateTypes.length === 0);
      assert.deepEqual([request.servername, request.ssl.side], ['localhost', 'client']);
    });

    it(`${version}: by authorities it takes one of several`, async () => {
      const { client, stranger, ca, otherCa } = certificates();
      const onCertificate: Choose = ({ authorities }) =>
        authorities.includes('CN=Other CA') ? identity(stranger) : identity(client);
      for (const [trusted, subject] of [
        [ca, 'CN=client'],
        [otherCa, 'CN=stranger'],
      ] as const) {
        const { server } = await socketPair(asking({ ...both, ca: trusted.cert }), { ...both, onCertificate });
        assert.equal(server.ssl.peerCertificate?.subject, subject);
      }
    });

    it(`${version}: is not asked by a server that does not ask`, async () => {
      const { client } = await socketPair(both, { ...both, onCertificate: () => assert.fail('asked') });
      assert.equal(client.ssl.certificate, null);
    });

    it(`${version}: one that fails shows nothing, and the server gets no connection`, async () => {
      for (const answer of [
        () => Promise.reject(new Error('no')),
        () => {
          throw new Error('no');
        },
      ] as Choose[]) {
        const running = await startServer(asking({ ...both, rejectUnauthorized: false }));
        const errors = heard(running);
        const error = await rejected(connectTo(running.port, { ...both, onCertificate: answer }), failed);
        assert.equal(((error as { cause?: Error }).cause as Error).message, 'no');
        await until(() => errors.length === 1, 'the server to hear of it');
      }
    });

    it(`${version}: openssl s_server asks, and sees what it gives`, async () => {
      const { ca, client } = certificates();
      const flag = version === 'TLSv1.2' ? '-tls1_2' : '-tls1_3';
      const { peer, port } = await opensslServer([flag, '-Verify', '1', '-CAfile', ca.certFile]);
      await connectTo(port, { ...both, onCertificate: () => sleep(2, identity(client)) });
      await peer.printed(/subject=.*CN ?= ?client/);
    });
  }

  it('offers post-handshake authentication by the function alone, which is asked each time', async () => {
    const { client, stranger, ca, otherCa } = certificates();
    let answer: CredentialOptions | null = identity(client);
    let asked = 0;
    const { client: near, server } = await socketPair(
      { ...tls13, ca: [ca.cert, otherCa.cert] },
      {
        ...tls13,
        onCertificate: () => {
          asked++;
          return sleep(2, answer);
        },
      },
    );
    near.resume();
    server.resume();
    assert.equal(asked, 0);
    await within(server.requestClientCertificate(), 'the certificate');
    assert.equal(server.ssl.peerCertificate?.subject, 'CN=client');
    answer = identity(stranger);
    await within(server.requestClientCertificate(), 'another');
    assert.equal(server.ssl.peerCertificate?.subject, 'CN=stranger');
    answer = null;
    await within(server.requestClientCertificate(), 'the same');
    assert.equal(server.ssl.peerCertificate?.subject, 'CN=stranger');
    assert.equal(asked, 3);
  });

  it('data around post-handshake authentication waits for the answer, and none is lost', async () => {
    const { client, ca } = certificates();
    let resolve: (answer: CredentialOptions) => void = () => {};
    const answered = new Promise<CredentialOptions>(settle => {
      resolve = settle;
    });
    let asked = false;
    const { client: near, server } = await socketPair(
      { ...tls13, ca: ca.cert },
      {
        ...tls13,
        onCertificate: () => {
          asked = true;
          return answered;
        },
      },
    );
    const got = { near: '', server: '' };
    near.on('data', chunk => {
      got.near += chunk;
    });
    server.on('data', chunk => {
      got.server += chunk;
    });
    server.write('before ');
    const request = server.requestClientCertificate();
    await until(() => asked, 'the question');
    server.write('after');
    near.write('queued');
    await sleep(20);
    assert.deepEqual(got, { near: 'before ', server: '' });
    resolve(identity(client));
    await within(request, 'the certificate');
    await until(() => got.near === 'before after' && got.server === 'queued', 'the data');
  });

  it('a key that does not match ends post-handshake authentication on both sides', async () => {
    const { client, stranger, ca } = certificates();
    const { client: near, server } = await socketPair(
      { ...tls13, ca: ca.cert, rejectUnauthorized: false },
      { ...tls13, onCertificate: () => ({ cert: client.cert, key: stranger.key }) },
    );
    const ended = once(near, 'error') as Promise<[OpenSslError]>;
    near.resume();
    server.resume();
    await rejected(server.requestClientCertificate(), /ALERT|EOF|ECONN/);
    const [error] = await within(ended, 'the end');
    assert.equal(error.code, failed);
    assert.match(causeCode(error), /KEY_VALUES_MISMATCH/);
  });

  it('is asked by a renegotiation of the server', async () => {
    const { client, ca } = certificates();
    let asked = 0;
    const { client: near, server } = await socketPair(
      { ...tls12, ca: ca.cert },
      {
        ...tls12,
        onCertificate: () => {
          asked++;
          return sleep(2, identity(client));
        },
      },
    );
    near.resume();
    server.resume();
    await within(server.requestClientCertificate(), 'the certificate');
    await within(server.requestClientCertificate(), 'the certificate, again');
    assert.equal(server.ssl.peerCertificate?.subject, 'CN=client');
    assert.equal(asked, 2);
  });

  it('openssl s_server asks after the handshake', async () => {
    const { ca, client } = certificates();
    const { peer, port } = await opensslServer(['-tls1_3', '-verify', '1', '-CAfile', ca.certFile]);
    const socket = await connectTo(port, {
      ...tls13,
      onCertificate: () => sleep(2, identity(client)),
    } as Partial<ConnectOptions>);
    socket.resume();
    await command(peer, 'c');
    await peer.printed(/<<<.*CertificateVerify/);
  });
});
