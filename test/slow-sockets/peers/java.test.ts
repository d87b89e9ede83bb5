// Java's SSLSocket (JSSE) as a client of ours.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child } from '../../support/child.ts';
import { tls13 } from '../../support/memory-pair.ts';
import { startServer } from '../../support/sockets.ts';
import { patience, until } from '../../support/wait.ts';

// Its limit of received data is 2^37 bytes by default; here it is small, so that it is reached often.
const readerSource = `
import java.io.*;
import java.security.*;
import java.security.cert.*;
import javax.net.ssl.*;

public class Reader {
  public static void main(String[] args) throws Exception {
    Security.setProperty("jdk.tls.keyLimits", "AES/GCM/NoPadding KeyUpdate " + args[2]);
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    store.setCertificateEntry("ca",
        CertificateFactory.getInstance("X.509").generateCertificate(new FileInputStream(args[1])));
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS");
    context.init(null, trust.getTrustManagers(), null);
    SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket("127.0.0.1", Integer.parseInt(args[0]));
    socket.getOutputStream().write('g');
    long total = 0, size = Long.parseLong(args[3]);
    byte[] buffer = new byte[65536];
    try {
      for (int n; total < size && (n = socket.getInputStream().read(buffer)) > 0; ) total += n;
      socket.getOutputStream().write('d');
      System.out.println("read " + total);
      System.in.read();
    } catch (IOException e) {
      System.out.println("read " + total + ", then " + e.getMessage());
    }
  }
}
`;

/** Asks for data, reads so much, and says when it has all. */
function reader(port: number, limit: string, size: number): Child {
  const { folder, ca } = certificates();
  const file = join(folder, 'Reader.java');
  writeFileSync(file, readerSource);
  return new Child('java', [
    '-Xshare:auto',
    '-XX:TieredStopAtLevel=1',
    file,
    String(port),
    ca.certFile,
    limit,
    String(size),
  ]);
}

describe('a Java client', () => {
  before(function () {
    needsProgram(this, 'java');
  });

  it('beyond its key limit asks with each record until our answer comes, and gets all of the data', async () => {
    const size = 32_000_000;
    let requests = 0;
    let answers = 0;
    const keyUpdate = ({ from }: { from: string }) => void (from === 'peer' ? requests++ : answers++);
    let said = '';
    const { port } = await startServer({ ...tls13, on: { keyUpdate } }, socket => {
      socket.once('data', () => socket.write(Buffer.alloc(size)));
      socket.on('data', (data: Buffer) => {
        said += String(data);
      });
    });
    const java = reader(port, '2^22', size);
    await java.printed(/^read \d+.*\n/m, { within: 2 * patience });
    assert.match(java.output, new RegExp(`^read ${size}$`, 'm'));
    await until(() => said === 'gd', 'its last word');
    assert.ok(requests > 0 && answers > 0, `${requests} requests, ${answers} answers`);
  }).timeout(3 * patience);
});
