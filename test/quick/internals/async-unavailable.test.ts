// A server whose verification waits, where OpenSSL has no ASYNC jobs. Here it has them, so the library is told otherwise before
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
       noCallback: outcome(() => createServer({ ...identity, requestCert: true, verify: null })),
       clientContext: outcome(() => new SslContext({ method: 'TLS_client', verify })),
       contextOfBothSides: outcome(() => new SslContext({ verify })),
       clientSsl: outcome(() => new Ssl(new SslContext(), { side: 'client', verify })),
       clientSetVerify: outcome(() => client.setVerify({ verify })),
     }));`,
  );
}

const onClients = ['noCallback', 'clientContext', 'contextOfBothSides', 'clientSsl', 'clientSetVerify'];

describe('without ASYNC jobs of OpenSSL', () => {
  it('a server that would have to wait is refused when it is configured, a client is not', async () => {
    const found = await outcomes(false);
    for (const [name, outcome] of Object.entries(found)) {
      if (onClients.includes(name)) assert.equal(outcome, 'none', name);
      else assert.match(outcome, /"options\.verify(Callback)?".*openssl\.features\.async/, name);
    }
    assert.match(found.verifyCallback ?? '', /"options\.verifyCallback"/);
  });

  it('with them nothing of that is refused', async () => {
    const found = await outcomes(true);
    assert.deepEqual([...new Set(Object.values(found))], ['none'], JSON.stringify(found));
  });
});
