// The cases of OpenSSL's own tests (test/ssl-tests) in which one side names authorities or says what a client may sign with: of
// 04-client_auth, 20-cert-select and 26-tls13_client_auth, with the numbers of OpenSSL 3.0.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type SslContextOptions, openssl as systemOpenssl } from 'system-tls';
import { needs } from '../../support/capabilities.ts';
import { certificates, type Identity, issue, openssl } from '../../support/certificates.ts';
import { tls12, tls13 } from '../../support/memory-pair.ts';
import { identity, type Outcome, outcomeOf } from '../../support/outcome.ts';
import { signatures } from '../../support/signatures.ts';

const testCa = 'CN=Test CA';
const { ca, otherCa, server: ecdsa, serverRsa: rsa, client: ecdsaClient } = certificates();
const rsaClient = issue('cases-client-rsa', { subject: '/CN=client', key: ['-newkey', 'rsa:2048'] });

const several = (...identities: readonly Identity[]): SslContextOptions => ({
  cert: identities.map(({ cert }) => cert),
  key: identities.map(({ key }) => key),
});

interface Sides {
  readonly client?: SslContextOptions;
  readonly server?: SslContextOptions;
}

interface Signed extends Outcome {
  readonly byClient: readonly string[];
  readonly byServer: readonly string[];
}

async function meet(sides: Sides): Promise<Signed> {
  const [client, server] = [signatures(), signatures()];
  const outcome = await outcomeOf({ ...sides, clientSsl: { on: server.on }, serverSsl: { on: client.on } });
  return { ...outcome, byClient: client.signed, byServer: server.signed };
}

const keyType = (certificate: { readonly publicKey: { readonly asymmetricKeyType?: string } } | null) =>
  certificate?.publicKey.asymmetricKeyType;

describe('OpenSSL’s cases of a client’s certificate (04-client_auth, 26-tls13_client_auth)', () => {
  const asking: SslContextOptions = { ...identity(rsa), ca: ca.cert, verifyMode: 'PEER' };
  /** What the server names, which is more than it trusts, as its clients read it. */
  const lists = [
    ['require', [], []],
    ['require-non-empty-names', [otherCa.cert, ca.cert], ['CN=Other CA', testCa]],
  ] as const;

  interface ClientAuthCase {
    /** Of the case without names; that with names is the next. */
    readonly number: number;
    readonly version: string;
    /** In the name of the case, where that is not the version. */
    readonly called?: string;
    readonly both: SslContextOptions;
    readonly clientSigalgs?: string;
    readonly signed: readonly string[];
  }

  const old = (version: NonNullable<SslContextOptions['minVersion']>, method?: 'DTLS'): SslContextOptions => ({
    ...(method && { method }),
    securityLevel: 0,
    minVersion: version,
    maxVersion: version,
  });
  const flexible: SslContextOptions = { securityLevel: 0 };
  const cases: readonly ClientAuthCase[] = [
    { number: 3, called: 'flex', version: 'TLSv1.3', both: flexible, signed: ['RSA-PSS+SHA256'] },
    { number: 9, version: 'TLSv1', both: old('TLSv1'), signed: [] },
    { number: 15, version: 'TLSv1.1', both: old('TLSv1.1'), signed: [] },
    { number: 21, version: 'TLSv1.2', both: old('TLSv1.2'), clientSigalgs: 'RSA+SHA256', signed: ['RSA+SHA256'] },
    { number: 27, version: 'DTLSv1', both: old('DTLSv1', 'DTLS'), signed: [] },
    { number: 33, version: 'DTLSv1.2', both: old('DTLSv1.2', 'DTLS'), signed: ['RSA-PSS+SHA256'] },
    { number: 3, version: 'TLSv1.3', both: tls13, clientSigalgs: 'PSS+SHA256', signed: ['RSA-PSS+SHA256'] },
  ];
  for (const { number, version, called = version, both, clientSigalgs, signed } of cases) {
    for (const [index, [kind, clientCa, names]] of lists.entries()) {
      it(`${number + index} client-auth-${called}-${kind}`, async function () {
        needs(this, !version.startsWith('DTLS') || systemOpenssl.features.dtls, 'this OpenSSL was built without DTLS');
        const met = await meet({
          client: { ...both, ...identity(rsaClient) },
          server: { ...both, ...asking, clientCa, clientSigalgs },
        });
        assert.equal(met.result, 'Success');
        assert.equal(met.pair.server.version, version);
        assert.equal(keyType(met.pair.server.peerCertificate), 'rsa');
        assert.deepEqual(met.pair.client.clientCaList, names);
        assert.deepEqual(met.byClient, signed);
        if (clientSigalgs !== undefined) assert.deepEqual(met.pair.client.sharedSigalgs, signed);
      });
    }
  }

  for (const [index, [kind, clientCa, names]] of lists.entries()) {
    it(`${8 + index} client-auth-TLSv1.3-${kind}-post-handshake`, async () => {
      const met = await meet({
        client: { ...tls13, ...identity(rsaClient) },
        server: { ...tls13, ...asking, verifyMode: ['PEER', 'POST_HANDSHAKE'], clientCa, clientSigalgs: 'PSS+SHA256' },
      });
      const { client, server } = met.pair;
      assert.deepEqual([met.result, server.peerCertificate, met.byClient], ['Success', null, []]);
      // A client answers while it reads.
      const reading = client.read();
      await met.pair.during(server.requestClientCertificate());
      await server.write(Buffer.from('x'));
      await met.pair.during(reading);
      assert.equal(keyType(server.peerCertificate), 'rsa');
      assert.deepEqual(client.clientCaList, names);
      assert.deepEqual([met.byClient, client.sharedSigalgs], [['RSA-PSS+SHA256'], ['RSA-PSS+SHA256']]);
    });
  }
});

describe('OpenSSL’s cases of what a client may sign with (20-cert-select)', () => {
  const asking: SslContextOptions = {
    ...identity(rsa),
    ca: ca.cert,
    clientCa: [],
    verifyMode: ['PEER', 'FAIL_IF_NO_PEER_CERT'],
  };
  const client: SslContextOptions = { ...tls13, ...several(rsaClient, ecdsaClient) };
  const pss = { clientSigalgs: 'PSS+SHA256' };
  const cases: ReadonlyArray<readonly [string, SslContextOptions, string, string, readonly string[]]> = [
    ['43 RSA, no names', pss, 'rsa', 'RSA-PSS+SHA256', []],
    // OpenSSL's case has SSL_CTX_set0_CA_list(3) on the server; here a server names authorities by `clientCa` alone.
    ['44 RSA, names', { ...pss, clientCa: otherCa.cert }, 'rsa', 'RSA-PSS+SHA256', ['CN=Other CA']],
    ['45 ECDSA', { clientSigalgs: 'ECDSA+SHA256' }, 'ec', 'ECDSA+SHA256', []],
  ];
  for (const [title, server, type, signed, names] of cases) {
    it(`${title}: it signs by ${signed}`, async () => {
      const met = await meet({ client, server: { ...asking, ...server } });
      assert.equal(met.result, 'Success');
      assert.equal(keyType(met.pair.server.peerCertificate), type);
      assert.deepEqual([met.byClient, met.pair.client.sharedSigalgs], [[signed], [signed]]);
      assert.deepEqual(met.pair.client.clientCaList, names);
    });
  }

  it('55 none of TLS 1.3: the server fails, which has nothing to ask for', async () => {
    const clientSigalgs = 'ECDSA+SHA1:DSA+SHA256:RSA+SHA256';
    const met = await meet({ server: { ...asking, verifyMode: 'PEER', clientSigalgs } });
    assert.equal(met.result, 'ServerFail');
    // The same is no obstacle without a request.
    const { result, pair } = await meet({ server: { ...identity(rsa), clientSigalgs } });
    assert.deepEqual([result, pair.client.version], ['Success', 'TLSv1.3']);
  });
});

describe('OpenSSL’s cases of authorities that a client names (20-cert-select)', () => {
  const eddsa = (algorithm: 'ed25519' | 'ed448') => {
    const key = ['-newkey', algorithm];
    return issue(`cases-${algorithm}`, { names: 'DNS:localhost', key });
  };
  const brainpool = () => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:brainpoolP256r1'];
    return issue('cases-brainpool', { names: 'DNS:localhost', key });
  };
  /** Its public key is a compressed point: the program makes such a key by reading one and writing it. */
  const compressed = () => {
    const file = join(certificates().folder, 'cases-compressed.key');
    openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', file);
    openssl('ec', '-in', file, '-conv_form', 'compressed', '-out', file);
    return issue('cases-compressed', { names: 'DNS:localhost', key: ['-key', file] });
  };
  const [ed25519, ed448, onBrainpool] = [eddsa('ed25519'), eddsa('ed448'), brainpool()];
  // The client's order of schemes counts, as in a context of OpenSSL's without options.
  const everyKind = { ...several(rsa, ecdsa, ed25519, ed448), honorCipherOrder: false };
  const twoKinds = several(rsa, ecdsa);
  const naming: SslContextOptions = { authorities: ca.cert };
  const namingBefore13 = { ...naming, ...tls12, ciphers: 'aECDSA' };
  const before13 = { maxVersion: 'TLSv1.2' } as const;
  const curve = 'brainpoolP256r1';

  interface Successful extends Sides {
    readonly title: string;
    readonly type: string;
    readonly signed?: string;
    /** What the server reads: up to TLS 1.2 there is no place for it. */
    readonly names: readonly string[];
  }

  const successful: readonly Successful[] = [
    {
      title: '0 ECDSA CipherString Selection',
      server: { ...everyKind, ...before13 },
      client: namingBefore13,
      ...{ type: 'ec', names: [] },
    },
    {
      title: '1 ECDSA CipherString Selection, the group is not the certificate’s',
      server: { ...twoKinds, ...before13, ecdhCurve: 'P-384' },
      client: { ...namingBefore13, ecdhCurve: 'P-256:P-384' },
      ...{ type: 'ec', names: [] },
    },
    {
      title: '15 Ed25519 CipherString and Signature Algorithm Selection',
      server: { ...everyKind, ...before13 },
      client: { ...namingBefore13, sigalgs: 'ed25519:ECDSA+SHA256' },
      ...{ type: 'ed25519', signed: 'ed25519', names: [] },
    },
    {
      title: '16 Ed448 CipherString and Signature Algorithm Selection',
      server: { ...everyKind, ...before13 },
      client: { ...namingBefore13, sigalgs: 'ed448:ECDSA+SHA256' },
      ...{ type: 'ed448', signed: 'ed448', names: [] },
    },
    {
      title: '20 ECDSA with brainpool',
      server: { ...identity(onBrainpool), ecdhCurve: curve, ...before13 },
      client: { ...namingBefore13, ecdhCurve: curve },
      ...{ type: 'ec', names: [] },
    },
    {
      title: '35 TLS 1.3 ECDSA Signature Algorithm Selection, no names',
      server: { ...everyKind, ...tls13 },
      client: { sigalgs: 'ECDSA+SHA256' },
      ...{ type: 'ec', signed: 'ECDSA+SHA256', names: [] },
    },
    {
      title: '36 TLS 1.3 ECDSA Signature Algorithm Selection compressed point, no names',
      server: { ...several(rsa, compressed()), ...tls13 },
      client: { sigalgs: 'ECDSA+SHA256' },
      ...{ type: 'ec', signed: 'ECDSA+SHA256', names: [] },
    },
    {
      title: '38 TLS 1.3 ECDSA Signature Algorithm Selection with PSS',
      server: { ...everyKind, ...tls13 },
      client: { ...naming, sigalgs: 'ECDSA+SHA256:RSA-PSS+SHA256' },
      ...{ type: 'ec', signed: 'ECDSA+SHA256', names: [testCa] },
    },
  ];
  for (const { title, server = {}, client = {}, type, signed, names } of successful) {
    it(`${title}: ${type}`, async () => {
      const met = await meet({ server, client });
      assert.equal(met.result, 'Success');
      assert.equal(keyType(met.pair.client.peerCertificate), type);
      assert.deepEqual(met.pair.server.peerCaList, names);
      if (signed === undefined) assert.match(String(met.byServer), /^ECDSA/);
      else assert.deepEqual(met.byServer, [signed]);
    });
  }

  it('2 ECDSA CipherString Selection: the server fails without the group of its certificate', async () => {
    const met = await meet({
      server: { ...twoKinds, ...before13, ecdhCurve: 'P-256:P-384' },
      client: { ...namingBefore13, ecdhCurve: 'P-384' },
    });
    assert.equal(met.result, 'ServerFail');
  });

  it('52 TLS 1.3 ECDSA with brainpool but no suitable groups: the client has no hello to send', async () => {
    const met = await meet({
      server: { ...identity(onBrainpool), ecdhCurve: curve },
      client: { ...naming, ciphers: 'TLS_AES_128_GCM_SHA256:aECDSA', ecdhCurve: curve },
    });
    assert.equal(met.result, 'ClientFail');
  });

  // OpenSSL 3.2 has the schemes of RFC 8734, which sign with such a certificate in TLS 1.3.
  const signsOnBrainpool = systemOpenssl.versionNumber >= 0x30200000;
  it(`53 TLS 1.3 ECDSA with brainpool: ${signsOnBrainpool ? 'signed' : 'the server’s certificate cannot sign'}`, async () => {
    const met = await meet({ server: identity(onBrainpool), client: { ...naming, ...tls13 } });
    assert.equal(met.result, signsOnBrainpool ? 'Success' : 'ServerFail');
    if (signsOnBrainpool) assert.deepEqual(met.pair.server.peerCaList, [testCa]);
  });
});
