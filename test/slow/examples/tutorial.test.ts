// The tutorial's examples, each against its counterpart and against openssl s_client or s_server.
import assert from 'node:assert/strict';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child } from '../../support/child.ts';
import { compileExamples, example, succeeds } from '../../support/examples.ts';
import { opensslServer } from '../../support/peers.ts';
import { startServer } from '../../support/sockets.ts';

interface Serving {
  readonly server: Child;
  readonly port: string;
}

async function serve(name: string): Promise<Serving> {
  const { certFile, keyFile } = certificates().server;
  const server = example(name, [certFile, keyFile]);
  const [, port = ''] = await server.printed(/^port (\d+)$/m);
  return { server, port };
}

const client = (name: string, port: string | number, caFile = certificates().ca.certFile): Child =>
  example(name, [String(port), caFile]);

/** Sends each line back with its letters in reverse. */
const reversing = async (...args: string[]): Promise<number> => (await opensslServer(['-rev', ...args])).port;

/** Sends lines, and prints what comes back. */
function sClient(port: string, ...args: string[]): Child {
  const trust = ['-CAfile', certificates().ca.certFile, '-verify_return_error'];
  return new Child('openssl', ['s_client', '-connect', `localhost:${port}`, '-quiet', ...trust, ...args]);
}

describe('the examples of the tutorial', () => {
  before('compile', function () {
    needsProgram(this, 'openssl');
    compileExamples();
  });

  describe('simple-server and simple-client', () => {
    it('talk, one client after the other, and say goodbye', async () => {
      const { server, port } = await serve('simple-server');
      for (let round = 0; round < 2; round++) {
        const output = await succeeds(client('simple-client', port));
        assert.match(output, /^TLSv1\.3 connection using TLS_\w+\nserver certificate: CN=localhost$/m);
        assert.match(output, /^received: this message is from the SSL server: this message is from the SSL client$/m);
      }
      await server.printed(/(received 36 bytes\nthe client said goodbye after 0 renegotiations\n(?:.*\n)*){2}/);
    });

    it('talk to s_server and s_client', async () => {
      const output = await succeeds(client('simple-client', await reversing()));
      assert.match(output, /^received: tneilc LSS eht morf si egassem siht$/m);
      const { server, port } = await serve('simple-server');
      const peer = sClient(port);
      peer.write('from s_client\n');
      await peer.printed(/this message is from the SSL server: from s_client/);
      await peer.stop();
      // It was killed: that is no goodbye.
      await server.printed(/ended without close_notify|ECONNRESET|unexpected eof/i);
    });

    it('the client does not talk to a server that it does not trust', async () => {
      const { server, port } = await serve('simple-server');
      const stranger = client('simple-client', port, certificates().otherCa.certFile);
      assert.equal((await stranger.exited).code, 1);
      assert.match(stranger.output, /UNABLE_TO_VERIFY_LEAF_SIGNATURE/);
      assert.doesNotMatch(stranger.output, /received/);
      await server.printed(/unknown ca/);
    });
  });

  describe('bio-server and bio-client', () => {
    it('exchange lines', async () => {
      const { server, port } = await serve('bio-server');
      const output = await succeeds(client('bio-client', port));
      assert.equal(output, 'gets: you said: a line\nread: you said: bytes\n');
      await server.printed(/^the client said goodbye$/m);
    });

    it('exchange lines with s_server and s_client', async () => {
      assert.equal(await succeeds(client('bio-client', await reversing())), 'gets: enil a\nread: setyb\n');
      const { port } = await serve('bio-server');
      const peer = sClient(port);
      peer.write('one\ntwo\n');
      await peer.printed(/^you said: one\nyou said: two$/m);
    });

    it('a server that goes in the middle of a line is no end', async () => {
      const { port } = await startServer({}, socket => {
        socket.once('data', () => socket.write('half a li', () => socket.destroy()));
      });
      const peer = client('bio-client', port);
      assert.equal((await peer.exited).code, 1);
      assert.match(peer.output, /ERR_SSL_UNEXPECTED_EOF|ECONNRESET/);
      assert.doesNotMatch(peer.output, /gets:/);
    });
  });

  describe('resume-client', () => {
    it('resumes its session with simple-server', async () => {
      const { server, port } = await serve('simple-server');
      assert.match(await succeeds(client('resume-client', port)), /^the session was resumed$/m);
      await server.stop();
    });

    for (const version of ['-tls1_2', '-tls1_3']) {
      it(`resumes it with s_server, ${version}`, async () => {
        const output = await succeeds(client('resume-client', await reversing(version)));
        assert.equal(output, 'received: olleh\nthe session was resumed\nreceived: olleh\n');
      });
    }

    it('goes on without where the server keeps no sessions', async () => {
      const port = await reversing('-tls1_2', '-no_cache', '-no_ticket');
      const output = await succeeds(client('resume-client', port));
      assert.equal(output, 'received: olleh\nthe session was not resumed\nreceived: olleh\n');
    });
  });

  describe('renegotiate-server', () => {
    it('and simple-client, which only reads', async () => {
      const { server, port } = await serve('renegotiate-server');
      const output = await succeeds(client('simple-client', port));
      assert.match(output, /^received: this message is from the SSL client\n1 renegotiations$/m);
      await server.printed(/^1 renegotiation complete$/m);
    });

    it('and s_client', async () => {
      const { server, port } = await serve('renegotiate-server');
      const peer = sClient(port, '-tls1_2');
      await server.printed(/^1 renegotiation complete$/m);
      peer.write('after it\n');
      await peer.printed(/^after it$/m);
    });

    it('and an s_client that refuses', async () => {
      const { server, port } = await serve('renegotiate-server');
      sClient(port, '-tls1_2', '-no_renegotiation');
      await server.printed(/no renegotiation/);
      assert.doesNotMatch(server.output, /complete/);
    });
  });

  describe('renegotiate-client', () => {
    it('and simple-server, which only reads', async () => {
      const { server, port } = await serve('simple-server');
      const output = await succeeds(client('renegotiate-client', port));
      assert.match(output, /^1 renegotiation complete\nreceived: this message is from the SSL server: after it$/m);
      await server.printed(/^the client said goodbye after 1 renegotiations$/m);
    });

    it('and s_server', async () => {
      const output = await succeeds(client('renegotiate-client', await reversing('-tls1_2', '-client_renegotiation')));
      assert.match(output, /^1 renegotiation complete\nreceived: ti retfa$/m);
    });

    it('and an s_server that refuses', async () => {
      const peer = client('renegotiate-client', await reversing('-tls1_2'));
      assert.equal((await peer.exited).code, 1);
      assert.match(peer.output, /ERR_SSL_NO_RENEGOTIATION/);
      assert.doesNotMatch(peer.output, /complete/);
    });
  });
});
