// openssl s_client and s_server: what they print with -msg is what really crossed the wire.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { OpenSslError } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import type { Child } from '../../support/child.ts';
import { tls12, tls13 } from '../../support/memory-pair.ts';
import { command, opensslClient, opensslServer } from '../../support/peers.ts';
import { connectTo, pool, startServer } from '../../support/sockets.ts';
import { until, within } from '../../support/wait.ts';

const sent = (message: string) => new RegExp(`^>>> .*, Handshake .*${message}`, 'gm');
const received = (message: string) => new RegExp(`^<<< .*, Handshake .*${message}`, 'gm');

const count = (peer: Child, pattern: RegExp): number => peer.output.match(pattern)?.length ?? 0;

async function printedTimes(peer: Child, pattern: RegExp, times: number): Promise<void> {
  try {
    await until(() => count(peer, pattern) >= times, `${times} times ${pattern}`);
  } catch (error) {
    throw new Error(`${(error as Error).message}; it printed:\n${peer.output}`);
  }
}

/** The handshake is over on their side too, and it reads lines. */
const ready = (peer: Child) => peer.printed(/Verify return code: .*\n[\s\S]*?---/);

describe('openssl s_client and our server', () => {
  it('its key updates, and ours, on TLS 1.3', async () => {
    const { port, next } = await startServer(tls13);
    const peer = opensslClient(port, ['-tls1_3']);
    const socket = await next();
    const events: string[] = [];
    socket.ssl.on('keyUpdate', ({ from, requested }) => events.push(`${from}${requested ? ' requested' : ''}`));
    let got = '';
    socket.on('data', (chunk: Buffer) => {
      got += chunk;
    });
    await ready(peer);

    await command(peer, 'k');
    await until(() => events.includes('peer'), 'its key update');
    await command(peer, 'K');
    await until(() => events.includes('peer requested'), 'its key update with a request');
    await printedTimes(peer, received('KeyUpdate'), 1);

    await socket.keyUpdate();
    await printedTimes(peer, received('KeyUpdate'), 2);
    const { peerUpdated } = await socket.keyUpdate({ requestPeer: true });
    // It answers with its next write.
    await command(peer, 'after all updates');
    await within(peerUpdated as Promise<unknown>, 'its answer');
    await until(() => got.includes('after all updates'), 'its data');
    socket.write('under our newest key\n');
    await peer.printed(/under our newest key/);
    assert.equal(count(peer, sent('KeyUpdate')), 3);
    assert.equal(count(peer, received('KeyUpdate')), 3);
  });

  it('its renegotiation, and ours, on TLS 1.2', async () => {
    const { port, next } = await startServer({ ...tls12, clientRenegotiation: true });
    const peer = opensslClient(port, ['-tls1_2']);
    const socket = await next();
    let got = '';
    socket.on('data', (chunk: Buffer) => {
      got += chunk;
    });
    await ready(peer);

    await command(peer, 'R');
    await until(() => socket.ssl.renegotiations === 1, 'its renegotiation');
    await within(socket.renegotiate(), 'ours');
    assert.equal(socket.ssl.renegotiations, 2);
    await printedTimes(peer, received('HelloRequest'), 1);
    await printedTimes(peer, sent('ClientHello'), 3);
    await command(peer, 'after both');
    await until(() => got.includes('after both'), 'its data');
    socket.write('and ours\n');
    await peer.printed(/and ours/);
  });

  it('its renegotiation is refused by default: it is told so, and we go on', async () => {
    const { port, next } = await startServer(tls12);
    const peer = opensslClient(port, ['-tls1_2']);
    const socket = await next();
    socket.resume();
    // Asked for by an event: s_client goes when it is refused, and takes the connection with it.
    let renegotiations = 0;
    socket.ssl.on('renegotiate', () => renegotiations++);
    await ready(peer);
    await command(peer, 'R');
    await peer.printed(/no_renegotiation|no renegotiation/);
    assert.equal(renegotiations, 0);
  });

  it('that refuses to renegotiate: ERR_SSL_NO_RENEGOTIATION', async () => {
    const { port, next } = await startServer(tls12);
    const peer = opensslClient(port, ['-tls1_2', '-no_renegotiation']);
    const socket = await next();
    socket.resume();
    await ready(peer);
    await assert.rejects(within(socket.renegotiate(), 'the refusal'), { code: 'ERR_SSL_NO_RENEGOTIATION' });
    await within(peer.exited, 'it to end');
  });

  it('shows its certificate when asked for it later, on 1.2 and on 1.3', async () => {
    const { ca, client } = certificates();
    await Promise.all(
      [tls12, tls13].map(async both => {
        const { port, next } = await startServer({ ...both, ca: ca.cert });
        const flags = both === tls12 ? ['-tls1_2'] : ['-tls1_3', '-enable_pha'];
        const peer = opensslClient(port, [...flags, '-cert', client.certFile, '-key', client.keyFile]);
        const socket = await next();
        socket.resume();
        await ready(peer);
        assert.deepEqual(socket.ssl.peerCertificateChain, []);
        const asked = [1, 2].map(() => socket.requestClientCertificate());
        await within(Promise.all(asked), `the certificate on ${both.maxVersion}`);
        assert.equal(socket.ssl.peerCertificate?.subject, 'CN=client');
        await within(socket.requestClientCertificate(), `the certificate again on ${both.maxVersion}`);
        // A thread may have the first answer before it is told of the second request.
        const requests = pool === undefined ? [2] : [2, 3];
        if (both === tls13) assert.ok(requests.includes(count(peer, received('CertificateRequest'))), 'one for two');
      }),
    );
  });

  it('resumes its session on 1.2 and on 1.3', async () => {
    await Promise.all(
      ['-tls1_2', '-tls1_3'].map(async flag => {
        const { port, next } = await startServer({}, socket => socket.on('data', () => socket.end('bye\n')));
        const file = join(certificates().folder, `session${flag}.pem`);
        const first = opensslClient(port, [flag, '-sess_out', file]);
        await ready(first);
        assert.equal((await next()).ssl.sessionReused, false);
        first.write('hello\n');
        await first.exited;
        assert.ok(existsSync(file));
        const second = opensslClient(port, [flag, '-sess_in', file]);
        await second.printed(/^Reused, /m);
        assert.equal((await next()).ssl.sessionReused, true);
      }),
    );
  });

  it('refuses our certificate: its alert is told', async () => {
    const { port, server } = await startServer(tls12);
    const failing = once(server, 'tlsClientError');
    opensslClient(port, ['-CAfile', certificates().otherCa.certFile]);
    const [error] = (await within(failing, 'tlsClientError')) as [OpenSslError];
    assert.equal(error.code, 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA');
    assert.deepEqual(error.alert, { level: 'fatal', description: 48, name: 'unknown_ca', direction: 'received' });
  });

  it('ends with Q: a clean close, both ways', async () => {
    const { port, next } = await startServer();
    const peer = opensslClient(port);
    const socket = await next();
    await ready(peer);
    const ended = once(socket.resume(), 'end');
    await command(peer, 'Q');
    await within(ended, 'a clean end');
    assert.equal((await peer.exited).code, 0);
  });

  it('killed: a truncation or a reset', async () => {
    const { port, next } = await startServer();
    const peer = opensslClient(port);
    const socket = await next();
    await ready(peer);
    const failing = once(socket.resume(), 'error');
    await peer.stop();
    const [error] = (await within(failing, 'an error')) as [NodeJS.ErrnoException];
    assert.match(String(error.code), /^ERR_SSL_UNEXPECTED_EOF$|^ECONNRESET$/);
  });
});

describe('openssl s_server and our client', () => {
  it('its key updates, and ours, on TLS 1.3', async () => {
    const { peer, port } = await opensslServer(['-tls1_3']);
    const socket = await connectTo(port);
    const events: string[] = [];
    socket.ssl.on('keyUpdate', ({ from, requested }) => events.push(`${from}${requested ? ' requested' : ''}`));
    let got = '';
    socket.on('data', (chunk: Buffer) => {
      got += chunk;
    });
    await socket.keyUpdate();
    await printedTimes(peer, received('KeyUpdate'), 1);
    await command(peer, 'k');
    await until(() => events.includes('peer'), 'its key update');
    await command(peer, 'K');
    await until(() => events.includes('peer requested'), 'its key update with a request');
    await printedTimes(peer, received('KeyUpdate'), 2);
    const { peerUpdated } = await socket.keyUpdate({ requestPeer: true });
    await command(peer, 'after all updates');
    await within(peerUpdated as Promise<unknown>, 'its answer');
    await until(() => got.includes('after all updates'), 'its data');
    socket.write('under our newest key\n');
    await peer.printed(/under our newest key/);
    assert.equal(count(peer, received('KeyUpdate')), 3);
    assert.equal(count(peer, sent('KeyUpdate')), 3);
  });

  it('its requests to renegotiate (r), and our renegotiations, full and abbreviated', async () => {
    const { peer, port } = await opensslServer(['-tls1_2', '-client_renegotiation']);
    const socket = await connectTo(port);
    let got = '';
    socket.on('data', (chunk: Buffer) => {
      got += chunk;
    });
    await within(socket.renegotiate(), 'a full renegotiation');
    assert.equal(socket.ssl.sessionReused, false);
    await within(socket.renegotiate({ abbreviated: true }), 'an abbreviated one');
    assert.equal(socket.ssl.sessionReused, true);
    await printedTimes(peer, received('ClientHello'), 3);
    await command(peer, 'r');
    await until(() => socket.ssl.renegotiations === 3, 'the one it asked for');
    await printedTimes(peer, sent('HelloRequest'), 1);
    await command(peer, 'after all');
    await until(() => got.includes('after all'), 'its data');
    socket.write('and ours\n');
    await peer.printed(/and ours/);
  });

  it('its request for our certificate by renegotiation (R)', async () => {
    const { ca, client } = certificates();
    const { peer, port } = await opensslServer([...['-tls1_2', '-CAfile', ca.certFile, '-no_resumption_on_reneg']]);
    const socket = await connectTo(port, { cert: client.cert, key: client.key });
    socket.resume();
    await command(peer, 'R');
    await until(() => socket.ssl.renegotiations === 1, 'the renegotiation');
    await peer.printed(/CN ?= ?client/);
  });

  it('that refuses our renegotiation: ERR_SSL_NO_RENEGOTIATION', async () => {
    const { port } = await opensslServer(['-tls1_2']);
    const socket = await connectTo(port);
    await assert.rejects(within(socket.renegotiate(), 'the refusal'), { code: 'ERR_SSL_NO_RENEGOTIATION' });
  });

  it('resumption on 1.2 and on 1.3', async () => {
    await Promise.all(
      ['-tls1_2', '-tls1_3'].map(async flag => {
        const { port } = await opensslServer([flag, '-rev']);
        const first = await connectTo(port);
        first.write('olleh\n');
        await within(once(first, 'data'), 'the echo');
        const session = first.ssl.session;
        assert.ok(session);
        const ended = once(first, 'close');
        first.end();
        first.resume();
        await within(ended, 'the end of the first');
        const second = await connectTo(port, { session });
        assert.equal(second.ssl.sessionReused, true, flag);
      }),
    );
  });

  it('ends with q: it closes TCP without close_notify, which is a truncation', async () => {
    const { peer, port } = await opensslServer();
    const socket = await connectTo(port);
    const failing = once(socket.resume(), 'error');
    await command(peer, 'q');
    const [error] = (await within(failing, 'an error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ERR_SSL_UNEXPECTED_EOF');
  });
});
