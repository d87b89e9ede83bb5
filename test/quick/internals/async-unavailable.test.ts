// A server whose verification waits, or whose keys of TLS 1.2 do, where OpenSSL has no ASYNC jobs. Here it has them, so the library is told otherwise before
// it looks.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { certificates } from '../../support/certificates.ts';
import { packageFolder } from '../../support/child.ts';
import { evaluate } from '../../support/nodes.ts';

/** Codes of what was thrown, 'none' where nothing was. */
async function outcomes(asyncJobs: boolean): Promise<Record<string, string>> {
  const { cert, key } = certificates().server;
  return evaluate(
    process.execPath,
    `import { binding } from ${JSON.stringify(join(packageFolder, 'dist/native/load-binding.js'))};
     const info = binding.opensslInfo();
     binding.opensslInfo = () => ({ ...info, features: { ...info.features, async: ${asyncJobs} } });
     const { createDtlsServer, createServer, Ssl, SslContext } = await import('system-tls');
     const identity = ${JSON.stringify({ cert, key })};
     const verify = () => true;
     const verifyCallback = preverified => preverified;
     const outcome = action => {
       try {
         action();
         return 'none';
       } catch ({ code, message }) {
         return code === 'ERR_TLS_ASYNC_UNAVAILABLE' ? message : code;
       }
     };
     const onPsk = () => null;
     const olderNames = 'ECDHE+PSK:ECDHE+AESGCM';
     const plain = createServer(identity);
     const server = new Ssl(new SslContext(identity), { side: 'server' });
     const client = new Ssl(new SslContext(), { side: 'client' });
     console.log(JSON.stringify({
       verify: outcome(() => createServer({ ...identity, requestCert: true, verify })),
       verifyCallback: outcome(() => createServer({ ...identity, requestCert: true, verifyCallback })),
       readyContext: outcome(() => createServer({ secureContext: new SslContext({ ...identity, requestCert: true, verify }) })),
       dtls: outcome(() => createDtlsServer({ ...identity, requestCert: true, verify })),
       setSecureContext: outcome(() => plain.setSecureContext({ ...identity, requestCert: true, verify })),
       context: outcome(() => new SslContext({ ...identity, method: 'TLS_server', requestCert: true, verify })),
       ssl: outcome(() => new Ssl(new SslContext(identity), { side: 'server', requestCert: true, verify })),
       setVerify: outcome(() => server.setVerify({ verifyMode: 'PEER', verify })),
       psk: outcome(() => createServer({ ...identity, onPsk })),
       pskOfContext: outcome(() => createServer({ secureContext: new SslContext({ ...identity, onPsk }) })),
       pskBesideContext: outcome(() => createServer({ secureContext: new SslContext(identity), onPsk })),
       pskByCiphers: outcome(() => createServer({ ...identity, onPsk, ciphers: olderNames })),
       pskOfDtls: outcome(() => createDtlsServer({ ...identity, onPsk })),
       pskOfSetSecureContext: outcome(() => plain.setSecureContext({ ...identity, onPsk })),
       pskOfServerContext: outcome(() => new SslContext({ ...identity, method: 'TLS_server', onPsk })),
       pskOfFixedVersion: outcome(() => new SslContext({ ...identity, method: 'TLSv1_2_server', onPsk })),
       pskOfSsl: outcome(() => new Ssl(new SslContext(identity), { side: 'server', onPsk })),
       pskTls13: outcome(() => createServer({ ...identity, onPsk, minVersion: 'TLSv1.3' })),
       pskTls13Suites: outcome(() => createServer({ ...identity, onPsk, ciphers: 'TLS_AES_128_GCM_SHA256' })),
       pskTls13Method: outcome(() => new SslContext({ ...identity, method: 'TLSv1_3_server', onPsk })),
       pskTls13Ssl: outcome(() => new Ssl(new SslContext({ ...identity, minVersion: 'TLSv1.3' }), { side: 'server', onPsk })),
       pskNull: outcome(() => createServer({ secureContext: new SslContext({ ...identity, onPsk }), onPsk: null })),
       pskKnown: outcome(() => createServer({ ...identity, psk: { identity: 'one', key: Buffer.alloc(32) } })),
       pskClient: outcome(() => new Ssl(new SslContext(), { side: 'client', onPsk })),
       pskClientContext: outcome(() => new SslContext({ method: 'TLS_client', onPsk })),
       pskOfBothSides: outcome(() => new SslContext({ ...identity, onPsk })),
       noCallback: outcome(() => createServer({ ...identity, requestCert: true, verify: null })),
       clientContext: outcome(() => new SslContext({ method: 'TLS_client', verify })),
       contextOfBothSides: outcome(() => new SslContext({ verify })),
       clientSsl: outcome(() => new Ssl(new SslContext(), { side: 'client', verify })),
       clientSetVerify: outcome(() => client.setVerify({ verify })),
     }));`,
  );
}

const onClients = ['noCallback', 'clientContext', 'contextOfBothSides', 'clientSsl', 'clientSetVerify'];
/** TLS 1.3 has a retry, a client is asked before its handshake, and known keys ask nobody. */
const withoutJobs = [
  'Tls13',
  'Tls13Suites',
  'Tls13Method',
  'Tls13Ssl',
  'Null',
  'Known',
  'Client',
  'ClientContext',
  'OfBothSides',
];

describe('without ASYNC jobs of OpenSSL', () => {
  it('a server that would have to wait is refused when it is configured, a client is not', async () => {
    const found = await outcomes(false);
    for (const [name, outcome] of Object.entries(found)) {
      if (name.startsWith('psk')) continue;
      if (onClients.includes(name)) assert.equal(outcome, 'none', name);
      else assert.match(outcome, /"options\.verify(Callback)?".*openssl\.features\.async/, name);
    }
    assert.match(found.verifyCallback ?? '', /"options\.verifyCallback"/);
  });

  it('a server that would have to wait for a key up to TLS 1.2 is refused, by the name of the option', async () => {
    const found = Object.entries(await outcomes(false)).filter(([name]) => name.startsWith('psk'));
    for (const [name, outcome] of found) {
      if (withoutJobs.includes(name.slice('psk'.length))) assert.equal(outcome, 'none', name);
      else assert.match(outcome, /"options\.onPsk".*openssl\.features\.async.*TLSv1\.3/, name);
    }
    assert.equal(found.length, 18);
  });

  it('with them nothing of that is refused', async () => {
    const found = await outcomes(true);
    assert.deepEqual([...new Set(Object.values(found))], ['none'], JSON.stringify(found));
  });
});
