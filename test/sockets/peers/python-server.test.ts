// What the functions of a client decide, as a server of Python's ssl meets it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type CertificateRequest,
  type CredentialOptions,
  type OnCertificate,
  type OpenSslError,
  SslContext,
  type SslSession,
  type TlsSocket,
} from 'system-tls';
import { ways } from '../../support/answers.ts';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity, issue } from '../../support/certificates.ts';
import { rejected } from '../../support/errors.ts';
import { tls12, tls13 } from '../../support/memory-pair.ts';
import { needsPsk, PythonServer, pythonHasPsk } from '../../support/python-callbacks.ts';
import { connectTo } from '../../support/sockets.ts';
import { deferred, sleep, within } from '../../support/wait.ts';

type Choose = OnCertificate<CredentialOptions>;

const identity = ({ cert, key }: Identity) => ({ cert, key });
const accessDenied = 49;
const internalError = /ALERT_INTERNAL_ERROR/;
const psk = { identity: 'one', key: Buffer.alloc(32, 7) };

const reason = new Error('on purpose');
const fails = () => {
  throw reason;
};

async function answerTo(socket: TlsSocket, text: string): Promise<string> {
  const arrives = once(socket, 'data') as Promise<[Buffer]>;
  socket.write(text);
  return String((await within(arrives, `the answer to "${text}"`))[0]);
}

/** Until Python has left too: it would speak of a reset as of an error. */
async function leave(socket: TlsSocket): Promise<void> {
  socket.resume().end();
  await within(once(socket, 'close'), 'the end');
}

/** The error with which a connection ends, whether its handshake was over or not: in TLS 1.3 a server may refuse it afterwards. */
async function failure(connecting: Promise<TlsSocket>, code: string | RegExp): Promise<OpenSslError> {
  const ended = connecting.then(async socket => {
    if (!socket.resume().closed) await once(socket, 'close');
    throw socket.errored ?? new Error('it ended without an error');
  });
  return (await rejected(ended, code)) as unknown as OpenSslError;
}

describe('a server of Python’s ssl of a client with functions', () => {
  before(function () {
    needsProgram(this, 'python3');
  });

  for (const [both, version] of [
    [tls12, 'TLSv1_2'],
    [tls13, 'TLSv1_3'],
  ] as const) {
    it(`${version}: chooses by the name, and refuses one by an alert`, async () => {
      const other = issue('python-other', { subject: '/CN=other', names: 'DNS:other.example' });
      const names = { 'other.example': other };
      const python = new PythonServer({ version, names, alerts: { 'refused.example': accessDenied } });
      const port = await python.port;
      for (const [servername, subject] of [
        ['localhost', 'CN=localhost'],
        ['other.example', 'CN=other'],
      ] as const) {
        const socket = await connectTo(port, { ...both, servername });
        assert.equal(socket.ssl.peerCertificate?.subject, subject);
        assert.equal((await python.met()).name, servername);
        await leave(socket);
      }
      const refused = connectTo(port, { ...both, servername: 'refused.example' });
      const error = (await rejected(refused, /ACCESS_DENIED/)) as unknown as OpenSslError;
      assert.equal(error.alert?.name, 'access_denied');
    });

    it(`${version}: agrees on a protocol that a connection offers instead of its context's`, async () => {
      const python = new PythonServer({ version, protocols: ['one', 'two'] });
      const port = await python.port;
      const secureContext = new SslContext({ ...both, ca: certificates().ca.cert, ALPNProtocols: ['one'] });
      for (const [ALPNProtocols, agreed] of [
        [undefined, 'one'],
        [['other', 'two'], 'two'],
        // It goes on without any.
        [['other'], null],
      ] as const) {
        const socket = await connectTo(port, {
          secureContext,
          ...(ALPNProtocols && { ALPNProtocols: [...ALPNProtocols] }),
        });
        assert.equal(socket.ssl.alpnProtocol, agreed);
        assert.equal((await python.met()).protocol, agreed);
        await leave(socket);
      }
    });

    for (const [how, by] of ways) {
      it(`${version}, ${how}: gets the certificate that onCertificate chooses, or refuses who has none`, async () => {
        const python = new PythonServer({ version, asks: 'at-once' });
        const port = await python.port;
        const requests: CertificateRequest[] = [];
        let answer: CredentialOptions | null = identity(certificates().client);
        const onCertificate: Choose = request => {
          requests.push(request);
          return by(answer)();
        };
        const socket = await connectTo(port, { ...both, onCertificate });
        assert.equal(await answerTo(socket, 'who'), 'commonName=client');
        assert.equal((await python.met()).subject, 'commonName=client');
        await leave(socket);
        answer = null;
        const absent = version === 'TLSv1_3' ? /CERTIFICATE_REQUIRED/ : /HANDSHAKE_FAILURE/;
        await failure(connectTo(port, { ...both, onCertificate }), absent);
        assert.match((await python.met()).error ?? '', /PEER_DID_NOT_RETURN_A_CERTIFICATE/);
        answer = identity(certificates().stranger);
        await failure(connectTo(port, { ...both, onCertificate }), /UNKNOWN_CA/);
        assert.match((await python.met()).error ?? '', /CERTIFICATE_VERIFY_FAILED/);
        // Python names no authorities.
        assert.deepEqual(
          requests.map(({ authorities, servername }) => [...authorities, servername]),
          [['localhost'], ['localhost'], ['localhost']],
        );
      });

      it(`${version}, ${how}: has the key that onPsk gives, and no other`, async function () {
        needs(this, pythonHasPsk(), needsPsk);
        const python = new PythonServer({ version, identity: null, psk, hint: 'take one' });
        const port = await python.port;
        const hints: Array<string | null> = [];
        let identity = 'one';
        const onPsk = ({ hint }: { readonly hint: string | null }) => {
          hints.push(hint);
          return by({ identity, key: psk.key })();
        };
        const socket = await connectTo(port, { ...both, onPsk, pskRequired: true });
        assert.equal(socket.ssl.pskIdentity, 'one');
        assert.equal(await answerTo(socket, 'hello'), 'hello');
        assert.deepEqual(hints, version === 'TLSv1_2' ? [null, 'take one'] : [null]);
        await leave(socket);
        await python.met();
        identity = 'two';
        await rejected(connectTo(port, { ...both, onPsk, pskRequired: true }), /^ERR_SSL_.*ALERT/);
      });
    }

    it(`${version}: hears an alert where onCertificate throws, and serves the next time`, async () => {
      const python = new PythonServer({ version, asks: 'at-once' });
      const port = await python.port;
      for (const onCertificate of [fails, () => sleep(1).then(fails)]) {
        const error = await rejected(connectTo(port, { ...both, onCertificate }), 'ERR_TLS_CERTIFICATE_CALLBACK');
        assert.equal(error.cause, reason);
        assert.match((await python.met()).error ?? '', internalError);
      }
      const onCertificate = () => identity(certificates().client);
      const socket = await connectTo(port, { ...both, onCertificate });
      assert.equal(await answerTo(socket, 'who'), 'commonName=client');
    });

    it(`${version}: is killed before onCertificate has answered, which is an error`, async () => {
      const python = new PythonServer({ version, asks: 'at-once' });
      const [asked, answer] = [deferred<void>(), deferred<CredentialOptions>()];
      const onCertificate: Choose = () => {
        asked.resolve();
        return answer.promise;
      };
      const connecting = connectTo(await python.port, { ...both, onCertificate });
      connecting.catch(() => {});
      await within(asked.promise, 'the question');
      await python.peer.stop();
      answer.resolve(identity(certificates().client));
      await failure(connecting, /^E/);
    });

    it(`${version}: resumes, and asks for no certificate again`, async () => {
      const python = new PythonServer({ version, asks: 'at-once' });
      const port = await python.port;
      const sessions: SslSession[] = [];
      let asked = 0;
      const visit = async () => {
        const socket = await connectTo(port, {
          ...{ ...both, session: sessions.at(-1) },
          on: { session: session => void sessions.push(session) },
          onCertificate: () => {
            asked++;
            return sleep(1, identity(certificates().client));
          },
        });
        assert.equal(await answerTo(socket, 'who'), 'commonName=client');
        const { sessionReused } = socket.ssl;
        await leave(socket);
        assert.equal((await python.met()).resumed, sessionReused);
        return sessionReused;
      };
      assert.deepEqual([await visit(), await visit(), asked], [false, true, 1]);
    });
  }

  it('TLSv1_3: that has a certificate too, and prefers a cipher of another hash, uses no key', async function () {
    needs(this, pythonHasPsk(), needsPsk);
    const python = new PythonServer({ version: 'TLSv1_3', psk });
    const port = await python.port;
    const onPsk = () => psk;
    const socket = await connectTo(port, { ...tls13, onPsk });
    assert.deepEqual([socket.ssl.psk, socket.ssl.peerCertificate?.subject], [false, 'CN=localhost']);
    await leave(socket);
    await rejected(connectTo(port, { ...tls13, onPsk, pskRequired: true }), 'ERR_TLS_PSK_REQUIRED');
  });

  describe('that asks after the handshake', () => {
    for (const [how, by] of ways) {
      it(`${how}: gets the certificate that onCertificate chooses then`, async () => {
        const python = new PythonServer({ version: 'TLSv1_3', asks: 'later' });
        let asked = 0;
        const onCertificate: Choose = () => {
          asked++;
          return by(identity(certificates().client))();
        };
        const socket = await connectTo(await python.port, { ...tls13, onCertificate });
        assert.equal(await answerTo(socket, 'who'), 'nobody');
        assert.equal(asked, 0);
        assert.equal(await answerTo(socket, 'ask'), 'asked');
        assert.equal(await answerTo(socket, 'who'), 'commonName=client');
        assert.equal(asked, 1);
      });

      it(`${how}: refuses who has none`, async () => {
        const python = new PythonServer({ version: 'TLSv1_3', asks: 'later' });
        const socket = await connectTo(await python.port, { ...tls13, onCertificate: by(null) });
        assert.equal(await answerTo(socket, 'ask'), 'asked');
        socket.write('who');
        await failure(Promise.resolve(socket), /CERTIFICATE_REQUIRED/);
        await python.met();
        assert.match((await python.met()).error ?? '', /PEER_DID_NOT_RETURN_A_CERTIFICATE/);
      });
    }

    it('hears an alert where onCertificate throws', async () => {
      const python = new PythonServer({ version: 'TLSv1_3', asks: 'later' });
      const socket = await connectTo(await python.port, { ...tls13, onCertificate: fails });
      assert.equal(await answerTo(socket, 'who'), 'nobody');
      socket.write('ask');
      const error = await failure(Promise.resolve(socket), 'ERR_TLS_CERTIFICATE_CALLBACK');
      assert.equal(error.cause, reason);
      await python.met();
      assert.match((await python.met()).error ?? '', internalError);
    });

    it('is killed before onCertificate has answered, which is an error', async () => {
      const python = new PythonServer({ version: 'TLSv1_3', asks: 'later' });
      const [asked, answer] = [deferred<void>(), deferred<CredentialOptions>()];
      const onCertificate: Choose = () => {
        asked.resolve();
        return answer.promise;
      };
      const socket = await connectTo(await python.port, { ...tls13, onCertificate });
      socket.resume().write('ask');
      await within(asked.promise, 'the question');
      await python.peer.stop();
      answer.resolve(identity(certificates().client));
      await failure(Promise.resolve(socket), /^E/);
    });
  });
});
