// The examples and the demonstration; tutorial.test.ts has those of the tutorial.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { certificates, type Identity, openssl } from '../../support/certificates.ts';
import { Child } from '../../support/child.ts';
import { compileExamples, example, succeeds } from '../../support/examples.ts';
import { ocspResponse } from '../../support/ocsp.ts';
import { opensslServer } from '../../support/peers.ts';
import { until } from '../../support/wait.ts';

describe('examples', () => {
  before('compile', () => {
    compileExamples();
  });

  it('in-memory: two connections without a network', async () => {
    const output = await succeeds(example('in-memory'));
    assert.match(output, /^TLSv1\.3 with \w+, the server is CN=localhost$/m);
    assert.match(output, /^the server read: hello$/m);
    assert.match(output, /^after close_notify a read gives null$/m);
  });

  it('fleet: servers of one secret resume each other’s sessions', async () => {
    const output = await succeeds(example('fleet'));
    assert.deepEqual(output.trim().split('\n'), [
      'machine 1, for the first time: a full handshake',
      'machine 2, with the session of machine 1: resumed',
      'machine 1, with an older ticket: resumed',
      'machine 3, which has another secret: a full handshake',
    ]);
  });

  it('key-update: by hand, and after every so many bytes', async () => {
    const output = await succeeds(example('key-update'));
    assert.match(output, /^client: the server has new sending keys too$/m);
    assert.match(output, /^client: 4 MiB under 4 keys more$/m);
    assert.equal(output.match(/^server: new sending keys of the client/gm)?.length, 6);
    assert.equal(output.match(/^server: new sending keys of mine$/gm)?.length, 1);
  });

  it('renegotiation: full, abbreviated, and for the client’s certificate', async () => {
    const output = await succeeds(example('renegotiation'));
    assert.deepEqual(output.trim().split('\n'), [
      'server: full renegotiation by the client',
      'server: abbreviated renegotiation by the client',
      'client: got "public for anybody"',
      'server: full renegotiation by me',
      'client: got "secret for CN=Ada"',
    ]);
  });

  it('client-hello: by the name, and by the fingerprint', async () => {
    const output = await succeeds(example('client-hello'));
    const clients = output.split('\n').filter(line => line.startsWith('client: '));
    assert.deepEqual(clients, [
      'client: hello over TLSv1.3',
      'client: refused by protocol_version',
      'client: hello over TLSv1.2',
      'client: refused by access_denied',
    ]);
    assert.equal(output.match(/^server: \S+ has JA3 [\da-f]{32} and JA4 t1[23]d\w+_\w{12}_\w{12}$/gm)?.length, 4);
  });

  it('alpn: a protocol for each client', async () => {
    const output = await succeeds(example('alpn'));
    assert.deepEqual(output.trim().split('\n'), [
      'server: localhost offers queue/1, queue/2',
      'client: this is queue/2',
      'server: localhost offers queue/1',
      'client: this is queue/1',
      'server: localhost offers http/1.1',
      'client: refused by no_application_protocol',
    ]);
  });

  it('drop-in: an HTTPS service by one import, with new keys for its answer', async () => {
    const output = await succeeds(example('drop-in'));
    assert.deepEqual(output.trim().split('\n').sort(), ['client: 200, TLSv1.3', 'client: new keys']);
  });

  it('choose-certificate: by name on the server, by authority on the client', async () => {
    const output = await succeeds(example('choose-certificate'));
    for (const name of ['a.example', 'b.example']) {
      assert.match(output, new RegExp(`^server: ${name} for a client that verifies \\w+$`, 'm'));
      assert.match(output, new RegExp(`^client: the server is CN=${name}$`, 'm'));
    }
    assert.equal(output.match(/^client: hello CN=Ada$/gm)?.length, 2);
  });

  it('ocsp: stapled, and fetched once', async () => {
    const { server, ca } = certificates();
    const { der, file } = ocspResponse(server);
    const output = await succeeds(example('ocsp', [server.certFile, server.keyFile, ca.certFile, file]));
    const client = [`client: ${der.length} bytes are stapled to CN=localhost`, 'client: hello'];
    assert.deepEqual(output.trim().split('\n'), [
      'server: fetches the response for CN=localhost',
      ...client,
      ...client,
    ]);
  });

  it('verify: trusts whom it decides to trust, and says why not', async () => {
    const { selfSigned, otherCa } = certificates();
    const list = join(certificates().folder, 'refused');
    writeFileSync(list, '');
    const { port } = await opensslServer(['-cert', selfSigned.certFile, '-key', selfSigned.keyFile]);
    const { fingerprint256 } = new X509Certificate(selfSigned.cert);
    const accepted = await succeeds(example('verify', [String(port), fingerprint256, list]));
    assert.match(accepted, /^accepted CN=localhost$/m);
    const stranger = new X509Certificate(otherCa.cert).fingerprint256;
    const refused = example('verify', [String(port), stranger, list]);
    assert.notEqual((await refused.exited).code, 0);
    assert.match(refused.output, /DEPTH_ZERO_SELF_SIGNED_CERT/);
  });

  it('verify: goes no deeper than it says', async () => {
    const { ca, intermediate, deepServer, folder } = certificates();
    const list = join(folder, 'nobody');
    writeFileSync(list, '');
    const verdict = async (identity: Identity) => {
      const chainFile = join(folder, 'whole-chain.pem');
      writeFileSync(chainFile, identity.cert);
      const { port } = await opensslServer(['-cert_chain', chainFile], identity);
      const child = example('verify', [String(port), 'none', list], { env: { SSL_CERT_FILE: ca.certFile } });
      await child.exited;
      return child.output;
    };
    assert.match(await verdict(deepServer), /^accepted CN=localhost$/m);
    const issue = (name: string, subject: string, extension: string, issuer: Identity): Identity => {
      const [certFile, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)];
      openssl(
        ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '3'],
        ...['-keyout', keyFile, '-out', certFile, '-subj', subject, '-addext', extension],
        ...['-CA', issuer.certFile, '-CAkey', issuer.keyFile],
      );
      return {
        certFile,
        keyFile,
        cert: readFileSync(certFile, 'utf8') + issuer.cert,
        key: readFileSync(keyFile, 'utf8'),
      };
    };
    const second = issue('second-ca', '/CN=Second CA', 'basicConstraints=critical,CA:TRUE', intermediate);
    const deeper = issue('deeper', '/CN=localhost', 'subjectAltName=DNS:localhost', second);
    assert.match(await verdict(deeper), /CERT_CHAIN_TOO_LONG/);
  });

  it('dtls: messages there and back', async () => {
    const output = await succeeds(example('dtls'));
    assert.deepEqual(output.trim().split('\n'), [
      'server: 127.0.0.1 is back with its cookie, DTLSv1.2',
      'client: one',
      'client: two',
      'client: three',
    ]);
  });

  it('https-server: fetched with curl, which trusts its CA', async function () {
    needsProgram(this, 'curl');
    const server = example('https-server');
    const [, caFile = '', url = ''] = await server.printed(/^curl --cacert (\S+) (\S+)$/m);
    const curl = new Child('curl', ['--silent', '--show-error', '--fail', '--cacert', caFile, url, `${url}second`]);
    const output = await succeeds(curl);
    assert.match(output, /^GET \/ over TLSv1\.[23], \S+\nGET \/second over TLSv1\.[23], \S+\n$/);
    server.signal('SIGTERM');
    await succeeds(server);
  });

  it('https-server: refused by a curl that does not trust its CA', async function () {
    needsProgram(this, 'curl');
    const server = example('https-server');
    const [, , url = ''] = await server.printed(/^curl --cacert (\S+) (\S+)$/m);
    const curl = new Child('curl', ['--silent', '--cacert', certificates().ca.certFile, url]);
    assert.equal((await curl.exited).code, 60);
    await server.printed(/a handshake failed: .*unknown ca/);
    server.signal('SIGTERM');
    await succeeds(server);
  });

  it('echo-server and client: a conversation with a clean end', async () => {
    const server = example('echo-server');
    const [, port = '', caFile = ''] = await server.printed(/client\.js localhost (\d+) (\S+)$/m);
    const client = example('client', ['localhost', port, caFile]);
    await client.printed(/^TLSv1\.3, \S+, CN=localhost: OK$/m);
    client.write('one line\n');
    await client.printed(/^one line$/m);
    client.endInput();
    await succeeds(client);
    await server.printed(/said goodbye after 9 bytes/);
    server.signal('SIGTERM');
    await succeeds(server);
  });

  describe('server-certificates and client-certificates', () => {
    const startServer = async (): Promise<{ server: Child; port: string }> => {
      const { server: own, ca } = certificates();
      const server = example('server-certificates', [own.certFile, own.keyFile, ca.certFile]);
      const [, port = ''] = await server.printed(/^port (\d+)$/m);
      return { server, port };
    };

    it('know each other', async () => {
      const { client, ca } = certificates();
      const { server, port } = await startServer();
      const output = await succeeds(
        example('client-certificates', [port, client.certFile, client.keyFile, ca.certFile]),
      );
      assert.equal(output, 'verification of CN=localhost succeeded\nhello CN=client\n');
      await server.printed(/^depth 1, CN=Test CA: ok\ndepth 0, CN=client: ok$/m);
      await server.stop();
    });

    it('a server of another CA is told by its result', async () => {
      const { client, otherCa } = certificates();
      const { server, port } = await startServer();
      const stranger = example('client-certificates', [port, client.certFile, client.keyFile, otherCa.certFile]);
      assert.equal((await stranger.exited).code, 1);
      assert.match(stranger.output, /^verification of CN=localhost failed: unable to/m);
      await server.stop();
    });

    it('talk to openssl s_client and s_server', async function () {
      needsProgram(this, 'openssl');
      const { client, stranger, ca } = certificates();
      const { server, port } = await startServer();
      const identity = ['-cert', client.certFile, '-key', client.keyFile];
      const known = new Child('openssl', ['s_client', '-quiet', '-connect', `localhost:${port}`, ...identity]);
      await known.printed(/hello CN=client/);
      const unknown = new Child('openssl', ['s_client', '-quiet', '-connect', `localhost:${port}`]);
      await unknown.printed(/no certificate was presented/);
      const other = ['-cert', stranger.certFile, '-key', stranger.keyFile];
      const refused = new Child('openssl', ['s_client', '-quiet', '-connect', `localhost:${port}`, ...other]);
      await refused.printed(/alert unknown ca/);
      await server.printed(/^depth 0, CN=stranger: unable to get local issuer certificate$/m);
      await server.stop();
      const listening = await opensslServer(['-verify', '1', '-CAfile', ca.certFile]);
      const ours = example('client-certificates', [
        String(listening.port),
        client.certFile,
        client.keyFile,
        ca.certFile,
      ]);
      await ours.printed(/^verification of CN=localhost succeeded$/m);
      await listening.peer.printed(/subject=CN ?= ?client/);
      await listening.peer.stop();
      await ours.exited;
    });
  });

  it('echo-server: tells a client that was cut off', async () => {
    const server = example('echo-server');
    const [, port = '', caFile = ''] = await server.printed(/client\.js localhost (\d+) (\S+)$/m);
    const client = example('client', ['localhost', port, caFile]);
    await client.printed(/^TLSv1\.3/m);
    await client.stop();
    await server.printed(/(ERR_SSL_UNEXPECTED_EOF|ECONNRESET)/);
    server.signal('SIGTERM');
    await succeeds(server);
  });

  it('client: says why it could not connect', async () => {
    const server = example('echo-server');
    const [, port = ''] = await server.printed(/client\.js localhost (\d+)/m);
    const client = example('client', ['localhost', port, certificates().ca.certFile]);
    assert.equal((await client.exited).code, 1);
    assert.match(client.output, /^UNABLE_TO_VERIFY_LEAF_SIGNATURE: .*option ca/m);
    server.signal('SIGTERM');
    await succeeds(server);
  });

  it('client: tells a peer that speaks no TLS', async () => {
    const plain = createServer(socket => socket.on('error', () => undefined).end('220 welcome\r\n')).listen(
      0,
      'localhost',
    );
    await new Promise(resolve => plain.once('listening', resolve));
    const client = example('client', ['localhost', String((plain.address() as { port: number }).port)]);
    assert.equal((await client.exited).code, 1);
    assert.match(client.output, /^ERR_SSL_WRONG_VERSION_NUMBER: .*does not speak TLS/m);
    plain.close();
  });
});

function childrenOf({ pid }: Child): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return children === '' ? [] : children.split(' ').map(Number);
}

describe('the demonstration', () => {
  it('shows and checks everything, and ends by itself in time', async () => {
    // It ends itself with a failure if it takes too long.
    const output = await succeeds(example('demo', ['--rounds', '1']));
    for (const heading of ['OpenSSL in use', 'TLS 1.3', 'TLS 1.2', 'Resumption', 'Shutdown', 'What HTTPS costs']) {
      assert.ok(output.includes(`\n${heading}\n`), heading);
    }
    assert.equal(output.match(/key update by the (client|server)/g)?.length, 4);
    assert.equal(output.match(/renegotiation by the (client|server)/g)?.length, 3);
    const bars = [...output.matchAll(/^ {4}(\S.*?) +█+ +(\d+\.\d) (us|KiB)/gm)].map(([, name, , unit]) => [name, unit]);
    assert.deepEqual(bars, [
      ['node:http, no TLS', 'us'],
      ['node:https', 'us'],
      ['system-tls, on the loop', 'us'],
      ['system-tls, on one I/O thread', 'us'],
      ['node:tls', 'KiB'],
      ['system-tls', 'KiB'],
    ]);
    assert.match(output, /a thread \/ node:https +\d\.\d\d \(.* in 1 round\)/);
    assert.match(output, /figures of (one|\d+) processors?, with a load average of \d/);
    assert.match(output, /one round alone/);
    assert.doesNotMatch(output, /✘/);
    assert.ok(!output.includes('\x1b'), 'no colours where there is no terminal');
  });

  it('refuses rounds that are none, before it shows anything', async () => {
    for (const rounds of ['0', 'x', '1.5']) {
      const demo = example('demo', ['--rounds', rounds]);
      assert.equal((await demo.exited).code, 1);
      assert.equal(demo.output, `--rounds must be a whole number above 0; it is '${rounds}'.\n`);
    }
  });

  it('fails, and leaves nobody behind, when one of its processes ends', async function () {
    needs(this, existsSync('/proc/self/task'), 'a system that lists the children of a process');
    const demo = example('demo', ['--rounds', '9']);
    await demo.printed(/^What HTTPS costs$/m);
    // A server and a load for each of four.
    await until(() => childrenOf(demo).length === 8, 'its processes');
    const children = childrenOf(demo);
    process.kill(children[0] ?? 0, 'SIGKILL');
    assert.equal((await demo.exited).code, 1);
    assert.match(demo.output, /✘ not as it should be/);
    assert.match(demo.output, /the server of the demonstration ended with SIGKILL/);
    await until(() => !children.some(child => existsSync(`/proc/${child}`)), 'the others to end');
  });

  it('fails, and says why, when a step is not what it should be', async () => {
    const config = join(certificates().folder, 'only-tls12.cnf');
    const lines = [
      'openssl_conf = a',
      '[a]',
      'ssl_conf = b',
      '[b]',
      'system_default = c',
      '[c]',
      'MaxProtocol = TLSv1.2',
      '',
    ];
    writeFileSync(config, lines.join('\n'));
    const demo = example('demo', [], { env: { OPENSSL_CONF: config } });
    assert.equal((await demo.exited).code, 1);
    assert.match(demo.output, /✘ not as it should be +expected TLSv1\.3, not TLSv1\.2/);
  });
});
