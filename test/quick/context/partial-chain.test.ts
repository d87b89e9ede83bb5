// allowPartialTrustChain: what is trusted ends a chain, and nothing else does.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { SslContext, type SslContextOptions } from 'system-tls';
import { certificates, type Identity, openssl } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectedPair, makePair, type PairOptions, versions } from '../../support/memory-pair.ts';
import { opensslServer } from '../../support/peers.ts';
import { connectionsTrusting } from '../../support/scripts.ts';
import { connectTo } from '../../support/sockets.ts';
import { watch, within } from '../../support/wait.ts';

const { ca, otherCa, intermediate, deepServer, selfSigned, server, serverRsa } = certificates();
const identity = ({ cert, key }: Identity): SslContextOptions => ({ cert, key });
const partial = { allowPartialTrustChain: true };

async function refuses(options: PairOptions, code: string | RegExp): Promise<void> {
  const pair = makePair(options);
  watch(pair.server.accept());
  await rejected(pair.during(pair.client.connect()), code);
}

/** Issued by the intermediate CA, which it sends along. */
function deepClient(): SslContextOptions {
  const file = join(certificates().folder, 'partial-client');
  openssl(
    ...['req', '-x509', '-nodes', '-newkey', 'rsa:2048', '-keyout', `${file}.key`, '-out', `${file}.pem`, '-days', '3'],
    ...['-subj', '/CN=deep client', '-CA', intermediate.certFile, '-CAkey', intermediate.keyFile],
  );
  return { cert: readFileSync(`${file}.pem`, 'utf8') + intermediate.cert, key: readFileSync(`${file}.key`, 'utf8') };
}

const noIssuer = /^UNABLE_TO_(GET_ISSUER_CERT|GET_ISSUER_CERT_LOCALLY|VERIFY_LEAF_SIGNATURE)$/;

describe('allowPartialTrustChain', () => {
  for (const [version, both] of versions) {
    it(`lets an intermediate end the chain: ${version}`, async () => {
      const options: PairOptions = { both, server: identity(deepServer) };
      const trust = { ca: intermediate.cert };
      await refuses({ ...options, client: { ...both, ...trust } }, noIssuer);
      await refuses({ ...options, client: { ...both, ...trust, allowPartialTrustChain: false } }, noIssuer);
      const pair = await connectedPair({
        ...options,
        server: { ...both, ...identity(deepServer) },
        client: { ...both, ...trust, ...partial },
      });
      const subjects = pair.client.verifiedChain.map(({ subject }) => subject);
      assert.deepEqual(subjects, ['CN=localhost', 'CN=Intermediate CA']);
    });
  }

  it('lets the peer’s own certificate be trusted, and no other of its issuer', async () => {
    const trust = { ca: server.cert };
    await refuses({ client: trust }, noIssuer);
    const pair = await connectedPair({ client: { ...trust, ...partial } });
    assert.equal(pair.client.verifiedChain.length, 1);
    await refuses({ server: identity(serverRsa), client: { ...trust, ...partial } }, noIssuer);
  });

  it('does not trust what the peer has sent along', async () => {
    for (const trust of [otherCa, selfSigned]) {
      await refuses({ server: identity(deepServer), client: { ca: trust.cert, ...partial } }, noIssuer);
    }
  });

  it('leaves everything else to be checked: the name, the time, the depth', async () => {
    const { wrongHost, expired } = certificates();
    const trusting = (who: Identity) => ({ server: identity(who), client: { ca: who.cert, ...partial } });
    await refuses(trusting(wrongHost), 'ERR_TLS_CERT_ALTNAME_INVALID');
    await refuses(trusting(expired), 'CERT_HAS_EXPIRED');
    const deep = {
      server: identity(deepServer),
      client: { ca: [intermediate.cert, ca.cert], ...partial, verifyDepth: 0 },
    };
    await connectedPair(deep);
  });

  it('is for servers too, by name as well, and for no other context of them', async () => {
    const client = deepClient();
    const insisting = (options: SslContextOptions): SslContextOptions => ({
      ...identity(server),
      ca: intermediate.cert,
      requestCert: true,
      ...options,
    });
    const accepts = async (options: SslContextOptions, servername: string): Promise<boolean> => {
      const context = new SslContext(options);
      const pair = makePair({ serverContext: context, client, clientSsl: { servername, host: 'localhost' } });
      watch(pair.client.connect());
      return pair.during(
        pair.server.accept().then(
          () => true,
          () => false,
        ),
      );
    };
    const strict = insisting({ allowPartialTrustChain: false });
    const [outer, inner] = [insisting(partial), { ...insisting({}), ...partial }];
    assert.equal(await accepts(strict, 'localhost'), false);
    assert.equal(await accepts(outer, 'localhost'), true);
    const laxByName = { ...strict, serverNames: { 'a.example': inner } };
    assert.deepEqual([await accepts(laxByName, 'a.example'), await accepts(laxByName, 'b.example')], [true, false]);
    const strictByName = { ...outer, serverNames: { 'a.example': strict } };
    assert.deepEqual(
      [await accepts(strictByName, 'a.example'), await accepts(strictByName, 'b.example')],
      [false, true],
    );
  });

  it('with the system’s store is for one context, although that store is shared', async () => {
    const trusts = '[true, undefined, true, false].map(allowPartialTrustChain => ({ allowPartialTrustChain }))';
    const env = { SSL_CERT_FILE: intermediate.certFile, SSL_CERT_DIR: certificates().folder };
    const outcomes = await connectionsTrusting(trusts, deepServer, env);
    assert.deepEqual(
      outcomes.map(line => (noIssuer.test(line) ? 'refused' : line)),
      ['true', 'refused', 'true', 'refused'],
    );
  });

  it('keeps a client’s sessions apart from those of contexts without it', async () => {
    const trust = { ca: [intermediate.cert, ca.cert] };
    for (const [lax, strict] of [
      [partial, {}],
      [{}, partial],
    ]) {
      const { client } = await connectedPair({ server: identity(deepServer), client: { ...trust, ...lax } });
      const { session } = client;
      assert.ok(session);
      const other = makePair({ server: identity(deepServer), client: { ...trust, ...strict } });
      thrown(() => other.client.setSession(session), 'ERR_TLS_SESSION_POLICY_MISMATCH');
      makePair({ server: identity(deepServer), client: { ...trust, ...lax } }).client.setSession(session);
    }
  });

  it('takes nothing but a boolean', () => {
    thrown(() => new SslContext({ allowPartialTrustChain: 'yes' as never }), codes.wrongType);
    thrown(() => new SslContext({ allowPartialTrustChain: 1 as never }), codes.wrongType);
  });

  it('holds against servers of OpenSSL and of node:tls', async () => {
    const trust = { ca: intermediate.cert, io: undefined };
    const { port } = await opensslServer(['-cert_chain', intermediate.certFile], deepServer);
    const first = await connectTo(port, { ...trust, ...partial });
    assert.equal(first.authorized, true);
    // It serves one after the other.
    first.destroy();
    await rejected(connectTo(port, trust), noIssuer);
    const { cert, key } = deepServer;
    const nodes = tls.createServer({ cert, key }).listen(0, '127.0.0.1');
    await within(once(nodes, 'listening'), 'the server');
    const nodePort = (nodes.address() as AddressInfo).port;
    try {
      assert.equal((await connectTo(nodePort, { ...trust, ...partial })).authorized, true);
      await rejected(connectTo(nodePort, trust), noIssuer);
    } finally {
      nodes.close();
    }
  });
});
