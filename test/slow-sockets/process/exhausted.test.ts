// No descriptor is left: whatever needs one fails with a code and leaves nothing behind, and what has its own goes on.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { TlsSocket } from 'system-tls';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { endsWith, run } from '../../support/scripts.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { watch, within } from '../../support/wait.ts';

/** For the child: takes all descriptors that there are, and gives some back. */
const exhausting = `
  import { execFileSync } from 'node:child_process';
  import { closeSync, openSync } from 'node:fs';
  import net from 'node:net';
  import { setTimeout as sleep } from 'node:timers/promises';
  const held = [];
  const limit = () => execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=128:128']);
  const fill = () => { try { for (;;) held.push(openSync('/dev/null', 'r')); } catch {} };
  const free = count => { for (const fd of held.splice(held.length - count, count)) closeSync(fd); };
  /** How many there are. */
  const left = () => {
    const before = held.length;
    fill();
    const count = held.length - before;
    free(count);
    return count;
  };
  const returned = async count => {
    for (let i = 0; i < 6000 && left() !== count; i++) {
      // A thread may close what was opened before all were taken: that is none of those that were given back.
      if (left() > count) {
        fill();
        free(count);
      }
      await sleep(10);
    }
    return left();
  };
  /** With each number of free descriptors up to one that suffices: the code that it fails with, and what is lost by it. */
  const sweep = async act => {
    fill();
    for (let count = 0; count < 40; count++) {
      free(count);
      const outcome = await act().then(() => 'done', error => error.code ?? 'no code: ' + error.stack);
      const rest = await returned(count);
      console.log('with', count, 'free:', outcome + ',', 'lost', count - rest);
      fill();
      if (outcome === 'done') break;
    }
    free(held.length);
    console.log(await act().then(() => 'works again', error => error.stack));
  };
`;

/** For a server in the child: takes all descriptors when it is told to. */
const filling = `
  limit();
  console.log('port', server.address().port);
  process.stdin.on('data', line => {
    if (String(line).includes('fill')) { fill(); console.log('full'); }
  });
`;

async function talk(socket: TlsSocket, words: string): Promise<void> {
  socket.write(words);
  const [data] = await within(once(socket, 'data'), `an answer to ${words}`);
  assert.equal(String(data), words);
}

/** Each needs descriptors; each closes what it has opened. */
const actions: ReadonlyArray<readonly [name: string, before: string, act: string]> = [
  ['an IoPool', '', 'await new IoPool({ threads: 3 }).close();'],
  [
    'listen()',
    '',
    `const server = createServer({ cert, key, io });
     try { await server.listen({ port: 0, host: '127.0.0.1' }); } finally { await server.close(); }`,
  ],
  [
    'connect()',
    '',
    `const socket = await connect({ host: '127.0.0.1', port, ca, io, servername: 'localhost' });
     const closed = new Promise(resolve => socket.once('close', resolve));
     socket.destroy();
     await closed;`,
  ],
  [
    'setFd(), which duplicates,',
    'const plain = await raw();',
    `const ssl = new Ssl(context, { side: 'client', io });
     try { ssl.setFd(plain._handle.fd); } finally { ssl.close(); }`,
  ],
  [
    'setBio() of a socket',
    'const plain = await raw();',
    `const ssl = new Ssl(context, { side: 'client' });
     const bio = Bio.socket(plain._handle.fd);
     try { ssl.setBio(bio, bio); } finally { ssl.close(); }`,
  ],
  [
    'sendFile(), which duplicates,',
    `const file = openSync(process.argv[1], 'r');
     const socket = await connect({ host: '127.0.0.1', port, ca, io, servername: 'localhost' });
     socket.on('error', ignore).resume();`,
    'await socket.sendFile(file);',
  ],
];

describe('descriptors that are exhausted', () => {
  beforeEach(function () {
    needs(this as never, process.platform === 'linux', 'descriptors are limited with prlimit of Linux');
    needsProgram(this as never, 'prlimit');
  });

  for (const [name, before, act] of actions) {
    it(`fail ${name} with a code, and nothing is lost`, async () => {
      const { port } = await startServer({}, socket => void socket.resume());
      const child = run(`
        ${exhausting}
        const port = ${port};
        const context = new SslContext({ ca });
        const raw = () => new Promise(resolve => {
          const plain = net.connect({ port, host: '127.0.0.1' }).pause();
          plain.on('error', ignore).once('connect', () => resolve(plain));
        });
        ${before}
        const act = async () => { ${act} };
        // What is opened once and stays.
        await act();
        limit();
        await sweep(act);
        process.exit();
      `);
      await endsWith(child, 0, name);
      const told = [...child.output.matchAll(/^with (\d+) free: (.*), lost (.*)$/gm)];
      assert.ok(told.length >= 2, child.output);
      for (const [line, , outcome, lost] of told) {
        assert.match(outcome as string, /^(EMFILE|done)$/, line);
        assert.equal(lost, '0', `${line}\n${child.output}`);
      }
      assert.equal(told.at(-1)?.[2], 'done');
      assert.match(child.output, /^works again$/m);
    });
  }

  it('leave connections that there are alone, and keep others waiting until one has ended', async () => {
    const child = run(`
      ${exhausting}
      const server = createServer({ cert, key, io }, socket => socket.on('error', ignore).pipe(socket));
      server.on('error', error => console.log('error', error.code));
      await server.listen({ port: 0, host: '127.0.0.1' });
      ${filling}
    `);
    const [, port] = await child.printed(/port (\d+)/);
    const first = await connectTo(Number(port));
    const second = await connectTo(Number(port));
    await talk(first, 'before');
    child.write('fill\n');
    await child.printed(/full/);
    const third = connectTo(Number(port));
    await child.printed(/error EMFILE/);
    for (let round = 0; round < 20; round++) await talk(first, `round ${round}`);
    await first.keyUpdate({ requestPeer: true });
    await talk(first, 'with new keys');
    second.destroy();
    const accepted = await within(third, 'the third to be accepted');
    await talk(accepted, 'accepted after all');
    await talk(first, 'after');
    assert.equal(child.output.match(/error EMFILE/g)?.length, 1, child.output);
    await child.stop();
  });

  it('those of system-tls/tls wait too, and nobody is told of what is over when one has ended', async () => {
    const child = run(`
      ${exhausting}
      const { default: tls } = await import('system-tls/tls');
      const server = tls.createServer({ cert, key, io: io ?? false }, socket => socket.on('error', ignore).pipe(socket));
      server.on('error', error => console.log('error', error.code));
      server.on('tlsClientError', error => console.log('client', error.code));
      await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
      ${filling}
    `);
    const [, port] = await child.printed(/port (\d+)/);
    const first = await connectTo(Number(port));
    const second = await connectTo(Number(port));
    await talk(first, 'before');
    child.write('fill\n');
    await child.printed(/full/);
    const third = watch(connectTo(Number(port)));
    for (let round = 0; round < 20; round++) await talk(first, `round ${round}`);
    assert.equal(third.outcome.status, 'pending');
    second.destroy();
    await talk(await within(third.promise, 'the third to be accepted'), 'accepted after all');
    assert.doesNotMatch(child.output, /error|client/);
    await child.stop();
  });
});
