// Whom a context trusts: files, hashed folders, revocation lists, names of client authorities, depth.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openssl as library, type RehashResult, SslContext, type SslContextOptions } from 'system-tls';
import { needsProgram, withoutPrivileges } from '../../support/capabilities.ts';
import { certificates, type Identity, openssl } from '../../support/certificates.ts';
import { makeCrl } from '../../support/crl.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { connectedPair, makePair, type PairOptions, versions } from '../../support/memory-pair.ts';
import { runModule } from '../../support/nodes.ts';
import { opensslClient } from '../../support/peers.ts';
import { connectionsTrusting } from '../../support/scripts.ts';
import { startServer } from '../../support/sockets.ts';

function folderOf(files: Readonly<Record<string, string | Uint8Array>>): string {
  const folder = mkdtempSync(join(certificates().folder, 'trust-'));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  return folder;
}

const hashOf = ({ certFile }: Identity): string => openssl('x509', '-hash', '-noout', '-in', certFile).trim();
const identity = ({ cert, key }: Identity): SslContextOptions => ({ cert, key });
const trusting = (options: SslContextOptions): PairOptions => ({ client: { ca: undefined, ...options } });

async function refuses(options: PairOptions, code: string | RegExp): Promise<void> {
  const pair = makePair(options);
  void pair.server.accept().catch(() => {});
  await rejected(pair.during(pair.client.connect()), code);
}

describe('rehash()', () => {
  const names = ({ links }: RehashResult) => Object.fromEntries(links.map(({ name, file }) => [name, file]));

  it('gives the names that the program gives, and OpenSSL finds what is under them', async function () {
    needsProgram(this, 'openssl');
    const { ca, otherCa, intermediate } = certificates();
    const files = { 'ca.pem': ca.cert, 'other.crt': otherCa.cert, 'i.cer': intermediate.cert, 'list.crl': makeCrl(ca) };
    const [ours, theirs] = [folderOf(files), folderOf(files)];
    const result = await library.rehash(ours);
    openssl('rehash', theirs);
    assert.deepEqual(readdirSync(ours).sort(), readdirSync(theirs).sort());
    for (const { name, file } of result.links) assert.equal(readlinkSync(join(ours, name)), file);
    assert.deepEqual(names(result), {
      [`${hashOf(ca)}.0`]: 'ca.pem',
      [`${hashOf(otherCa)}.0`]: 'other.crt',
      [`${hashOf(intermediate)}.0`]: 'i.cer',
      [`${hashOf(ca)}.r0`]: 'list.crl',
    });
    assert.deepEqual([result.skipped, result.removed], [[], []]);
    const pair = await connectedPair(trusting({ caPath: ours }));
    assert.equal(pair.client.verifyResult.name, 'OK');
    await refuses(
      { ...trusting({ caPath: ours }), server: identity(certificates().selfSigned) },
      'DEPTH_ZERO_SELF_SIGNED_CERT',
    );
  });

  it('numbers authorities of one name, and leaves out those that are the same', async () => {
    const { ca } = certificates();
    const { folder } = certificates();
    const twin = join(folder, 'twin.pem');
    openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', `${twin}.key`],
      ...['-out', twin, '-days', '3', '-subj', '/CN=Test CA', '-addext', 'basicConstraints=critical,CA:TRUE'],
    );
    const path = folderOf({ 'b-ca.pem': ca.cert, 'c-copy.pem': `with words before it\n${ca.cert}` });
    cpSync(twin, join(path, 'a-twin.pem'));
    const result = await library.rehash(path);
    assert.deepEqual(names(result), { [`${hashOf(ca)}.0`]: 'a-twin.pem', [`${hashOf(ca)}.1`]: 'b-ca.pem' });
    assert.deepEqual(result.skipped, [{ file: 'c-copy.pem', code: 'DUPLICATE', reason: 'it is the same as b-ca.pem' }]);
    await connectedPair(trusting({ caPath: path }));
  });

  it('reports rubbish file by file, and links the rest', async () => {
    const { ca, otherCa, server } = certificates();
    const path = folderOf({
      'ca.pem': ca.cert,
      'empty.pem': '',
      'garbage.pem': Buffer.from([0, 1, 2, 255]),
      'key.pem': server.key,
      'damaged.crt': otherCa.cert.slice(0, 300),
      'both.pem': ca.cert + otherCa.cert,
      'ca.pem~': otherCa.cert,
      README: 'text',
    });
    mkdirSync(join(path, 'folder.pem'));
    symlinkSync('nowhere', join(path, 'dangling.pem'));
    symlinkSync('loop.pem', join(path, 'loop.pem'));
    const result = await library.rehash(path);
    assert.deepEqual(names(result), { [`${hashOf(ca)}.0`]: 'ca.pem' });
    assert.deepEqual(Object.fromEntries(result.skipped.map(({ file, code }) => [file, code])), {
      README: 'OTHER_NAME',
      'both.pem': 'SEVERAL',
      'ca.pem~': 'OTHER_NAME',
      'damaged.crt': 'NO_CERTIFICATE',
      'dangling.pem': 'UNREADABLE',
      'empty.pem': 'NO_CERTIFICATE',
      'folder.pem': 'NOT_A_FILE',
      'garbage.pem': 'NO_CERTIFICATE',
      'key.pem': 'NO_CERTIFICATE',
      'loop.pem': 'UNREADABLE',
    });
    for (const { reason } of result.skipped) assert.notEqual(reason, '');
  });

  it('may be called again: it removes what leads nowhere, and leaves alone what is right', async () => {
    const { ca, otherCa } = certificates();
    const path = folderOf({ 'ca.pem': ca.cert });
    symlinkSync('gone.pem', join(path, '00000000.0'));
    symlinkSync('gone.pem', join(path, `${hashOf(ca)}.7`));
    const first = await library.rehash(path);
    assert.deepEqual([...first.removed].sort(), ['00000000.0', `${hashOf(ca)}.7`].sort());
    const before = lstatSync(join(path, `${hashOf(ca)}.0`)).ino;
    const second = await library.rehash(path);
    assert.deepEqual([second.links, second.removed], [first.links, []]);
    assert.equal(lstatSync(join(path, `${hashOf(ca)}.0`)).ino, before);
    // Another certificate under the same file name.
    writeFileSync(join(path, 'ca.pem'), otherCa.cert);
    const third = await library.rehash(path);
    assert.deepEqual(third.removed, [`${hashOf(ca)}.0`]);
    assert.deepEqual(readdirSync(path).sort(), ['ca.pem', `${hashOf(otherCa)}.0`].sort());
    // Two at a time.
    await Promise.all([library.rehash(path), library.rehash(path)]);
    assert.deepEqual(readdirSync(path).sort(), ['ca.pem', `${hashOf(otherCa)}.0`].sort());
  });

  it('does not touch a file of its own under a hashed name, and counts past it', async () => {
    const { ca, otherCa } = certificates();
    const path = folderOf({ 'ca.pem': ca.cert, [`${hashOf(ca)}.0`]: otherCa.cert });
    const result = await library.rehash(path);
    assert.deepEqual(names(result), { [`${hashOf(ca)}.1`]: 'ca.pem' });
    assert.deepEqual(
      result.skipped.map(({ code }) => code),
      ['NAME_IN_USE'],
    );
    await connectedPair(trusting({ caPath: path }));
  });

  it('does not wait for a pipe, and reads no device', async () => {
    const { ca } = certificates();
    const path = folderOf({ 'ca.pem': ca.cert });
    for (const pipe of ['pipe.pem', '12345678.0']) execFileSync('mkfifo', [join(path, pipe)]);
    symlinkSync('/dev/zero', join(path, 'zero.pem'));
    symlinkSync('pipe.pem', join(path, 'to-pipe.pem'));
    const listener = createServer().listen(join(path, 'socket.pem'));
    await once(listener, 'listening');
    try {
      // In a process of its own: what waits for a pipe keeps the exit of this one waiting as well.
      const program = `
        import { openssl } from 'system-tls';
        setTimeout(() => process.kill(process.pid, 'SIGKILL'), 30_000).unref();
        console.log(JSON.stringify(await openssl.rehash(${JSON.stringify(path)})));
      `;
      const { stdout, stderr } = await runModule(process.execPath, program);
      assert.notEqual(stdout, '', stderr);
      const result: RehashResult = JSON.parse(stdout);
      assert.deepEqual(names(result), { [`${hashOf(ca)}.0`]: 'ca.pem' });
      assert.deepEqual(Object.fromEntries(result.skipped.map(({ file, code }) => [file, code])), {
        'pipe.pem': 'NOT_A_FILE',
        'socket.pem': 'NOT_A_FILE',
        'to-pipe.pem': 'NOT_A_FILE',
        'zero.pem': 'NOT_A_FILE',
        '12345678.0': 'NOT_A_FILE',
      });
    } finally {
      listener.close();
    }
  });

  it('may be called many times at once, for copies too', async () => {
    const { ca, otherCa } = certificates();
    const path = folderOf({ 'ca.pem': ca.cert, 'other.pem': otherCa.cert });
    const all = ['ca.pem', 'other.pem', `${hashOf(ca)}.0`, `${hashOf(otherCa)}.0`].sort();
    for (const copies of [[true], [false], [true, false]]) {
      const calls = Array.from({ length: 12 }, (_, index) =>
        library.rehash(path, { copy: copies[index % copies.length] }),
      );
      for (const { links, skipped } of await Promise.all(calls)) {
        assert.equal(links.length, 2);
        assert.deepEqual(skipped, []);
      }
      assert.deepEqual(readdirSync(path).sort(), all);
    }
    chmodSync(join(path, 'ca.pem'), 0o640);
    await library.rehash(path, { copy: true });
    assert.equal(lstatSync(join(path, `${hashOf(ca)}.0`)).mode & 0o777, 0o640);
  });

  it('leaves nothing behind where it fails', async () => {
    const { ca } = certificates();
    const path = folderOf({ 'ca.pem': ca.cert });
    // A name that a folder takes after it was looked for cannot be renamed to.
    const call = library.rehash(path);
    mkdirSync(join(path, `${hashOf(ca)}.0`));
    const outcome = await call.then(
      ({ links }) => links.length,
      (error: NodeJS.ErrnoException) => error.code,
    );
    assert.ok(outcome === 'EISDIR' || outcome === 0, String(outcome));
    assert.deepEqual(readdirSync(path).sort(), ['ca.pem', `${hashOf(ca)}.0`].sort());
  });

  const unloadable: [string, (at: string) => void][] = [
    ['a file of rubbish', at => writeFileSync(at, 'mine')],
    ['an empty file', at => writeFileSync(at, '')],
    ['a CRL', at => writeFileSync(at, makeCrl(certificates().otherCa))],
    ['a folder', at => mkdirSync(at)],
  ];
  for (const [what, make] of unloadable) {
    it(`says which certificates are hidden behind ${what} under their name`, async () => {
      const { ca, otherCa } = certificates();
      const path = folderOf({ 'ca.pem': ca.cert, 'other.pem': otherCa.cert, 'list.crl': makeCrl(ca) });
      const blocked = `${hashOf(ca)}.0`;
      make(join(path, blocked));
      const result = await library.rehash(path);
      assert.deepEqual(names(result), { [`${hashOf(otherCa)}.0`]: 'other.pem', [`${hashOf(ca)}.r0`]: 'list.crl' });
      assert.deepEqual(Object.fromEntries(result.skipped.map(({ file, code }) => [file, code])), {
        'ca.pem': 'HIDDEN',
        [blocked]: what === 'a folder' ? 'NOT_A_FILE' : 'NAME_IN_USE',
      });
      assert.match(result.skipped.find(({ file }) => file === 'ca.pem')?.reason ?? '', new RegExp(blocked));
      await refuses(trusting({ caPath: path }), /^UNABLE_TO_/);
      rmSync(join(path, blocked), { recursive: true });
      assert.equal((await library.rehash(path)).links.length, 3);
      await connectedPair(trusting({ caPath: path }));
    });
  }

  it('makes copies where links are not wanted', async () => {
    const { ca } = certificates();
    const path = folderOf({ 'ca.pem': ca.cert });
    for (const _ of [1, 2]) {
      const result = await library.rehash(path, { copy: true });
      assert.deepEqual([names(result), result.skipped], [{ [`${hashOf(ca)}.0`]: 'ca.pem' }, []]);
      assert.ok(lstatSync(join(path, `${hashOf(ca)}.0`)).isFile());
    }
    await connectedPair(trusting({ caPath: path }));
    assert.ok((await library.rehash(path)).links.length === 1);
    assert.ok(lstatSync(join(path, `${hashOf(ca)}.0`)).isSymbolicLink());
  });

  it('refuses what is no folder', async () => {
    assert.match((await rejected(library.rehash('/nonexistent'), 'ENOENT')).message, /directory '\/nonexistent'/);
    await rejected(library.rehash(certificates().ca.certFile), 'ENOTDIR');
    await rejected(library.rehash('a\0b'), 'ERR_INVALID_ARG_VALUE');
    await rejected(library.rehash(1 as never), 'ERR_INVALID_ARG_TYPE');
    await rejected(library.rehash('/', { copy: 1 as never }), 'ERR_INVALID_ARG_TYPE');
  });

  it('refuses a folder that it may not write', async () => {
    const path = mkdtempSync(join(tmpdir(), 'system-tls-read-only-'));
    try {
      writeFileSync(join(path, 'ca.pem'), certificates().ca.cert);
      chmodSync(path, 0o555);
      const program = `
        import { openssl } from 'system-tls';
        if (process.geteuid() === 0) process.seteuid(65534);
        await openssl.rehash(${JSON.stringify(path)}).catch(({ code }) => console.log(code));
      `;
      const { stdout, stderr } = await runModule(process.execPath, program);
      assert.equal(stdout.trim(), 'EACCES', stderr);
      assert.deepEqual(readdirSync(path), ['ca.pem']);
    } finally {
      chmodSync(path, 0o755);
      rmSync(path, { recursive: true });
    }
  });
});

describe('caFile and caPath', () => {
  it('together: the file is looked at first, then the folder', async () => {
    const { ca, otherCa } = certificates();
    const caPath = folderOf({ 'ca.pem': ca.cert });
    await library.rehash(caPath);
    await connectedPair(trusting({ caFile: otherCa.certFile, caPath }));
    await connectedPair(trusting({ caFile: ca.certFile }));
    await refuses(trusting({ caFile: otherCa.certFile }), /^UNABLE_TO_/);
  });

  it('a folder is looked into when it is needed: what is added later counts', async () => {
    const caPath = folderOf({});
    const options = trusting({ caPath });
    await refuses(options, /^UNABLE_TO_/);
    const context = new SslContext({ caPath });
    writeFileSync(join(caPath, 'ca.pem'), certificates().ca.cert);
    await library.rehash(caPath);
    await connectedPair({ clientContext: context });
  });

  it('that cannot be used are refused by name', () => {
    const { ca, folder } = certificates();
    const garbage = join(folderOf({ garbage: 'garbage' }), 'garbage');
    const empty = join(folderOf({ empty: '' }), 'empty');
    const wrong: [SslContextOptions, string | RegExp, RegExp][] = [
      [{ caFile: '/nonexistent' }, 'ENOENT', /caFile '\/nonexistent' cannot be read: ENOENT/],
      [{ caFile: folder }, 'EISDIR', /caFile .* goes into caPath/],
      [{ caFile: empty }, 'ERR_TLS_INVALID_INPUT', /caFile '.*empty' is empty/],
      [{ caFile: garbage }, 'ERR_OSSL_X509_NO_CERTIFICATE_OR_CRL_FOUND', /caFile '.*garbage'/],
      [{ caPath: '/nonexistent' }, 'ENOENT', /caPath '\/nonexistent' cannot be read/],
      [{ caPath: ca.certFile }, 'ENOTDIR', /caPath/],
      [{ caPath: folder }, 'ERR_TLS_CA_PATH_NOT_HASHED', /openssl\.rehash\(\)/],
    ];
    for (const [options, code, message] of wrong)
      assert.match(thrown(() => new SslContext(options), code).message, message);
  });

  it('a folder that this process may not read', () => {
    const caPath = folderOf({});
    chmodSync(caPath, 0);
    withoutPrivileges(() => thrown(() => new SslContext({ caPath }), 'EACCES'));
  });
});

describe('an empty list', () => {
  it('ca: [] trusts nobody, whomever the system trusts', async () => {
    const { ca, server } = certificates();
    const trusts = '[{}, { ca: [] }, { ca: [], systemCa: true }, { ca: null }]';
    const outcomes = await connectionsTrusting(trusts, server, { SSL_CERT_FILE: ca.certFile });
    assert.deepEqual(outcomes, ['true', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'true', 'true']);
  });

  it('beside caFile adds nobody', async () => {
    const { ca, otherCa } = certificates();
    await connectedPair(trusting({ ca: [], caFile: ca.certFile }));
    await refuses(trusting({ ca: [], caFile: otherCa.certFile }), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
  });
});

for (const [version, both] of versions) {
  describe(`revocation lists, ${version}`, () => {
    const deep = () => identity(certificates().deepServer);
    const listed = (options: SslContextOptions): PairOptions => ({
      both,
      client: { ca: certificates().ca.cert, ...options },
    });

    it('of the leaf', async () => {
      const { ca, server } = certificates();
      const clean = makeCrl(ca);
      await connectedPair(listed({ crl: clean }));
      await connectedPair(listed({ crl: clean, crlCheck: 'leaf' }));
      const crl = makeCrl(ca, { revoked: [server] });
      await refuses(listed({ crl }), 'CERT_REVOKED');
      await refuses(listed({ crl, crlCheck: 'leaf' }), 'CERT_REVOKED');
      await refuses(listed({ crl: makeCrl(ca, { outdated: true }) }), 'CRL_HAS_EXPIRED');
      await refuses(listed({ crl: makeCrl(certificates().otherCa) }), 'UNABLE_TO_GET_CRL');
    });

    it('of the leaf alone, or of the chain', async () => {
      const { ca, intermediate } = certificates();
      const server = deep();
      const ofLeaf = makeCrl(intermediate);
      await connectedPair({ ...listed({ crl: ofLeaf, crlCheck: 'leaf' }), server });
      await refuses({ ...listed({ crl: ofLeaf }), server }, 'UNABLE_TO_GET_CRL');
      const revoked = [ofLeaf, makeCrl(ca, { revoked: [intermediate] })];
      await connectedPair({ ...listed({ crl: revoked, crlCheck: 'leaf' }), server });
      await refuses({ ...listed({ crl: revoked, crlCheck: 'chain' }), server }, 'CERT_REVOKED');
      await connectedPair({ ...listed({ crl: [ofLeaf, makeCrl(ca)] }), server });
    });

    it('from files, from caFile and from a hashed folder', async () => {
      const { ca, server } = certificates();
      const list = makeCrl(ca, { revoked: [server] });
      const folder = folderOf({ 'list.pem': list, 'both.pem': ca.cert + list });
      await refuses(listed({ crlFile: join(folder, 'list.pem') }), 'CERT_REVOKED');
      await refuses(listed({ ca: undefined, caFile: join(folder, 'both.pem'), crlCheck: 'chain' }), 'CERT_REVOKED');
      const caPath = folderOf({ 'ca.pem': ca.cert, 'list.crl': list });
      await library.rehash(caPath);
      await connectedPair(listed({ ca: undefined, caPath }));
      await refuses(listed({ ca: undefined, caPath, crlCheck: 'leaf' }), 'CERT_REVOKED');
    });

    it('that are asked for and not there', async () => {
      await refuses(listed({ crlCheck: 'leaf' }), 'UNABLE_TO_GET_CRL');
    });
  });

  describe(`names of client authorities, ${version}`, () => {
    const asked = async (server: SslContextOptions) => {
      const { ca, client } = certificates();
      const pair = await connectedPair({
        both,
        server: { requestCert: true, ca: ca.cert, ...server },
        client: identity(client),
      });
      assert.equal(pair.server.peerCertificate?.subject, 'CN=client');
      assert.deepEqual(pair.client.clientCaList, pair.server.clientCaList);
      return pair.client.clientCaList;
    };

    it('are those of ca, or of clientCa and its file', async () => {
      const { otherCa, intermediate } = certificates();
      assert.deepEqual(await asked({}), ['CN=Test CA']);
      assert.deepEqual(await asked({ clientCa: otherCa.cert }), ['CN=Other CA']);
      assert.deepEqual(await asked({ clientCaFile: otherCa.certFile, clientCa: [intermediate.cert] }), [
        'CN=Intermediate CA',
        'CN=Other CA',
      ]);
      assert.deepEqual(await asked({ clientCa: [] }), []);
    });

    it('are no trust', async () => {
      const { stranger, otherCa, ca } = certificates();
      const pair = makePair({
        both,
        server: { requestCert: true, ca: ca.cert, clientCa: otherCa.cert },
        client: identity(stranger),
      });
      void pair.client.connect().catch(() => {});
      await rejected(pair.during(pair.server.accept()), /^UNABLE_TO_/);
    });
  });
}

describe('names of client authorities', () => {
  it('that cannot be read are refused', () => {
    thrown(() => new SslContext({ clientCa: 'garbage' }), /^ERR_OSSL_/);
    thrown(() => new SslContext({ clientCaFile: '/nonexistent' }), 'ENOENT');
  });

  it('show on the wire, to openssl s_client', async function () {
    needsProgram(this, 'openssl');
    const { ca, otherCa } = certificates();
    const { port } = await startServer({ ca: ca.cert, clientCa: otherCa.cert, verifyMode: 'PEER' });
    const peer = opensslClient(port);
    await peer.printed(/Acceptable client certificate CA names\nCN ?= ?Other CA\n/);
  });
});

describe('the depth of a connection', () => {
  it('replaces that of its context', async () => {
    const server = identity(certificates().deepServer);
    await connectedPair({ server, client: { verifyDepth: 0 }, clientSsl: { verifyDepth: 1 } });
    await refuses({ server, client: { verifyDepth: 5 }, clientSsl: { verifyDepth: 0 } }, 'CERT_CHAIN_TOO_LONG');
    for (const verifyDepth of [-1, 1.5, 1001])
      thrown(() => makePair({ clientSsl: { verifyDepth } }), 'ERR_OUT_OF_RANGE');
  });

  it('and a session made at another one is not taken', async () => {
    const first = await connectedPair({ clientSsl: { verifyDepth: 5 } });
    const { session } = first.client;
    assert.ok(session);
    thrown(() => makePair({ clientSsl: { verifyDepth: 0, session } }), 'ERR_TLS_SESSION_POLICY_MISMATCH');
    const { ca, client, server } = certificates();
    const context = new SslContext({ ...identity(server), ca: ca.cert, requestCert: true });
    const deep = await connectedPair({
      serverContext: context,
      client: identity(client),
      serverSsl: { verifyDepth: 5 },
    });
    const deepSession = deep.client.session;
    assert.ok(deepSession);
    const shallow = await connectedPair({
      serverContext: context,
      client: identity(client),
      clientSsl: { session: deepSession },
      serverSsl: { verifyDepth: 0 },
    });
    assert.equal(shallow.server.sessionReused, false);
  });
});
