// DTLS with foreign peers: openssl s_client and s_server, gnutls-cli and gnutls-serv.
import assert from 'node:assert/strict';
import { type MessageEvent, openssl, type Ssl } from 'system-tls';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child } from '../../support/child.ts';
import { connectDtlsTo, echo, startDtls } from '../../support/dtls.ts';
import { command } from '../../support/peers.ts';
import { freePort } from '../../support/ports.ts';
import { patience, until, watch, within } from '../../support/wait.ts';

const { ca, server, client } = certificates();
const dtls12 = '-dtls1_2';

function opensslClient(port: number, args: readonly string[] = []): Child {
  const trust = ['-CAfile', ca.certFile, '-verify_return_error', '-servername', 'localhost'];
  return new Child('openssl', ['s_client', dtls12, '-connect', `127.0.0.1:${port}`, '-msg', ...trust, ...args]);
}

async function opensslServer(args: readonly string[] = []): Promise<{ peer: Child; port: number }> {
  const port = await freePort();
  const identity = ['-cert', server.certFile, '-key', server.keyFile];
  const peer = new Child('openssl', ['s_server', dtls12, '-accept', `127.0.0.1:${port}`, '-msg', ...identity, ...args]);
  await peer.printed(/ACCEPT/);
  return { peer, port };
}

function gnutlsClient(port: number, args: readonly string[] = []): Child {
  const trust = [`--x509cafile=${ca.certFile}`, '--sni-hostname=localhost', '--verify-hostname=localhost'];
  return new Child('gnutls-cli', ['--udp', '--inline-commands', ...trust, `--port=${port}`, ...args, '127.0.0.1']);
}

async function gnutlsServer(args: readonly string[] = []): Promise<{ peer: Child; port: number }> {
  const port = await freePort();
  const identity = [`--x509certfile=${server.certFile}`, `--x509keyfile=${server.keyFile}`];
  const peer = new Child('gnutls-serv', ['--udp', '--echo', ...identity, `--port=${port}`, ...args]);
  await peer.printed(/listening on .*done/);
  return { peer, port };
}

async function answers(ssl: Ssl, text: string): Promise<void> {
  await ssl.write(text);
  assert.equal(String(await within(ssl.read(), `the echo of ${text}`)), text);
}

describe('DTLS with openssl', () => {
  before(function () {
    needsProgram(this, 'openssl');
    needs(this, openssl.features.dtls, 'this OpenSSL was built without DTLS');
  });

  it('s_client: cookie, data both ways, its renegotiation and ours, its goodbye', async () => {
    const { port, next } = await startDtls({ clientRenegotiation: true });
    const peer = opensslClient(port);
    const ssl = await next();
    await peer.printed(/<<<[^\n]*\n {4}03 00 00/);
    await peer.printed(/Verify return code: 0/);
    const reading = ssl.read();
    await command(peer, 'hello from s_client');
    assert.equal(String(await within(reading, 'its line')), 'hello from s_client\n');
    await ssl.write('hello to s_client\n');
    await peer.printed(/hello to s_client/);

    const more = watch(ssl.read());
    await command(peer, 'R');
    await until(() => ssl.renegotiations === 1, 'its renegotiation');
    await within(ssl.renegotiate(), 'ours');
    assert.equal(ssl.renegotiations, 2);
    assert.equal(ssl.sessionReused, false);
    await command(peer, 'after both');
    assert.match(String(await within(more.promise, 'its line')), /after both/);
    await command(peer, 'Q');
    assert.equal(await within(ssl.read(), 'its close_notify'), null);
    ssl.close();
  });

  it('s_client shows its certificate when we ask for it later', async () => {
    const { port, next } = await startDtls({ ca: ca.cert });
    const peer = opensslClient(port, ['-cert', client.certFile, '-key', client.keyFile]);
    const ssl = await next();
    await peer.printed(/Verify return code: 0/);
    await within(ssl.requestClientCertificate(), 'the certificate');
    assert.equal(ssl.peerCertificate?.subject, 'CN=client');
  });

  it('s_client with a short MTU, and ours', async () => {
    const { port, next } = await startDtls({ mtu: 300 }, ssl => void echo(ssl));
    const peer = opensslClient(port, ['-mtu', '300']);
    await next();
    await command(peer, 'short');
    await peer.printed(/^short$/m);
  });

  it('s_server: data both ways, our renegotiation and its own, our goodbye', async () => {
    const { peer, port } = await opensslServer(['-client_renegotiation']);
    const ssl = await connectDtlsTo(port);
    assert.equal(ssl.version, 'DTLSv1.2');
    await ssl.write('hello to s_server\n');
    await peer.printed(/hello to s_server/);
    await command(peer, 'hello from s_server');
    assert.equal(String(await within(ssl.read(), 'its line')), 'hello from s_server\n');
    const more = watch(ssl.read());
    await within(ssl.renegotiate(), 'our renegotiation');
    await command(peer, 'r');
    await until(() => ssl.renegotiations === 2, 'its renegotiation');
    assert.equal(ssl.sessionReused, false);
    await command(peer, 'after both');
    assert.match(String(await within(more.promise, 'its line')), /after both/);
    // It closes its socket before it would say goodbye itself.
    await ssl.shutdown();
    await peer.printed(/^DONE$|shutting down SSL/m);
  });

  it('s_server that listens with cookies, and one that refuses to renegotiate', async () => {
    const { peer, port } = await opensslServer(['-listen', '-no_renegotiation']);
    let asked = false;
    const message = ({ direction, data }: MessageEvent): void => {
      asked ||= direction === 'received' && data[0] === 3; // HelloVerifyRequest
    };
    const ssl = await connectDtlsTo(port, { on: { message } });
    assert.ok(asked);
    await ssl.write('greeted\n');
    await peer.printed(/greeted/);
    await assert.rejects(within(ssl.renegotiate({ timeout: patience }), 'the refusal'), {
      code: 'ERR_SSL_NO_RENEGOTIATION',
    });
  });
});

describe('DTLS with GnuTLS', () => {
  before(function () {
    needsProgram(this, 'gnutls-cli');
    needsProgram(this, 'gnutls-serv');
    needs(this, openssl.features.dtls, 'this OpenSSL was built without DTLS');
  });

  it('gnutls-cli: echo, its renegotiation and ours', async () => {
    const { port, next } = await startDtls({ clientRenegotiation: true }, ssl => void echo(ssl));
    const peer = gnutlsClient(port);
    const ssl = await next();
    await peer.printed(/Simple Client Mode/);
    peer.write('first\n');
    await peer.printed(/^first$/m);
    peer.write('^renegotiate^\n');
    await until(() => ssl.renegotiations === 1, 'its renegotiation');
    await within(ssl.renegotiate(), 'ours');
    peer.write('after both\n');
    await peer.printed(/^after both$/m);
    assert.equal(ssl.renegotiations, 2);
  });

  it('gnutls-serv: echo, our renegotiation', async () => {
    const { port } = await gnutlsServer();
    const ssl = await connectDtlsTo(port);
    assert.equal(ssl.version, 'DTLSv1.2');
    await answers(ssl, 'hello to gnutls-serv\n');
    await within(ssl.renegotiate(), 'our renegotiation');
    await answers(ssl, 'again\n');
  });
});
