// What the functions of a server decide, as a client of Python's ssl meets it.
import assert from 'node:assert/strict';
import {
  type ClientHello,
  ja4,
  type OnPsk,
  type OpenSslError,
  type ServerOptions,
  SslContext,
  TicketKeyRing,
  type TlsSocket,
  type VerifyAnswer,
} from 'system-tls';
import { ways } from '../../support/answers.ts';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity, issue } from '../../support/certificates.ts';
import { rejected } from '../../support/errors.ts';
import { tls12, tls13 } from '../../support/memory-pair.ts';
import { needsPsk, PythonClient, pythonHasPsk } from '../../support/python-callbacks.ts';
import { type Running, startServer } from '../../support/sockets.ts';
import { sleep, until, within } from '../../support/wait.ts';

const identity = ({ cert, key }: Identity) => ({ cert, key });
const named = (name: string) => issue(`python-${name}`, { subject: `/CN=${name}`, names: `DNS:${name}.example` });
const greet = (socket: TlsSocket) => void socket.end('hello');

function heard({ server }: Running): OpenSslError[] {
  const errors: OpenSslError[] = [];
  server.on('tlsClientError', error => errors.push(error as OpenSslError));
  return errors;
}

const reason = new Error('on purpose');
const fails = () => {
  throw reason;
};

const internalError = /TLSV1_ALERT_INTERNAL_ERROR/;
const psk = { identity: 'one', key: Buffer.alloc(32, 7) };

describe('a client of Python’s ssl of a server with functions', () => {
  before(function () {
    needsProgram(this, 'python3');
  });

  for (const [both, version] of [
    [tls12, 'TLSv1_2'],
    [tls13, 'TLSv1_3'],
  ] as const) {
    for (const [how, by] of ways) {
      it(`${version}, ${how}: meets the certificate and the protocol that they choose, or their alert`, async () => {
        const identities: Record<string, ReturnType<typeof identity>> = {
          'a.example': identity(named('a')),
          'b.example': identity(named('b')),
        };
        const hellos: ClientHello[] = [];
        const options: ServerOptions = {
          ...both,
          onClientHello: hello => {
            hellos.push(hello);
            return by(hello.serverName === 'refused.example' ? { alert: 'access_denied' } : null)();
          },
          onALPN: ({ protocols, servername }) => by(servername === 'none.example' ? null : protocols[1])(),
          onCertificate: ({ servername }) => by(identities[servername ?? ''])(),
        };
        const { port } = await startServer(options, greet);
        const python = new PythonClient({ version, verifies: true, protocols: ['one', 'two'] });
        for (const name of ['a', 'b']) {
          const { subject, protocol, text } = await python.visit(port, { name: `${name}.example` });
          assert.deepEqual([subject, protocol, text], [`commonName=${name}`, 'two', 'hello'], python.peer.output);
        }
        assert.match((await python.visit(port, { name: 'refused.example' })).error ?? '', /ALERT_ACCESS_DENIED/);
        const unknown = await python.visit(port, { name: 'none.example' });
        assert.match(unknown.error ?? '', /no.application.protocol/i);
        assert.deepEqual(
          hellos.map(({ serverName, alpn }) => [serverName, alpn]),
          ['a', 'b', 'refused', 'none'].map(name => [`${name}.example`, ['one', 'two']]),
        );
        // With longer names its hello has padding (RFC 7685), which JA4 counts as an extension.
        assert.equal(new Set(hellos.slice(0, 2).map(ja4)).size, 1, 'it is one client');
      });

      it(`${version}, ${how}: gets the context that onServerName gives, or the one of its name`, async () => {
        const [a, b] = [new SslContext(identity(named('a'))), new SslContext(identity(named('b')))];
        const { port } = await startServer(
          { ...both, serverNames: { 'a.example': a }, onServerName: name => by(name === 'b.example' ? b : null)() },
          greet,
        );
        const python = new PythonClient({ version, verifies: true });
        for (const [name, subject] of [
          ['a.example', 'commonName=a'],
          ['b.example', 'commonName=b'],
          ['c.example', 'commonName=localhost'],
        ] as const) {
          assert.equal((await python.visit(port, { name })).subject, subject);
        }
      });

      it(`${version}, ${how}: resumes what onResumeSession finds, on another server too`, async () => {
        const store = new Map<string, Buffer>();
        const options: ServerOptions = {
          ...both,
          onNewSession: (id, session) => store.set(id.toString('hex'), session),
          onResumeSession: id => by(store.get(id.toString('hex')))(),
        };
        const [first, second] = [await startServer(options, greet), await startServer(options, greet)];
        const python = new PythonClient({ version });
        const resumed = async ({ port }: Running) => (await python.visit(port, { resume: true })).resumed;
        assert.deepEqual([await resumed(first), await resumed(first), await resumed(second)], [false, true, true]);
        store.clear();
        assert.equal(await resumed(second), false);
      });

      it(`${version}, ${how}: shows its certificate to verify, which may refuse it`, async () => {
        let answer: VerifyAnswer = true;
        const seen: Array<string | undefined> = [];
        const options: ServerOptions = {
          ...{ ...both, requestCert: true, ca: certificates().ca.cert },
          verify: ({ chain }) => {
            seen.push(chain[0]?.subject);
            return by(answer)();
          },
        };
        const running = await startServer(options, greet);
        const errors = heard(running);
        const python = new PythonClient({ version, identity: certificates().client });
        assert.equal((await python.visit(running.port)).text, 'hello');
        answer = 'CERT_REVOKED';
        assert.match((await python.visit(running.port)).error ?? '', /CERTIFICATE_REVOKED/);
        assert.deepEqual(seen, ['CN=client', 'CN=client']);
        await until(() => errors.length === 1, 'the server to hear of it');
        assert.equal(errors[0]?.code, 'CERT_REVOKED');
      });

      it(`${version}, ${how}: has the key that onPsk finds, or none`, async function () {
        needs(this, pythonHasPsk(), needsPsk);
        const keys = new Map<string | null, Buffer>([[psk.identity, psk.key]]);
        const onPsk: OnPsk = ({ identity: id }) => by(keys.get(id))();
        const running = await startServer({ ...both, onPsk }, socket => {
          socket.end(`hello, ${socket.ssl.pskIdentity}`);
        });
        const errors = heard(running);
        const python = new PythonClient({ version, psk });
        assert.equal((await python.visit(running.port)).text, 'hello, one');
        keys.clear();
        const { error, text } = await python.visit(running.port);
        // TLS 1.3 goes on with the certificate.
        if (version === 'TLSv1_3') assert.equal(text, 'hello, null');
        else assert.match(error ?? '', /unknown.psk.identity/i);
        const failures = version === 'TLSv1_3' ? 0 : 1;
        await until(() => errors.length === failures, 'the server to hear of it');
      });
    }

    it(`${version}: resumes by tickets of one TicketKeyRing on any server, and not by those of another`, async () => {
      const made = [1, 1, 2].map(secret =>
        startServer({ ...both, ticketKeys: new TicketKeyRing({ secret: Buffer.alloc(32, secret) }) }, greet),
      );
      const [first, second, stranger] = (await Promise.all(made)) as [Running, Running, Running];
      const python = new PythonClient({ version });
      for (const [{ port }, resumed] of [
        [first, false],
        [first, true],
        [second, true],
        [stranger, false],
        [stranger, true],
        [second, false],
      ] as const) {
        assert.equal((await python.visit(port, { resume: true })).resumed, resumed);
      }
    });

    it(`${version}: hears an alert where a function throws or rejects, and is served the next time`, async () => {
      const python = new PythonClient({ version, protocols: ['one'] });
      for (const [name, code] of [
        ['onClientHello', 'ERR_TLS_CLIENT_HELLO_CALLBACK'],
        ['onServerName', 'ERR_TLS_SERVER_NAME_CALLBACK'],
        ['onALPN', 'ERR_TLS_ALPN_CALLBACK'],
        ['onCertificate', 'ERR_TLS_CERTIFICATE_CALLBACK'],
      ] as const) {
        let good = false;
        for (const failing of [fails, () => sleep(1).then(fails)]) {
          const call = () => (good ? (name === 'onALPN' ? 'one' : null) : failing());
          const running = await startServer({ ...both, [name]: call }, greet);
          const errors = heard(running);
          good = false;
          assert.match((await python.visit(running.port)).error ?? '', internalError, name);
          await until(() => errors.length === 1, 'the server to hear of it');
          assert.equal(errors[0]?.code, code);
          assert.equal((errors[0] as OpenSslError).cause, reason);
          good = true;
          assert.equal((await python.visit(running.port)).text, 'hello');
        }
      }
    });

    it(`${version}: is killed before a function has answered, which then answers nobody`, async () => {
      for (const name of ['onClientHello', 'onServerName', 'onALPN', 'onCertificate'] as const) {
        const questions: Array<() => void> = [];
        const right = name === 'onALPN' ? 'one' : null;
        const call = () => new Promise(resolve => questions.push(() => resolve(right)));
        const running = await startServer({ ...both, [name]: call }, greet);
        const errors = heard(running);
        const python = new PythonClient({ version, protocols: ['one'] });
        const visit = python.visit(running.port);
        visit.catch(() => {});
        await until(() => questions.length === 1, `the question of ${name}`);
        await python.peer.stop();
        questions[0]?.();
        await until(() => errors.length === 1, 'the server to hear of it');
        assert.equal(running.accepted.length, 0);
      }
    });
  }

  describe('that offers post-handshake authentication', () => {
    for (const [how, by] of ways) {
      it(`${how}: has its certificate judged by verify, and hears a refusal`, async () => {
        const seen: Array<string | undefined> = [];
        let answer: VerifyAnswer = true;
        const options: ServerOptions = {
          ...{ ...tls13, ca: certificates().ca.cert },
          verify: ({ chain }) => {
            seen.push(chain[0]?.subject);
            return by(answer)();
          },
        };
        const running = await startServer(options);
        const python = new PythonClient({ version: 'TLSv1_3', identity: certificates().client, later: true });
        const visited = async (check: (socket: TlsSocket) => Promise<void>) => {
          const [met] = await Promise.all([python.visit(running.port), running.next().then(check)]);
          return met;
        };
        const good = await visited(async socket => {
          socket.resume();
          await within(socket.requestClientCertificate(), 'the certificate');
          socket.end(socket.ssl.peerCertificate?.subject);
        });
        assert.equal(good.text, 'CN=client');
        answer = 'CERT_REVOKED';
        const bad = await visited(async socket => {
          socket.resume();
          await rejected(socket.requestClientCertificate(), 'CERT_REVOKED');
        });
        assert.match(bad.error ?? '', /CERTIFICATE_REVOKED/);
        assert.deepEqual(seen, ['CN=client', 'CN=client']);
      });
    }

    it('is killed before verify has answered: the request settles, and the connection ends', async () => {
      const questions: Array<() => void> = [];
      const verify = () => new Promise<boolean>(resolve => questions.push(() => resolve(true)));
      const running = await startServer({ ...tls13, ca: certificates().ca.cert, verify });
      const python = new PythonClient({ version: 'TLSv1_3', identity: certificates().client, later: true });
      python.visit(running.port).catch(() => {});
      const socket = await running.next();
      socket.resume();
      const asked = socket.requestClientCertificate();
      asked.catch(() => {});
      await until(() => questions.length === 1, 'the question');
      const ended = new Promise(resolve => socket.once('close', resolve));
      await python.peer.stop();
      questions[0]?.();
      await within(ended, 'the end');
      // Its certificate was complete before it was killed, but the tickets that answer it may not have been sent.
      await within(
        asked.catch(() => {}),
        'the request to settle',
      );
      assert.equal(questions.length, 1);
    });
  });
});
