// All names that node:tls, node:https and node:http2 have in the node that runs, and what stands behind those about trust and ciphers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import nodeHttp2 from 'node:http2';
import nodeHttps from 'node:https';
import nodeTls from 'node:tls';
import '../../support/drop-in-threads.ts';
import { SslContext } from 'system-tls';
import http2, * as http2Names from 'system-tls/http2';
import https, * as httpsNames from 'system-tls/https';
import tls, * as tlsNames from 'system-tls/tls';
import { certificates } from '../../support/certificates.ts';
import { connected, dropInServer, echoed, endLater, isOurs, toServer } from '../../support/drop-in.ts';
import { within } from '../../support/wait.ts';

type Names = Readonly<Record<string, unknown>>;

const modules: readonly (readonly [name: string, node: unknown, ours: unknown, named: unknown])[] = [
  ['tls', nodeTls, tls, tlsNames],
  ['https', nodeHttps, https, httpsNames],
  ['http2', nodeHttp2, http2, http2Names],
];

/** What connects, or tells of what does. */
const ours = new Map([
  [
    'tls',
    [
      'Server',
      'TLSSocket',
      'connect',
      'createSecureContext',
      'createServer',
      'getCACertificates',
      'getCiphers',
      'setDefaultCACertificates',
    ],
  ],
  ['https', ['Agent', 'Server', 'createServer', 'get', 'globalAgent', 'request']],
  ['http2', ['connect', 'createSecureServer']],
]);

describe('the names of the drop-ins', () => {
  for (const [name, node, byDefault, named] of modules as readonly (readonly [string, Names, Names, Names])[]) {
    it(`node:${name}: each is there, by its name and in the default export, of the same kind`, () => {
      const names = Object.keys(node);
      assert.ok(names.length >= 6);
      for (const each of names) {
        assert.equal(typeof byDefault[each], typeof node[each], each);
        assert.equal(typeof named[each], typeof node[each], each);
        assert.ok(Object.keys(byDefault).includes(each), `${each} can be listed`);
      }
    });

    it(`node:${name}: what is not about connections is node's own`, () => {
      for (const each of Object.keys(node)) {
        const isOwn = byDefault[each] !== node[each];
        // Here it would be set for the whole process, of which node's has one.
        const shared = each === 'setDefaultCACertificates';
        assert.equal(isOwn, !shared && ours.get(name)?.includes(each) === true, each);
      }
    });
  }

  it('what is assigned to DEFAULT_* is assigned in node', () => {
    const before = tls.DEFAULT_MAX_VERSION;
    try {
      tls.DEFAULT_MAX_VERSION = 'TLSv1.2';
      assert.equal(nodeTls.DEFAULT_MAX_VERSION, 'TLSv1.2');
    } finally {
      tls.DEFAULT_MAX_VERSION = before;
    }
  });
});

describe('getCiphers() of system-tls/tls', () => {
  it('gives those of the system, in lower case and in order; each can be given as an option', () => {
    const names = tls.getCiphers();
    assert.deepEqual(names, [...names].sort());
    assert.deepEqual(names, new SslContext().ciphers.map(name => name.toLowerCase()).sort());
    const ca = certificates().ca.cert;
    assert.ok(names.includes('tls_aes_256_gcm_sha384') && names.includes('ecdhe-rsa-aes128-gcm-sha256'));
    for (const name of names) tls.createSecureContext({ ca, ciphers: name.toUpperCase() });
    names.length = 0;
    assert.notEqual(tls.getCiphers().length, 0);
  });
});

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const first = (pem: string | Buffer): string => (String(pem).match(block) as [string])[0];

describe('getCACertificates() and setDefaultCACertificates() of system-tls/tls', () => {
  it('gives what contexts here trust by default, what the system and what node have', () => {
    assert.deepEqual(tls.getCACertificates('bundled'), [...nodeTls.rootCertificates]);
    const system = tls.getCACertificates('system');
    const file = process.env['SSL_CERT_FILE'];
    if (file !== undefined)
      for (const each of readFileSync(file, 'utf8').match(block) ?? []) assert.ok(system.includes(each));
    const byDefault = new Set(tls.getCACertificates());
    assert.deepEqual(byDefault, new Set([...system, ...tls.getCACertificates('extra')]));
    assert.throws(() => (system as string[]).push('x'), TypeError);
    assert.throws(() => tls.getCACertificates('all' as never), { code: 'ERR_INVALID_ARG_VALUE' });
    assert.throws(() => tls.getCACertificates(1 as never), { code: 'ERR_INVALID_ARG_TYPE' });
  });

  it('contexts that are made from then on trust those that were set, and nobody else', async () => {
    const { ca, otherCa } = certificates();
    const { port } = await dropInServer();
    const { ca: _, ...untold } = toServer(port);
    const before = tls.getCACertificates();
    const old = tls.createSecureContext();
    const fails = async (secureContext?: nodeTls.SecureContext) => {
      const socket = tls.connect({ ...untold, ...(secureContext && { secureContext }) });
      endLater(() => socket.destroy());
      const [error] = (await within(once(socket, 'error'), 'error')) as [NodeJS.ErrnoException];
      assert.match(String(error.code), /^(UNABLE_TO_|SELF_SIGNED_)/);
    };
    await fails();
    try {
      tls.setDefaultCACertificates([ca.cert]);
      assert.deepEqual(tls.getCACertificates().map(first), [first(ca.cert)]);
      const trusted = await connected(tls.connect(untold));
      assert.equal(isOurs(trusted) && trusted.authorized, true);
      assert.equal(await echoed(trusted, 'trusted'), 'trusted');
      await fails(old);
      tls.setDefaultCACertificates([Buffer.from(otherCa.cert)]);
      await fails();
      await connected(tls.connect({ ...untold, ca: ca.cert }));
      tls.setDefaultCACertificates([]);
      assert.deepEqual(tls.getCACertificates(), []);
      await fails();
    } finally {
      tls.setDefaultCACertificates(before);
    }
    assert.deepEqual(new Set(tls.getCACertificates().map(first)), new Set(before.map(first)));
  });

  it('are one with those of node, where it has them', async () => {
    const node = nodeTls as unknown as { setDefaultCACertificates?: typeof tls.setDefaultCACertificates };
    if (node.setDefaultCACertificates === undefined) {
      // Before 22.19.
      assert.equal('setDefaultCACertificates' in nodeTls, false);
      return;
    }
    const before = tls.getCACertificates();
    const { port } = await dropInServer();
    const { ca, ...untold } = toServer(port);
    try {
      node.setDefaultCACertificates([ca]);
      await connected(tls.connect(untold));
      await connected(nodeTls.connect(untold));
    } finally {
      tls.setDefaultCACertificates(before);
    }
  });

  it('what is no certificate is refused, and changes nothing', () => {
    const before = tls.getCACertificates();
    for (const wrong of ['x', null, undefined, {}, [1], [null], [{}]]) {
      assert.throws(() => tls.setDefaultCACertificates(wrong as never), { code: 'ERR_INVALID_ARG_TYPE' });
    }
    const { ca, otherCa } = certificates();
    const damaged = '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n';
    const asTrusted = ca.cert.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE');
    for (const none of [['not a certificate'], [''], [asTrusted]]) {
      assert.throws(() => tls.setDefaultCACertificates(none), { code: 'ERR_CRYPTO_OPERATION_FAILED' });
    }
    for (const half of [[ca.cert, damaged], [damaged], [damaged + ca.cert], [ca.cert, 3 as never]]) {
      assert.throws(() => tls.setDefaultCACertificates(half), { code: /^ERR_/ });
    }
    assert.deepEqual(tls.getCACertificates(), before);
    try {
      tls.setDefaultCACertificates([otherCa.cert]);
      assert.throws(() => tls.setDefaultCACertificates([ca.cert, damaged]), { code: /^ERR_/ });
      assert.deepEqual(tls.getCACertificates().map(first), [first(otherCa.cert)]);
    } finally {
      tls.setDefaultCACertificates(before);
    }
  });

  it('what is no certificate is passed over beside one that is, as node does, and both trust the same', () => {
    const { ca, otherCa } = certificates();
    const node = nodeTls as unknown as { getCACertificates?: typeof tls.getCACertificates };
    const before = tls.getCACertificates();
    try {
      for (const list of [
        [ca.cert, 'not a certificate'],
        ['not a certificate', Buffer.from(`first\n${ca.cert}`)],
        [ca.cert, otherCa.cert.replaceAll('CERTIFICATE', 'TRUSTED CERTIFICATE'), ca.cert],
      ]) {
        tls.setDefaultCACertificates([otherCa.cert]);
        tls.setDefaultCACertificates(list);
        assert.deepEqual(tls.getCACertificates().map(first), [first(ca.cert)]);
        // Before 22.19 node has none.
        const nodes = node.getCACertificates?.('default') ?? [ca.cert];
        assert.deepEqual(nodes.map(first), [first(ca.cert)]);
      }
    } finally {
      tls.setDefaultCACertificates(before);
    }
  });
});
