// Functions that a handshake asks, over datagrams: behind the cookie, with loss, and refused where they cannot be.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type ClientHello,
  type ConnectDtlsOptions,
  type DtlsServerOptions,
  ja4,
  type OpenSslError,
  openssl,
  SslContext,
} from 'system-tls';
import { type CallbackKind, callbackKinds } from '../../support/callback-kinds.ts';
import { needs } from '../../support/capabilities.ts';
import { certificates, type Identity } from '../../support/certificates.ts';
import { connectDtlsTo, echo, Relay, startDtls, udp } from '../../support/dtls.ts';
import { causeCode, rejected, thrown } from '../../support/errors.ts';
import { connectedPair, makePair } from '../../support/memory-pair.ts';
import { formOfResponse } from '../../support/ocsp.ts';
import { sleep, until, within } from '../../support/wait.ts';

const identity = ({ cert, key }: Identity) => ({ cert, key });
const kinds = callbackKinds.filter(({ name }) => name !== 'onServerName');
const given = (kind: CallbackKind, call: () => unknown) =>
  kind.options(call) as { server: DtlsServerOptions; client: Partial<ConnectDtlsOptions> };

describe('functions that a handshake of DTLS asks', () => {
  before(function () {
    needs(this, openssl.features.dtls, 'this OpenSSL was built without DTLS');
  });

  for (const kind of kinds) {
    it(`${kind.name}: answers at once and later, once for each connection`, async () => {
      let asked = 0;
      for (const later of [false, true]) {
        const { server, client } = given(kind, () => {
          asked++;
          return later ? sleep(3).then(kind.right) : kind.right();
        });
        const { port } = await startDtls(server, ssl => void echo(ssl));
        const ssl = await connectDtlsTo(port, client);
        await ssl.write('hello');
        assert.equal(String(await within(ssl.read(), 'the echo')), 'hello');
      }
      assert.equal(asked, 2);
    });

    it(`${kind.name}: works with a ready context, as an option beside it`, async () => {
      let asked = 0;
      const { server, client } = given(kind, () => {
        asked++;
        return kind.right();
      });
      const { port } = await startDtls({
        ...server,
        secureContext: new SslContext({ method: 'DTLS_server', ...identity(certificates().server), ca: server.ca }),
      });
      const secureContext = new SslContext({
        ...{ method: 'DTLS_client', ca: certificates().ca.cert },
        ...(client.cert && { cert: client.cert, key: client.key }),
      });
      await connectDtlsTo(port, { ...client, secureContext });
      await until(() => asked === 1, 'the question');
    });

    it(`${kind.name}: one that fails ends the handshake on both sides`, async () => {
      const { server, client } = given(kind, () => sleep(1).then(() => Promise.reject(new Error('on purpose'))));
      const running = await startDtls(server);
      const failed = once(running.server, 'tlsClientError') as Promise<[OpenSslError]>;
      const connecting = connectDtlsTo(running.port, client).then(async ssl => {
        await ssl.read();
      });
      const onClient = await rejected(connecting, /^E/);
      // Asked before it has said anything: there is nobody to tell.
      const silent = kind.name === 'onPsk (client)';
      const [onServer] = silent ? [onClient] : await within(failed, 'the server to hear of it');
      const error = kind.side === 'server' ? onServer : onClient;
      assert.equal(error.code, kind.code, error.stack);
    });

    it(`${kind.name}: waits while datagrams are repeated`, async () => {
      let asked = 0;
      // Longer than the first timer of a retransmission, which is a second.
      const { server, client } = given(kind, () => {
        asked++;
        return sleep(1300).then(kind.right);
      });
      const { port } = await startDtls(server, ssl => void echo(ssl));
      const ssl = await connectDtlsTo(port, client);
      await ssl.write('hello');
      assert.equal(String(await within(ssl.read(), 'the echo')), 'hello');
      assert.equal(asked, 1);
    });
  }

  it('onClientHello is asked about nobody before the cookie is back', async () => {
    let asked = 0;
    const hellos: ClientHello[] = [];
    const { port } = await startDtls({
      onClientHello: hello => {
        asked++;
        hellos.push(hello);
      },
    });
    const relay = await Relay.open(port);
    await connectDtlsTo(relay.port);
    assert.equal(asked, 1);
    assert.match(ja4(hellos[0] as ClientHello), /^dd2/);
    assert.ok((hellos[0]?.ciphers.length ?? 0) > 0);
    const first = relay.seen.find(({ direction }) => direction === 'to server')?.datagram;
    const flood = await udp();
    for (let round = 0; round < 50; round++) flood.send(first as Buffer, port, '127.0.0.1');
    await sleep(50);
    assert.equal(asked, 1);
  });

  it('onClientHello decides settings of DTLS, and no context', async () => {
    const { serverRsa } = certificates();
    const good = await startDtls({
      onClientHello: () => ({ minVersion: 'DTLSv1.2', ...identity(serverRsa), ciphers: 'ECDHE-RSA-AES256-GCM-SHA384' }),
    });
    const ssl = await connectDtlsTo(good.port);
    assert.equal(ssl.peerCertificate?.publicKey.asymmetricKeyType, 'rsa');
    assert.equal(ssl.cipher?.name, 'ECDHE-RSA-AES256-GCM-SHA384');
    const context = new SslContext({ method: 'DTLS_server', ...identity(serverRsa) });
    for (const [answer, cause] of [
      [{ context }, 'ERR_TLS_DTLS'],
      [{ context: new SslContext(identity(serverRsa)) }, 'ERR_TLS_DTLS'],
      [{ minVersion: 'TLSv1.3' }, 'ERR_TLS_INVALID_PROTOCOL_VERSION'],
    ] as const) {
      const bad = await startDtls({ onClientHello: () => answer as never });
      const failed = once(bad.server, 'tlsClientError') as Promise<[Error]>;
      await rejected(connectDtlsTo(bad.port), /INTERNAL_ERROR/);
      assert.equal(causeCode((await failed)[0]), cause);
    }
  });

  it('onStatus refuses a response, and a server that has none', async () => {
    for (const found of [formOfResponse(), null]) {
      const running = await startDtls({ onStatusRequest: () => found });
      const failed = once(running.server, 'tlsClientError') as Promise<[OpenSslError]>;
      const error = await rejected(
        connectDtlsTo(running.port, { onStatus: response => response === undefined }),
        'ERR_SSL_INVALID_STATUS_RESPONSE',
      );
      assert.equal((error as unknown as OpenSslError).alert?.name, 'bad_certificate_status_response');
      assert.match((await within(failed, 'the server to hear of it'))[0].code, /BAD_CERTIFICATE_STATUS_RESPONSE/);
      const good = await connectDtlsTo(running.port, { requestOCSP: true });
      assert.deepEqual(good.ocspResponse, found);
    }
  });

  it('onResumeSession gives the session that onNewSession was told of', async () => {
    const store = new Map<string, Buffer>();
    const { port } = await startDtls({
      onNewSession: (id, session) => store.set(id.toString('hex'), session),
      onResumeSession: id => sleep(3, store.get(id.toString('hex'))),
    });
    const first = await connectDtlsTo(port);
    assert.equal(first.sessionReused, false);
    await until(() => store.size === 1, 'the session');
    const again = await connectDtlsTo(port, { session: first.session ?? undefined });
    assert.equal(again.sessionReused, true);
    store.clear();
    const forgotten = await connectDtlsTo(port, { session: first.session ?? undefined });
    assert.equal(forgotten.sessionReused, false);
  });

  it('names are refused by name', async () => {
    const own = identity(certificates().server);
    thrown(() => new SslContext({ method: 'DTLS_server', ...own, onServerName: () => null }), 'ERR_TLS_DTLS');
    await rejected(startDtls({ onServerName: () => null }), 'ERR_TLS_DTLS');
    await rejected(startDtls({ serverNames: { 'a.example': own } }), 'ERR_TLS_DTLS');
  });

  it('ALPNProtocols beside a ready context count, on both sides', async () => {
    const server = new SslContext({ method: 'DTLS_server', ...identity(certificates().server) });
    const client = new SslContext({ method: 'DTLS_client', ca: certificates().ca.cert });
    const { port } = await startDtls({ secureContext: server, ALPNProtocols: ['b'] });
    const ssl = await connectDtlsTo(port, { secureContext: client, ALPNProtocols: ['a', 'b'] });
    assert.equal(ssl.alpnProtocol, 'b');
  });

  it('a renegotiation is shown, and refused by an alert', async () => {
    const shown: boolean[] = [];
    const running = await startDtls(
      {
        clientRenegotiation: true,
        onClientHello: ({ renegotiation }) => {
          shown.push(renegotiation);
          return shown.length > 2 ? { alert: 'access_denied' } : null;
        },
      },
      ssl => void echo(ssl),
    );
    const ssl = await connectDtlsTo(running.port);
    const reading = ssl.read();
    await within(ssl.renegotiate(), 'the renegotiation');
    await rejected(ssl.renegotiate(), /ACCESS_DENIED/);
    await reading.catch(() => {});
    assert.deepEqual(shown, [false, true, true]);
  });
});

describe('functions that a handshake of DTLS in memory asks', () => {
  before(function () {
    needs(this, openssl.features.dtls, 'this OpenSSL was built without DTLS');
  });

  for (const kind of kinds) {
    it(`${kind.name}: answers, and is left behind by close()`, async () => {
      const both = { method: 'DTLS' } as const;
      const later = kind.options(() => sleep(2).then(kind.right));
      await connectedPair({ both, ...later });
      let asked = false;
      const never = kind.options(() => {
        asked = true;
        return new Promise(() => {});
      });
      const pair = makePair({ both, ...never });
      const ends = [pair.client.connect(), pair.server.accept()];
      for (const end of ends) end.catch(() => {});
      pair.flow();
      await until(() => asked, 'the question');
      pair.close();
      for (const end of ends) await rejected(end, 'ERR_TLS_CLOSED');
    });
  }
});
