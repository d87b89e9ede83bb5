import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { X509Certificate } from 'node:crypto';
import { Ssl, SslContext, type SslOptions, type Verify, type VerifyRequest } from 'system-tls';
import { certificates, type Identity } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import {
  clientContext,
  connectedPair,
  type MemoryPair,
  makePair,
  type PairOptions,
  serverContext,
  versions,
} from '../../support/memory-pair.ts';
import { handshakeType, trace } from '../../support/trace.ts';
import { deferred, sleep, turn, turns, watch } from '../../support/wait.ts';

const identity = ({ cert, key }: Identity) => ({ cert, key });
const subjects = (chain: readonly X509Certificate[]) => chain.map(({ subject }) => subject);

/** Both sides of a handshake that fails, as far as each learns of it. */
async function bothFail(pair: MemoryPair): Promise<{ client: Error; server: Error }> {
  const both = await pair.during(
    Promise.allSettled([
      pair.client.connect().then(() => pair.client.read()),
      pair.server.accept().then(() => pair.server.read()),
    ]),
  );
  const [client, server] = both.map(each => {
    assert.equal(each.status, 'rejected');
    return (each as PromiseRejectedResult).reason as Error;
  });
  return { client, server } as { client: Error; server: Error };
}

/** The two sides that can verify, and who is verified there. */
const sides = [
  {
    side: 'client',
    pairWith: (both: object, verify: Partial<SslOptions>, peer: () => Identity): PairOptions => ({
      both,
      server: identity(peer()),
      clientSsl: verify,
    }),
    good: () => certificates().server,
    bad: () => certificates().selfSigned,
    badResult: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    firstError: 'DEPTH_ZERO_SELF_SIGNED_CERT',
  },
  {
    side: 'server',
    pairWith: (both: object, verify: Partial<SslOptions>, peer: () => Identity): PairOptions => ({
      both,
      server: { requestCert: true, ca: certificates().ca.cert },
      client: identity(peer()),
      serverSsl: verify,
    }),
    good: () => certificates().client,
    bad: () => certificates().stranger,
    badResult: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    firstError: 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  },
] as const;

describe('the verify callback', () => {
  for (const [version, both] of versions) {
    for (const { side, pairWith, good, bad, badResult, firstError } of sides) {
      describe(`${version}, ${side}`, () => {
        it('sees the chain, each certificate and what OpenSSL thinks', async () => {
          const requests: VerifyRequest[] = [];
          const verify: Verify = request => requests.push(request) > 0;
          const pair = await connectedPair(pairWith(both, { verify }, good));
          assert.equal(requests.length, 1);
          const [request] = requests as [VerifyRequest];
          assert.equal(request.ssl, pair[side]);
          assert.deepEqual(subjects(request.chain), [`CN=${side === 'client' ? 'localhost' : 'client'}`, 'CN=Test CA']);
          assert.ok(request.chain.every(each => each instanceof X509Certificate));
          assert.equal(request.verifyResult.name, 'OK');
          assert.deepEqual(
            request.certificates.map(({ certificate, depth, error }) => [certificate.subject, depth, error]),
            [
              ['CN=Test CA', 1, null],
              [request.chain[0]?.subject, 0, null],
            ],
          );
          assert.equal(pair[side].verifyResult.name, 'OK');
        });

        it('sees errors by name, and may overrule them', async () => {
          let seen: VerifyRequest | undefined;
          const verify: Verify = request => {
            seen = request;
            return true;
          };
          const pair = await connectedPair(pairWith(both, { verify }, bad));
          assert.equal(seen?.verifyResult.name, badResult);
          const errors = seen?.certificates.map(({ error }) => error?.name);
          assert.equal(errors?.[0], firstError);
          assert.equal(errors?.at(-1), badResult);
          // Trap 7: the result must not contradict the outcome.
          assert.deepEqual(pair[side].verifyResult, { code: 0, name: 'OK', message: 'ok' });
          assert.notEqual(pair[side].peerCertificate, null);
        });

        it('may refuse what OpenSSL accepts, by a reason that decides the alert', async () => {
          for (const [answer, code, alert] of [
            [false, 'APPLICATION_VERIFICATION', 'handshake_failure'],
            ['CERT_REVOKED', 'CERT_REVOKED', 'certificate_revoked'],
            ['CERT_HAS_EXPIRED', 'CERT_HAS_EXPIRED', 'certificate_expired'],
            ['INVALID_CA', 'INVALID_CA', 'unknown_ca'],
            ['CERT_UNTRUSTED', 'CERT_UNTRUSTED', 'bad_certificate'],
          ] as const) {
            const pair = makePair(pairWith(both, { verify: () => answer }, good));
            const errors = await bothFail(pair);
            const other = side === 'client' ? 'server' : 'client';
            const refused = errors[side] as Error & { code: string; alert: { name: string; direction: string } };
            assert.equal(refused.code, code);
            assert.deepEqual([refused.alert.name, refused.alert.direction], [alert, 'sent']);
            const heard = errors[other] as Error & { alert: { name: string; direction: string } };
            assert.deepEqual([heard.alert.name, heard.alert.direction], [alert, 'received']);
            assert.equal(pair[side].verifyResult.name, code);
          }
        });

        it('that says false keeps OpenSSL’s own reason', async () => {
          const errors = await bothFail(makePair(pairWith(both, { verify: () => false }, bad)));
          assert.equal((errors[side] as NodeJS.ErrnoException).code, badResult);
        });

        it('may answer by a promise, and the handshake waits', async () => {
          const answer = deferred<boolean>();
          const asked = deferred<VerifyRequest>();
          const verify: Verify = request => {
            asked.resolve(request);
            return answer.promise;
          };
          const pair = makePair(pairWith(both, { verify }, good));
          const handshake = watch(Promise.all([pair.client.connect(), pair.server.accept()]));
          pair.flow();
          await asked.promise;
          await sleep(20);
          assert.equal(pair[side].established, false);
          assert.equal(handshake.outcome.status, 'pending');
          answer.resolve(true);
          await handshake.promise;
          assert.equal(pair[side].verifyResult.name, 'OK');
          await pair.client.write('hello');
          assert.equal(String(await pair.server.read()), 'hello');
        });

        it('that throws or rejects fails its own handshake alone, as the cause', async () => {
          const reason = new Error('the database is down');
          const ways: Verify[] = [
            () => {
              throw reason;
            },
            () => Promise.reject(reason),
            async () => {
              await sleep(1);
              throw reason;
            },
          ];
          const other = await connectedPair(pairWith(both, { verify: () => true }, good));
          for (const verify of ways) {
            const errors = await bothFail(makePair(pairWith(both, { verify }, good)));
            const error = errors[side] as Error & { code: string; alert: { name: string } };
            assert.equal(error.code, 'ERR_TLS_VERIFY_CALLBACK');
            assert.equal(error.cause, reason);
            assert.match(error.message, /the function verify failed: the database is down/);
            assert.equal(error.alert.name, 'internal_error');
          }
          await other.client.write('unharmed');
          assert.equal(String(await other.during(other.server.read())), 'unharmed');
        });

        it('that answers with something else is a named error, and refuses', async () => {
          for (const answer of [undefined, null, 1, 0, {}, 'NO_SUCH_ERROR', '', Promise.resolve()] as unknown[]) {
            const verify = (() => answer) as Verify;
            const errors = await bothFail(makePair(pairWith(both, { verify }, good)));
            assert.equal((errors[side] as NodeJS.ErrnoException).code, 'ERR_INVALID_RETURN_VALUE');
          }
        });

        it('as verifyCallback is called for each finding, as OpenSSL calls its own', async () => {
          const calls: unknown[] = [];
          const verifyCallback: SslOptions['verifyCallback'] = (ok, { certificate, depth, error }) => {
            calls.push([ok, certificate.subject, depth, error?.name ?? null]);
            return true;
          };
          const pair = await connectedPair(pairWith(both, { verifyCallback }, good));
          assert.deepEqual(calls, [
            [true, 'CN=Test CA', 1, null],
            [true, `CN=${side === 'client' ? 'localhost' : 'client'}`, 0, null],
          ]);
          assert.equal(pair[side].verifyResult.code, 0);
          calls.length = 0;
          await connectedPair(pairWith(both, { verifyCallback }, bad));
          assert.deepEqual((calls[0] as unknown[]).slice(2), [0, firstError]);
          assert.equal((calls[0] as unknown[])[0], false);
        });

        it('as verifyCallback stops at the first that refuses, and may wait', async () => {
          let calls = 0;
          const verifyCallback: SslOptions['verifyCallback'] = async (_ok, { ssl }) => {
            assert.ok(ssl instanceof Ssl);
            await sleep(1);
            calls++;
            return 'CERT_REVOKED';
          };
          const errors = await bothFail(makePair(pairWith(both, { verifyCallback }, good)));
          assert.equal((errors[side] as NodeJS.ErrnoException).code, 'CERT_REVOKED');
          assert.equal(calls, 1);
        });

        it('is called in the asynchronous context of its connection', async () => {
          const storage = new AsyncLocalStorage<string>();
          const seen: unknown[] = [];
          const verify: Verify = async () => {
            seen.push(storage.getStore());
            await sleep(1);
            seen.push(storage.getStore());
            return true;
          };
          const pair = storage.run('mine', () => makePair(pairWith(both, { verify }, good)));
          await pair.handshake();
          assert.deepEqual(seen, ['mine', 'mine']);
        });

        it('that never answers meets the timeout of the handshake', async () => {
          const pair = makePair(pairWith(both, { verify: () => new Promise<boolean>(() => {}) }, good));
          const { client, server } = pair;
          const other = side === 'client' ? server : client;
          void other.handshake().catch(() => {});
          await rejected(pair.during(pair[side].handshake({ timeout: 50 })), codes.timeout);
          assert.equal(pair[side].closed, true);
        });

        it('that answers after close(), or twice, does no harm', async () => {
          for (const late of [true, false, 'CERT_REVOKED', undefined as unknown as boolean]) {
            const answer = deferred<boolean | string>();
            const asked = deferred<void>();
            const verify: Verify = () => {
              asked.resolve(undefined);
              return answer.promise;
            };
            const pair = makePair(pairWith(both, { verify }, good));
            const handshake = watch(Promise.all([pair.client.connect(), pair.server.accept()]));
            pair.flow();
            await asked.promise;
            pair[side].close();
            await rejected(handshake.promise, codes.closed);
            answer.resolve(late);
            await turns(3);
          }
          // A thenable that calls back twice, and the second time otherwise.
          const then = (done: (answer: boolean) => void): void => {
            done(true);
            done(false);
          };
          const twice = Object.fromEntries([['then', then]]) as unknown as PromiseLike<boolean>;
          const pair = await connectedPair(pairWith(both, { verify: () => twice }, good));
          assert.equal(pair[side].verifyResult.code, 0);
        });

        it('lets all else wait while it decides', async () => {
          const answer = deferred<boolean>();
          const asked = deferred<void>();
          const verify: Verify = () => {
            asked.resolve(undefined);
            return answer.promise;
          };
          const pair = makePair(pairWith(both, { verify }, good));
          const [here, there] = side === 'client' ? [pair.client, pair.server] : [pair.server, pair.client];
          const handshake = watch(Promise.all([here.handshake(), there.handshake()]));
          const reading = watch(here.read());
          pair.flow();
          await asked.promise;
          const writing = watch(here.write('queued'));
          thrown(() => here.setVerify({ verifyMode: 'PEER' }), 'ERR_TLS_CALLBACK_PENDING');
          thrown(() => here.useCertificate(certificates().client.cert), 'ERR_TLS_HANDSHAKE_STARTED');
          await sleep(10);
          assert.equal(writing.outcome.status, 'pending');
          assert.equal(here.version, 'unknown');
          answer.resolve(true);
          await handshake.promise;
          await writing.promise;
          assert.equal(String(await there.read()), 'queued');
          await there.write('answer');
          assert.equal(String(await reading.promise), 'answer');
        });
      });
    }
  }

  it('shows what can be looked at later too, and is the same each time', async () => {
    let kept: VerifyRequest | undefined;
    const pair = await connectedPair({
      clientSsl: {
        verify: request => {
          kept = request;
          return true;
        },
      },
    });
    pair.close();
    await turns(3);
    assert.ok(kept);
    assert.deepEqual(subjects(kept.chain), ['CN=localhost', 'CN=Test CA']);
    assert.equal(kept.chain, kept.chain);
    for (const { certificate, depth } of kept.certificates) assert.equal(certificate, kept.chain[depth]);
  });

  it('on a client decides before its own certificate is sent', async () => {
    for (const [version, both] of versions) {
      const answer = deferred<string>();
      const asked = deferred<void>();
      const verify: Verify = () => {
        asked.resolve(undefined);
        return answer.promise;
      };
      const pair = makePair({
        both,
        client: identity(certificates().client),
        server: { requestCert: true, ca: certificates().ca.cert },
        clientSsl: { verify },
      });
      const [client, server] = [trace(pair.client), trace(pair.server)];
      const handshake = watch(Promise.all([pair.client.connect(), pair.server.accept()]));
      pair.flow();
      await asked.promise;
      await sleep(10);
      // TLS 1.2 servers ask behind their certificate, which is looked at as it comes.
      assert.equal(client.count(false, handshakeType.certificateRequest), version === 'TLSv1.3' ? 1 : 0);
      assert.equal(client.count(true, handshakeType.certificate), 0);
      answer.resolve('CERT_UNTRUSTED');
      await rejected(handshake.promise, 'CERT_UNTRUSTED');
      await sleep(10);
      assert.equal(client.count(true, handshakeType.certificate), 0);
      assert.equal(server.count(false, handshakeType.certificate), 0);
    }
  });

  it('of the context is for all its connections, and one may have its own or none', async () => {
    const context = clientContext({ verify: () => 'CERT_REVOKED' });
    await rejected(
      (async () => {
        const pair = makePair({ clientContext: context });
        void pair.server.accept().catch(() => {});
        await pair.during(pair.client.connect());
      })(),
      'CERT_REVOKED',
    );
    await connectedPair({ clientContext: context, clientSsl: { verify: () => true } });
    await connectedPair({ clientContext: context, clientSsl: { verifyCallback: () => true } });
    await connectedPair({ clientContext: context, clientSsl: { verify: null } });
  });

  it('can be set for the next handshake, and taken away', async () => {
    const pair = makePair({ server: identity(certificates().selfSigned) });
    pair.client.setVerify({ verify: () => true });
    await pair.handshake();
    assert.equal(pair.client.verifyResult.code, 0);
    const other = makePair({ clientSsl: { verify: () => false } });
    other.client.setVerify({ verify: null });
    await other.handshake();
  });

  it('that only wants to hear returns true: what OpenSSL found is in the request', async () => {
    const heard: string[] = [];
    const verify: Verify = ({ verifyResult }) => {
      heard.push(verifyResult.name);
      return true;
    };
    const server = identity(certificates().selfSigned);
    const { client } = await connectedPair({ server, client: { verify, verifyMode: 'PEER' } });
    assert.deepEqual(heard, ['DEPTH_ZERO_SELF_SIGNED_CERT']);
    assert.equal(client.verifyResult.name, 'OK');
  });

  it('is refused beside what contradicts it', () => {
    const verify = () => true;
    thrown(() => new SslContext({ verify, rejectUnauthorized: false }), 'ERR_INVALID_ARG_VALUE');
    thrown(() => new SslContext({ verify, verifyCallback: verify }), 'ERR_INVALID_ARG_VALUE');
    thrown(() => new SslContext({ verify: 'yes' as unknown as Verify }), 'ERR_INVALID_ARG_TYPE');
    thrown(
      () => new Ssl(clientContext({ verify }), { side: 'client', rejectUnauthorized: false }),
      'ERR_INVALID_ARG_VALUE',
    );
    // A server that asks for no certificate now may ask for it later.
    new Ssl(serverContext({ verify }), { side: 'server', verifyMode: 'NONE' }).close();
  });

  describe("beside verifyMode 'NONE' on a client", () => {
    for (const [version, both] of versions) {
      const without = (verify: Verify, server = certificates().server): PairOptions => ({
        both,
        server: identity(server),
        client: { verify, verifyMode: 'NONE' },
      });

      it(`${version}: is called and waited for, and its answer refuses nobody`, async () => {
        for (const answer of [false, 'CERT_REVOKED', 'INVALID_CA'] as const) {
          const answers = [() => answer, () => turn().then(() => answer)];
          for (const verify of answers) {
            const { client, server } = await connectedPair(without(verify));
            assert.equal(client.verifyResult.name, answer === false ? 'APPLICATION_VERIFICATION' : answer);
            assert.equal(client.peerCertificate?.subject, 'CN=localhost');
            assert.equal(server.established, true);
          }
        }
      });

      it(`${version}: what it says is the result, also where it is content with a stranger`, async () => {
        const heard: string[] = [];
        const verify: Verify = ({ verifyResult }) => heard.push(verifyResult.name) > 0;
        const { client } = await connectedPair(without(verify, certificates().selfSigned));
        assert.deepEqual(heard, ['DEPTH_ZERO_SELF_SIGNED_CERT']);
        assert.equal(client.verifyResult.name, 'OK');
      });

      it(`${version}: one that throws, or answers with rubbish, fails the handshake`, async () => {
        for (const [verify, code] of [
          [() => Promise.reject(new Error('no store')), 'ERR_TLS_VERIFY_CALLBACK'],
          [() => 'NO_SUCH_NAME', 'ERR_INVALID_RETURN_VALUE'],
        ] as const) {
          const { client } = await bothFail(makePair(without(verify)));
          assert.equal((client as Error & { code: string }).code, code);
        }
      });

      it(`${version}: no session of it passes for that of a verified peer`, async () => {
        const verify = () => true;
        const { client } = await connectedPair(without(verify));
        const { session } = client;
        assert.ok(session);
        const strict = clientContext({ verify });
        const resume = () => new Ssl(strict, { side: 'client', servername: 'localhost', session });
        thrown(resume, 'ERR_TLS_SESSION_NOT_VERIFIED');
      });
    }

    it('by setVerify(), before the handshake', async () => {
      const pair = makePair({ server: identity(certificates().server), clientSsl: { verify: () => false } });
      pair.client.setVerify({ verifyMode: 'NONE' });
      await pair.handshake();
      assert.equal(pair.client.verifyResult.name, 'APPLICATION_VERIFICATION');
    });

    it('by setVerify(), after which PEER decides again', async () => {
      const pair = makePair({
        server: identity(certificates().server),
        clientSsl: { verify: () => false, verifyMode: 'NONE' },
      });
      pair.client.setVerify({ verifyMode: 'PEER' });
      const { client } = await bothFail(pair);
      assert.equal((client as Error & { code: string }).code, 'APPLICATION_VERIFICATION');
    });

    it('a server, which asks for no certificate, calls nobody', async () => {
      const verify = () => assert.fail('called');
      const { server } = await connectedPair({
        client: identity(certificates().client),
        server: { verify, verifyMode: 'NONE', ca: certificates().ca.cert },
      });
      assert.equal(server.peerCertificate, null);
    });
  });
});
