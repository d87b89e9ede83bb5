// sendFile(): the same whether the kernel sends the file or we do.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import type { TlsSocket } from 'system-tls';
import { pattern, readToEnd, sha256 } from '../../support/bytes.ts';
import { needs, needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { codes } from '../../support/codes.ts';
import { rejected } from '../../support/errors.ts';
import { connectedPair, tls12, tls13 } from '../../support/memory-pair.ts';
import { collect, socketPair, startServer } from '../../support/sockets.ts';
import { sleep, until, watch, within } from '../../support/wait.ts';

const inKernel = process.env['SYSTEM_TLS_KTLS'] === '1' || existsSync('/sys/module/tls');
const megabyte = 2 ** 20;
const size = 3 * megabyte + 17;
const content = pattern(size, 9);
/** More than both sockets and what lies between can hold. */
const endless = 64 * megabyte;

const made: string[] = [];
let files = 0;

function makeFile(bytes: Uint8Array = content): string {
  const path = join(certificates().folder, `file-${process.pid}-${files++}`);
  writeFileSync(path, bytes);
  made.push(path);
  return path;
}

afterEach('removes files', () => {
  for (const path of made.splice(0)) rmSync(path);
});

/** Mostly holes. */
function makeEndless(): string {
  const path = makeFile(pattern(1000));
  truncateSync(path, endless);
  return path;
}

const opened = new Set<number>();

function openFile(path = makeFile(), flags = 'r'): number {
  const fd = openSync(path, flags);
  opened.add(fd);
  return fd;
}

/** Gives the number of a descriptor that was closed to a file. Sockets that are on their way out may have freed lower ones meanwhile. */
function reuse(fd: number, path: string): void {
  let given = openFile(path);
  while (given < fd) given = openFile(path);
  assert.equal(given, fd, "its number is another file's now");
}

function closeFile(fd: number): void {
  if (opened.delete(fd)) closeSync(fd);
}

/** The files behind the descriptors of this process. */
function namesOfDescriptors(): string[] {
  return readdirSync('/proc/self/fd').map(fd => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
}

for (const both of [tls12, tls13]) {
  for (const ktls of [false, true]) {
    const how = `${both.maxVersion}, ${ktls ? 'kernel TLS asked for' : 'by ourselves'}`;

    describe(`sendFile, ${how}`, () => {
      let client: TlsSocket;
      let server: TlsSocket;

      beforeEach(async () => {
        ({ client, server } = await socketPair({ ...both, ktls }, both));
        assert.equal(server.ssl.ktls.send, ktls && inKernel);
      });
      afterEach(() => {
        for (const fd of [...opened]) closeFile(fd);
      });

      it('a whole file, by descriptor and by FileHandle', async () => {
        const path = makeFile();
        const handle = await open(path);
        const all = collect(client);
        assert.equal(await within(server.sendFile(openFile(path)), 'the file'), size);
        assert.equal(await within(server.sendFile(handle), 'the file again'), size);
        assert.equal(server.bytesWritten, 2 * size);
        server.end();
        assert.ok((await within(all, 'the data')).equals(Buffer.concat([content, content])));
        await handle.close();
      });

      it('parts of it, none of it, and what is behind its end', async () => {
        const all = collect(client);
        const fd = openFile();
        assert.equal(await server.sendFile(fd, { offset: 5, length: 100_000 }), 100_000);
        assert.equal(await server.sendFile(fd, { offset: size - 3 }), 3);
        assert.equal(await server.sendFile(fd, { length: 0 }), 0);
        assert.equal(await server.sendFile(fd, { offset: size }), 0);
        assert.equal(await server.sendFile(fd, { offset: Number.MAX_SAFE_INTEGER }), 0);
        assert.equal(await server.sendFile(openFile(makeFile(Buffer.alloc(0)))), 0);
        server.end();
        const expected = Buffer.concat([content.subarray(5, 100_005), content.subarray(size - 3)]);
        assert.ok((await within(all, 'the data')).equals(expected));
      });

      it('keeps its place among writes', async () => {
        const all = collect(client);
        const fd = openFile();
        server.cork();
        server.write('head');
        const first = server.sendFile(fd, { length: 200_000 });
        server.write('between');
        const second = server.sendFile(fd, { offset: 1, length: 3 });
        server.uncork();
        server.end('tail');
        assert.deepEqual(await within(Promise.all([first, second]), 'both'), [200_000, 3]);
        const expected = ['head', content.subarray(0, 200_000), 'between', content.subarray(1, 4), 'tail'];
        assert.ok((await within(all, 'the data')).equals(Buffer.concat(expected.map(part => Buffer.from(part)))));
      });

      it('on the Ssl too, where the descriptor may be closed at once', async () => {
        const all = collect(client);
        const fd = openFile();
        const wrote = server.ssl.write('head');
        const sent = server.ssl.sendFile(fd);
        closeFile(fd);
        reuse(fd, makeFile(Buffer.alloc(size)));
        const tail = server.ssl.write('tail');
        assert.equal(await within(sent, 'the file'), size);
        await Promise.all([wrote, tail]);
        await server.ssl.shutdown();
        const expected = Buffer.concat([Buffer.from('head'), content, Buffer.from('tail')]);
        assert.ok((await within(all, 'the data')).equals(expected));
      });

      it('the descriptor may be closed at once, also while writes wait before it', async () => {
        const [one, two] = [pattern(100_000, 1), pattern(100_000, 2)];
        const other = makeFile(Buffer.alloc(100_000));
        const all = collect(client);
        const send = (path: string): Promise<number> => {
          const fd = openFile(path);
          const sent = server.sendFile(fd);
          closeFile(fd);
          reuse(fd, other);
          return sent;
        };
        const first = send(makeFile(one));
        server.write(content);
        const second = send(makeFile(two));
        const handle = await open(makeFile(one));
        const third = server.sendFile(handle);
        await handle.close();
        const sizes = await within(Promise.all([first, second, third]), 'the files');
        assert.deepEqual(sizes, [one.length, two.length, one.length]);
        server.end();
        assert.ok((await within(all, 'the data')).equals(Buffer.concat([one, content, two, one])));
      });

      it('however it ends, no descriptor is left', async function () {
        needs(this, process.platform === 'linux', 'descriptors are found in /proc');
        const path = makeEndless();
        const fd = openFile(path);
        const duplicates = (): number => namesOfDescriptors().filter(name => name === path).length - 1;
        const control = new AbortController();
        const sending = server.sendFile(fd);
        const aborted = server.sendFile(fd, { signal: control.signal });
        const late = server.sendFile(fd, { timeout: 20 });
        const destroyed = server.sendFile(fd);
        assert.equal(duplicates(), 4);
        control.abort();
        await rejected(aborted, codes.aborted);
        await rejected(late, codes.timeout);
        assert.equal(duplicates(), 2);
        await rejected(server.sendFile(fd, { length: -1 }), codes.outOfRange);
        await rejected(server.sendFile(fd, { signal: control.signal }), codes.aborted);
        assert.equal(duplicates(), 2);
        server.destroy();
        await rejected(sending, [codes.closed, 'ERR_STREAM_DESTROYED']);
        await rejected(destroyed, [codes.closed, 'ERR_STREAM_DESTROYED']);
        await rejected(server.sendFile(fd), codes.closed);
        await rejected(server.ssl.sendFile(fd), codes.closed);
        await until(() => duplicates() === 0, 'the duplicates to be closed');
      });

      it('a file that is too short is an error, after what there was, and the connection goes on', async () => {
        const all = collect(client);
        const error = await rejected(server.sendFile(openFile(), { length: size + 1 }), 'ERR_TLS_FILE_TOO_SHORT');
        // What is written has not arrived yet.
        assert.match(error.message, new RegExp(`${size} of ${size + 1} bytes, which are on their way to the peer`));
        await rejected(server.sendFile(openFile(), { offset: size + 5, length: 1 }), 'ERR_TLS_FILE_TOO_SHORT');
        server.end('and on');
        assert.ok((await within(all, 'the data')).equals(Buffer.concat([content, Buffer.from('and on')])));
      });

      it('a file that is cut while it is sent', async () => {
        const path = makeEndless();
        const exact = watch(server.sendFile(openFile(path), { length: endless }));
        const open = watch(server.sendFile(openFile(path), { offset: 10 }));
        await sleep(100);
        assert.equal(exact.outcome.status, 'pending');
        truncateSync(path, 1000);
        const all = collect(client);
        await until(() => [exact, open].every(each => each.outcome.status !== 'pending'), 'both to end');
        const [failed, sent] = [exact.outcome, open.outcome];
        assert.equal((failed as { error?: NodeJS.ErrnoException }).error?.code, 'ERR_TLS_FILE_TOO_SHORT');
        assert.equal((sent as { value?: number }).value, 990);
        server.end('and on');
        assert.equal(String((await within(all, 'the data')).subarray(-6)), 'and on');
      });

      it('what is no file that can be read is named, and nothing else happens', async () => {
        const all = collect(client);
        const closed = await open(makeFile());
        await closed.close();
        const gone = openFile();
        closeFile(gone);
        await rejected(server.sendFile(gone), 'EBADF');
        await rejected(server.sendFile(closed), codes.wrongValue);
        await rejected(server.sendFile(openFile(certificates().folder)), 'EISDIR');
        await rejected(server.sendFile(openFile('/dev/zero')), 'ESPIPE');
        await rejected(server.sendFile(openFile(makeFile(), 'a')), 'EBADF');
        for (const wrong of ['/etc/passwd', null, undefined, {}, { fd: '3' }] as never[]) {
          await rejected(server.sendFile(wrong), codes.wrongType);
        }
        for (const wrong of [-1, 1.5, Number.NaN, 2 ** 40]) await rejected(server.sendFile(wrong), codes.outOfRange);
        for (const wrong of [{ offset: -1 }, { length: -1 }, { offset: 0.5 }, { length: Number.POSITIVE_INFINITY }]) {
          await rejected(server.sendFile(0, wrong), codes.outOfRange);
        }
        await rejected(server.sendFile(0, { offset: 1, length: Number.MAX_SAFE_INTEGER }), codes.outOfRange);
        server.end('and on');
        assert.equal(String(await within(all, 'the data')), 'and on');
      });

      it('an abort before its turn leaves no trace', async () => {
        const control = new AbortController();
        const before = server.sendFile(openFile(makeEndless()));
        const waiting = server.sendFile(openFile(), { signal: control.signal });
        const late = server.sendFile(openFile(), { timeout: 30 });
        server.write('and on');
        await rejected(late, codes.timeout);
        control.abort();
        await rejected(waiting, codes.aborted);
        await rejected(server.sendFile(openFile(), { signal: control.signal }), codes.aborted);
        const all = collect(client);
        assert.equal(await within(before, 'the file before'), endless);
        server.end();
        const data = await within(all, 'the data');
        assert.equal(data.length, endless + 6);
        assert.equal(String(data.subarray(-6)), 'and on');
      });

      it('an abort in the middle closes the connection: half a file is not taken back', async () => {
        const control = new AbortController();
        const sending = server.sendFile(openFile(makeEndless()), { signal: control.signal });
        await sleep(50);
        control.abort();
        await rejected(sending, codes.aborted);
        await until(() => server.destroyed, 'the end');
        await rejected(server.sendFile(openFile()), codes.closed);
      });

      it('a close in the middle, by either side', async () => {
        const sending = server.sendFile(openFile(makeEndless()));
        await sleep(20);
        server.destroy();
        await rejected(sending, [codes.closed, 'ERR_STREAM_DESTROYED']);
        const again = await socketPair({ ...both, ktls }, both);
        const lost = again.server.sendFile(openFile(makeEndless()));
        await sleep(20);
        again.client.ssl.close();
        await rejected(lost, /ECONNRESET|EPIPE|ERR_SSL_UNEXPECTED_EOF|ERR_TLS_CLOSED|ERR_STREAM/);
      });

      it('after the end nothing can be sent', async () => {
        client.resume();
        server.end();
        await rejected(server.sendFile(openFile()), 'ERR_STREAM_WRITE_AFTER_END');
        await rejected(server.ssl.sendFile(openFile()), ['ERR_SSL_PROTOCOL_IS_SHUTDOWN', codes.closed]);
      });

      it('many files at once, both ways', async () => {
        const [toClient, toServer] = [collect(client), collect(server)];
        const sends = [server, client].flatMap(socket =>
          Array.from({ length: 20 }, (_, i) => socket.sendFile(openFile(), { offset: i, length: 50_000 })),
        );
        const sent = await within(Promise.all(sends), 'the files');
        assert.ok(sent.every(count => count === 50_000));
        server.end();
        client.end();
        const expected = Buffer.concat(Array.from({ length: 20 }, (_, i) => content.subarray(i, i + 50_000)));
        assert.ok((await toClient).equals(expected));
        assert.ok((await toServer).equals(expected));
      });
    });

    it(`sendFile to openssl s_client, ${how}`, async function () {
      needsProgram(this, 'openssl');
      const path = makeFile(pattern(20 * megabyte));
      const { port, next } = await startServer({ ...both, ktls });
      const args = ['-connect', `127.0.0.1:${port}`, '-servername', 'localhost', '-CAfile', certificates().ca.certFile];
      const peer = spawn('openssl', ['s_client', '-quiet', '-verify_return_error', ...args], {
        stdio: ['pipe', 'pipe', 'ignore'],
      });
      try {
        const server = await next();
        assert.equal(server.ssl.ktls.send, ktls && inKernel);
        const chunks: Buffer[] = [];
        peer.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
        const fd = openFile(path);
        assert.equal(await within(server.sendFile(fd), 'the file'), 20 * megabyte);
        closeFile(fd);
        server.end();
        await within(once(peer, 'close'), 'the end of the peer');
        assert.equal(sha256(Buffer.concat(chunks)), sha256(pattern(20 * megabyte)));
      } finally {
        peer.kill();
      }
    });
  }
}

describe('sendFile, in memory', () => {
  it('performs the handshake, and crosses a key update, byte by byte', async () => {
    const pair = await connectedPair({ both: tls13 });
    const fd = openFile();
    const sends = Promise.all([
      pair.server.sendFile(fd, { length: 100_000 }),
      pair.server.keyUpdate(),
      pair.server.sendFile(fd, { offset: 100_000, length: 100_000 }),
      pair.server.shutdown(),
    ]);
    const [all] = await pair.during(Promise.all([readToEnd(pair.client), sends]), { fragment: 1000 });
    closeFile(fd);
    assert.ok(all.equals(content.subarray(0, 200_000)));
  });

  it('holds no more than its mark when nobody reads', async () => {
    const pair = await connectedPair({ both: tls13, transport: 'pair' });
    const fd = openFile(makeEndless());
    const sending = watch(pair.server.sendFile(fd));
    await sleep(30);
    assert.ok(pair.server.bufferedAmount < 256 * 1024);
    assert.equal(sending.outcome.status, 'pending');
    pair.server.close();
    await until(() => sending.outcome.status !== 'pending', 'the rejection');
    closeFile(fd);
  });
});
