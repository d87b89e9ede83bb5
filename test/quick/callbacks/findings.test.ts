// Which of several findings about a certificate is told: the last, as by node:tls.
import assert from 'node:assert/strict';
import tls from 'node:tls';
import type { SslOptions, VerifyRequest } from 'system-tls';
import { certificates, type Identity } from '../../support/certificates.ts';
import { rejected } from '../../support/errors.ts';
import { clientContext, connectedPair, makePair, serverContext, versions } from '../../support/memory-pair.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { within } from '../../support/wait.ts';

const { ca, expired, notYetValid, otherCa, selfSigned, server, stranger, deepServer } = certificates();

/** Certificates of a server, and whom its client trusts. */
const cases: readonly (readonly [what: string, identity: Identity, trusted: string])[] = [
  ['of an unknown CA', server, otherCa.cert],
  ['of an unknown CA, and too old', expired, otherCa.cert],
  ['too old', expired, ca.cert],
  ['not valid yet, of an unknown CA', notYetValid, otherCa.cert],
  ['signed by itself', selfSigned, ca.cert],
  ['with its issuer, whose own is unknown', deepServer, otherCa.cert],
  [
    'without its issuer',
    { ...deepServer, cert: deepServer.cert.split(/(?<=-----END CERTIFICATE-----\n)/)[0] ?? '' },
    ca.cert,
  ],
];

async function nodeSays(port: number, trusted: string): Promise<string> {
  const socket = tls.connect({ host: '127.0.0.1', port, servername: 'localhost', ca: trusted });
  try {
    return await within(
      new Promise<string>((resolve, reject) => {
        socket.once('secureConnect', () => reject(new Error('node accepted it')));
        socket.once('error', error => resolve((error as NodeJS.ErrnoException).code ?? ''));
      }),
      'the error of node:tls',
    );
  } finally {
    socket.destroy();
  }
}

describe('of several findings the last is told', () => {
  for (const [what, { cert, key }, trusted] of cases) {
    it(`as by node:tls, of a certificate ${what}`, async () => {
      const { port } = await startServer({ cert, key });
      const expected = await nodeSays(port, trusted);
      await rejected(connectTo(port, { ca: trusted }), expected);
      const lax = await connectTo(port, { ca: trusted, rejectUnauthorized: false });
      assert.equal(lax.ssl.verifyResult.name, expected);
      assert.equal(lax.authorized, false);
      let seen: VerifyRequest | undefined;
      const verify = (request: VerifyRequest): boolean => {
        seen = request;
        return false;
      };
      await rejected(connectTo(port, { ca: trusted, verify }), expected);
      assert.equal(seen?.verifyResult.name, expected);
    });
  }

  for (const [version, both] of versions) {
    it(`of a client's certificate, insisted on or not, ${version}`, async () => {
      const client = { ...both, cert: stranger.cert, key: stranger.key };
      const asking = { ...both, ca: ca.cert, requestCert: true };
      const lax = await connectedPair({ client, server: { ...asking, rejectUnauthorized: false } });
      const expected = lax.server.verifyResult.name;
      assert.equal(expected, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE');
      const pair = makePair({ client, server: asking });
      pair.client.connect().catch(() => {});
      await rejected(pair.during(pair.server.accept()), expected);
    });

    it(`and a certificate without any is still accepted, ${version}`, async () => {
      const pair = await connectedPair({ both });
      assert.equal(pair.client.verifyResult.name, 'OK');
    });

    // OpenSSL looks at the name before the signatures, node:tls when all else is right.
    it(`but a wrong name only where it is alone, ${version}`, async () => {
      const { cert, key } = expired;
      const far = serverContext({ ...both, cert, key });
      const attempt = async (clientSsl: Partial<SslOptions>, code: string): Promise<void> => {
        const pair = makePair({ clientContext: clientContext(both), serverContext: far, clientSsl });
        pair.server.accept().catch(() => {});
        await rejected(pair.during(pair.client.connect()), code);
      };
      await attempt({ servername: 'elsewhere.example' }, 'CERT_HAS_EXPIRED');
      await attempt({ servername: 'elsewhere.example', verify: () => false }, 'CERT_HAS_EXPIRED');
      await attempt({ servername: undefined, host: '127.0.0.9' }, 'CERT_HAS_EXPIRED');
      await attempt({}, 'CERT_HAS_EXPIRED');
      const good = makePair({ client: both, server: both, clientSsl: { servername: 'elsewhere.example' } });
      good.server.accept().catch(() => {});
      await rejected(good.during(good.client.connect()), 'ERR_TLS_CERT_ALTNAME_INVALID');
    });

    it(`but the purpose rather than the name, which OpenSSL looks at behind it, ${version}`, async () => {
      const { cert, key } = certificates().client;
      for (const verify of [undefined, () => false]) {
        const pair = makePair({ client: both, server: { ...both, cert, key }, clientSsl: { verify } });
        pair.server.accept().catch(() => {});
        await rejected(pair.during(pair.client.connect()), 'INVALID_PURPOSE');
      }
    });

    it(`but a chain that is too long rather than what follows from that, ${version}`, async () => {
      const { cert, key } = deepServer;
      for (const verify of [undefined, () => false]) {
        const pair = makePair({
          client: { ...both, verifyDepth: 0 },
          server: { ...both, cert, key },
          clientSsl: { verify },
        });
        pair.server.accept().catch(() => {});
        await rejected(pair.during(pair.client.connect()), 'CERT_CHAIN_TOO_LONG');
      }
    });
  }
});
