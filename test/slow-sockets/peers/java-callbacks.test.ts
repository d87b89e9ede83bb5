// What the callbacks of a server decide, as Java's SSLSocket meets it.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { ClientHello, ServerOptions } from 'system-tls';
import { ja4 } from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { type Identity, issue } from '../../support/certificates.ts';
import { Child, packageFolder } from '../../support/child.ts';
import { versions } from '../../support/memory-pair.ts';
import { ocspResponse } from '../../support/ocsp.ts';
import { startServer } from '../../support/sockets.ts';
import { patience, sleep } from '../../support/wait.ts';

const identity = (name: string) => issue(`java-${name}`, { subject: `/CN=${name}`, names: `DNS:${name}.example` });

const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('a Java client of a server with callbacks', () => {
  before(function () {
    needsProgram(this, 'java');
  });

  for (const [version, both] of versions) {
    it(`${version}: meets the certificate, the protocol and the response that they choose, or their alert`, async () => {
      const [a, b] = [identity('a'), identity('b')];
      const show = ({ cert, key }: Identity) => ({ cert, key });
      const hellos: ClientHello[] = [];
      const options: ServerOptions = {
        ...both,
        onClientHello: async hello => {
          hellos.push(hello);
          await sleep(1);
          return hello.serverName === 'refused.example' ? { alert: 'access_denied' } : null;
        },
        onALPN: ({ protocols }) => sleep(1).then(() => protocols.find(each => each === 'two')),
        onCertificate: async ({ servername }) => (servername === 'b.example' ? show(b) : show(a)),
        // JSSE reads it, and refuses what is none.
        onStatusRequest: async ({ certificate }) => ocspResponse(certificate.subject === 'CN=b' ? b : a).der,
      };
      const { port } = await startServer(options, socket => socket.resume());
      const java = new Child('java', [
        ...['-Xshare:auto', '-XX:TieredStopAtLevel=1', join(packageFolder, 'test/fixtures/Callbacks.java')],
        ...[String(port), version, 'one,two', 'a.example', 'b.example', 'refused.example'],
      ]);
      await java.printed(/^done$/m, { within: 4 * patience });
      assert.match(java.output, new RegExp(`^a\\.example: CN=a, two, ${digest(ocspResponse(a).der)}$`, 'm'));
      assert.match(java.output, new RegExp(`^b\\.example: CN=b, two, ${digest(ocspResponse(b).der)}$`, 'm'));
      assert.match(java.output, /^refused\.example: .*access_denied/m);
      assert.deepEqual(
        hellos.map(({ serverName, alpn }) => [serverName, alpn]),
        ['a.example', 'b.example', 'refused.example'].map(name => [name, ['one', 'two']]),
      );
      assert.equal(new Set(hellos.map(ja4)).size, 1, 'it is one client');
    });
  }
});
