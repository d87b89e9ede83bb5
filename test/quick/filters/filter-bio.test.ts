// Buffer and SSL filter BIOs: chains, lines, flushing, and how they end.
import assert from 'node:assert/strict';
import { Bio, BufferBio, FilterBio, Ssl, SslBio } from 'system-tls';
import { pattern } from '../../support/bytes.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext, connectedPair, type MemoryPair, makePair, versions } from '../../support/memory-pair.ts';
import { connectTo, startServer } from '../../support/sockets.ts';
import { patience, turns, watch, within } from '../../support/wait.ts';

const makeSsl = (): Ssl => new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
const chainOn = (ssl: Ssl): BufferBio => new BufferBio().push(new SslBio(ssl));

/** Lines of the test's own, without TLS: each is written as it stands. */
function buffered(...pieces: string[]): { source: Bio; bio: BufferBio } {
  const source = Bio.memory();
  for (const piece of pieces) source.write(piece);
  return { source, bio: new BufferBio().push(source) };
}

interface Chains {
  readonly pair: MemoryPair;
  readonly client: BufferBio;
  readonly server: BufferBio;
}

async function chains(options: Parameters<typeof connectedPair>[0] = {}): Promise<Chains> {
  const pair = await connectedPair(options);
  pair.flow();
  return { pair, client: chainOn(pair.client), server: chainOn(pair.server) };
}

describe('BIO_f_buffer over BIO_f_ssl', () => {
  for (const [version, both] of versions) {
    describe(version, () => {
      it('carries lines and bytes both ways', async () => {
        const { client, server } = await chains({ both });
        assert.equal(await client.puts('one line\r\n'), 10);
        assert.equal(await client.write(Buffer.from([0, 1, 2])), 3);
        await client.flush();
        assert.equal(await server.gets(), 'one line\r\n');
        assert.deepEqual(await server.read(), Buffer.from([0, 1, 2]));
        await server.puts('the other way\n');
        await server.flush();
        assert.equal(await client.gets(), 'the other way\n');
      });

      it('performs the handshake', async () => {
        const pair = makePair({ both });
        const [client, server] = [chainOn(pair.client), chainOn(pair.server)];
        await client.puts('early\n');
        const flushed = client.flush();
        assert.equal(await pair.during(server.gets()), 'early\n');
        await flushed;
        await (server.next as SslBio).doHandshake();
      });

      it('keeps what is written until it is flushed', async () => {
        const { client, server, pair } = await chains({ both });
        await client.puts('wait ');
        const line = watch(server.gets());
        await pair.pump();
        assert.equal(line.outcome.status, 'pending');
        assert.equal(client.wpending, 5);
        await client.puts('no more\n');
        await client.flush();
        assert.equal(client.wpending, 0);
        assert.equal(await within(line.promise, 'the line'), 'wait no more\n');
      });

      it('flushes by itself before it waits for an answer', async () => {
        const { client, server } = await chains({ both });
        await client.puts('question\n');
        const answer = client.gets();
        assert.equal(await within(server.gets(), 'the question'), 'question\n');
        await server.puts('answer\n');
        const bytes = server.read();
        assert.equal(await within(answer, 'the answer'), 'answer\n');
        await client.puts('x');
        await client.flush();
        assert.equal(String(await bytes), 'x');
      });

      it('waits for the whole of a line that comes in pieces', async () => {
        const { client, server, pair } = await chains({ both });
        const line = watch(server.gets());
        for (const piece of ['a', 'b', 'c\r']) {
          await client.puts(piece);
          await client.flush();
          await pair.pump();
        }
        assert.equal(line.outcome.status, 'pending');
        await client.puts('\nrest');
        await client.flush();
        assert.equal(await within(line.promise, 'the line'), 'abc\r\n');
        assert.equal(String(await server.read()), 'rest');
      });

      it('ends with the peer’s close_notify, after a last line without an end', async () => {
        const { client, server } = await chains({ both });
        await client.puts('whole\nnot whole');
        await client.flush();
        await (client.next as SslBio).shutdown();
        assert.equal(await server.gets(), 'whole\n');
        assert.equal(await server.gets(), 'not whole');
        assert.equal(await server.gets(), null);
        assert.equal(await server.gets(), null);
        assert.equal(await server.read(), null);
      });

      it('tells a line that was cut off from one that ended, and keeps its bytes', async () => {
        const { client, server, pair } = await chains({ both });
        await client.puts('whole\ncut o');
        await client.flush();
        assert.equal(await server.gets(), 'whole\n');
        await pair.pump();
        pair.cut();
        await rejected(server.gets(), codes.unexpectedEof);
        await rejected(server.gets(), codes.unexpectedEof);
        assert.equal(String(await server.read()), 'cut o');
        await rejected(server.read(), codes.unexpectedEof);
      });

      it('carries megabytes in lines, nothing lost', async () => {
        const { client, server } = await chains({ both, transport: 'pair' });
        const count = 20_000;
        const writing = (async () => {
          for (let i = 0; i < count; i++) await client.puts(`line ${i} ${'x'.repeat(i % 97)}\n`);
          await client[Symbol.asyncDispose]();
        })();
        let seen = 0;
        for await (const line of server) {
          assert.equal(line, `line ${seen} ${'x'.repeat(seen % 97)}\n`);
          seen++;
        }
        await writing;
        assert.equal(seen, count);
      });
    });
  }

  it('a question that cannot be sent is told by the next flush; what the peer has said is still read', async () => {
    const { client, server, pair } = await chains();
    await pair.client.shutdown();
    await client.puts('too late\n');
    await server.puts('the answer to nothing\n');
    await server.flush();
    assert.equal(await client.gets(), 'the answer to nothing\n');
    await rejected(client.flush(), 'ERR_SSL_PROTOCOL_IS_SHUTDOWN');
    await rejected(client.flush(), 'ERR_SSL_PROTOCOL_IS_SHUTDOWN');
    assert.equal(client.wpending, 9);
  });
});

describe('BufferBio', () => {
  it('gives lines with their ends, in order', async () => {
    const { source, bio } = buffered('one\ntw', 'o\r\n\n', 'three');
    assert.equal(await bio.gets(), 'one\n');
    assert.equal(await bio.gets(), 'two\r\n');
    assert.equal(await bio.gets(), '\n');
    const last = watch(bio.gets());
    await turns(3);
    assert.equal(last.outcome.status, 'pending');
    source.end();
    assert.equal(await within(last.promise, 'the last'), 'three');
    assert.equal(await bio.gets(), null);
  });

  it('serves gets() and read() in call order', async () => {
    const { source, bio } = buffered();
    const all = Promise.all([bio.gets(), bio.read({ max: 2 }), bio.gets(), bio.read()]);
    source.write('a\nbbc\nrest');
    assert.deepEqual((await within(all, 'all four')).map(String), ['a\n', 'bb', 'c\n', 'rest']);
  });

  it('refuses a line that is too long, loses nothing of it, and goes on with a longer limit', async () => {
    const { source, bio } = buffered('0123456789\nshort\n');
    await rejected(bio.gets({ maxLength: 10 }), 'ERR_TLS_LINE_TOO_LONG');
    await rejected(bio.gets({ maxLength: 10 }), 'ERR_TLS_LINE_TOO_LONG');
    assert.equal(await bio.gets({ maxLength: 11 }), '0123456789\n');
    assert.equal(await bio.gets({ maxLength: 6 }), 'short\n');
    source.write('x'.repeat(70_000));
    await rejected(bio.gets(), 'ERR_TLS_LINE_TOO_LONG');
    source.write('\n');
    assert.equal((await bio.gets({ maxLength: 80_000 }))?.length, 70_001);
  });

  it('reads no more than a line may have, however much the peer sends without an end', async () => {
    const { source, bio } = buffered('x'.repeat(1 << 20));
    await rejected(bio.gets({ maxLength: 1000 }), 'ERR_TLS_LINE_TOO_LONG');
    assert.ok(bio.pending <= 17_000, String(bio.pending));
    assert.ok(source.pending > 1_000_000);
  });

  it('decodes as it is told to', async () => {
    const { source, bio } = buffered();
    source.write(Buffer.from([0xc3, 0xa9, 10, 0xe9, 10]));
    assert.equal(await bio.gets(), 'é\n');
    assert.equal(await bio.gets({ encoding: 'latin1' }), 'é\n');
  });

  it('sends when it is full, and keeps the rest', async () => {
    const sink = Bio.memory();
    const bio = new BufferBio({ size: 10 }).push(sink);
    await bio.puts('12345');
    assert.equal(sink.pending, 0);
    await bio.puts('67890');
    assert.equal(sink.pending, 0);
    await bio.puts('!');
    assert.equal(String(sink.read()), '1234567890!');
    await bio.write(pattern(50));
    assert.ok(sink.read()?.equals(pattern(50)));
  });

  it('takes a copy of what it keeps', async () => {
    const sink = Bio.memory();
    const bio = new BufferBio().push(sink);
    const data = Buffer.from('before');
    await bio.write(data);
    data.fill(0);
    await bio.flush();
    assert.equal(String(sink.read()), 'before');
  });

  it('waits for room in a pair, and fails when nobody will make any', async () => {
    const [near, far] = Bio.pair({ size: 10 });
    const bio = new BufferBio({ size: 1 }).push(near);
    const data = pattern(100);
    const writing = watch(bio.write(data));
    await turns(3);
    assert.equal(writing.outcome.status, 'pending');
    const got: Buffer[] = [];
    for (let size = 0; size < 100; size += got.at(-1)?.length ?? 0) {
      got.push(far.read() ?? Buffer.alloc(0));
      await turns(1);
    }
    assert.ok(Buffer.concat(got).equals(data));
    assert.equal(await within(writing.promise, 'the write'), 100);
    const stuck = bio.write(data);
    await turns(2);
    far.close();
    await rejected(stuck, codes.closed);
    await rejected(bio.write(data), codes.closed);
  });

  describe('an abort or a timeout', () => {
    it('of a waiting gets() loses nothing of the line', async () => {
      const { source, bio } = buffered('half a ');
      await rejected(bio.gets({ timeout: 10 }), codes.timeout);
      const controller = new AbortController();
      const waiting = bio.gets({ signal: controller.signal });
      source.write('li');
      await turns(3);
      controller.abort(new Error('why'));
      const error = await rejected(waiting, codes.aborted);
      assert.equal((error.cause as Error).message, 'why');
      source.write('ne\n');
      assert.equal(await bio.gets(), 'half a line\n');
    });

    it('of one that waits for its turn lets the others go on', async () => {
      const { source, bio } = buffered();
      const first = bio.gets();
      await rejected(bio.gets({ timeout: 10 }), codes.timeout);
      const third = bio.gets();
      source.write('one\ntwo\n');
      assert.equal(await within(first, 'the first'), 'one\n');
      assert.equal(await within(third, 'the third'), 'two\n');
    });

    it('over TLS loses nothing either, and the connection lives', async () => {
      const { client, server } = await chains();
      await client.puts('half ');
      await client.flush();
      await rejected(server.gets({ timeout: 20 }), codes.timeout);
      await client.puts('whole\n');
      await client.flush();
      assert.equal(await server.gets(), 'half whole\n');
    });

    it('of a flush that has not begun keeps what is buffered', async () => {
      const [near, far] = Bio.pair({ size: 4 });
      const bio = new BufferBio({ size: 100 }).push(near);
      near.write('full');
      await bio.puts('later');
      await rejected(bio.flush({ timeout: 10 }), codes.timeout);
      assert.equal(bio.wpending, 5);
      assert.equal(String(far.read()), 'full');
      const flushed = bio.flush();
      await turns(1);
      assert.equal(String(far.read()), 'late');
      await turns(1);
      assert.equal(String(far.read()), 'r');
      await flushed;
    });

    it('of a signal that was aborted before starts nothing', async () => {
      const { bio } = buffered('line\n');
      await rejected(bio.gets({ signal: AbortSignal.abort() }), codes.aborted);
      assert.equal(await bio.gets(), 'line\n');
    });
  });

  it('with nothing below it is a named error', async () => {
    const bio = new BufferBio();
    for (const each of [() => bio.gets(), () => bio.read(), () => bio.puts('x'), () => bio.flush()]) {
      await rejected(each(), codes.noTransport);
    }
    assert.equal(bio.pending, 0);
    assert.equal(bio.next, null);
  });

  it('refuses what is no line, no size, no limit', async () => {
    for (const wrong of [0, -1, 1.5, 2 ** 40]) thrown(() => new BufferBio({ size: wrong }), codes.outOfRange);
    for (const wrong of [null, 7, 'x']) thrown(() => new BufferBio(wrong as never), codes.wrongType);
    const { bio } = buffered('line\n');
    for (const wrong of [0, -1, 1.5]) await rejected(bio.gets({ maxLength: wrong }), codes.outOfRange);
    await rejected(bio.gets({ maxLength: '9' as never }), codes.wrongType);
    await rejected(bio.gets({ encoding: 'klingon' as never }), codes.wrongValue);
    await rejected(bio.gets({ timeout: -1 }), codes.outOfRange);
    await rejected(bio.gets({ signal: {} as never }), codes.wrongType);
    await rejected(bio.gets(7 as never), codes.wrongType);
    for (const wrong of [7, null, Buffer.from('x')]) await rejected(bio.puts(wrong as never), codes.wrongType);
    for (const wrong of [7, null, {}]) await rejected(bio.write(wrong as never), codes.wrongType);
    assert.equal(await bio.gets(), 'line\n');
  });
});

describe('a chain', () => {
  it('is made and taken apart by push and pop', () => {
    const ssl = new SslBio(makeSsl());
    const [upper, lower] = [new BufferBio(), new BufferBio()];
    assert.equal(upper.push(lower), upper);
    assert.equal(upper.push(ssl), upper, 'at the end of the chain');
    assert.equal(upper.next, lower);
    assert.equal(lower.next, ssl);
    assert.equal(lower.pop(), ssl);
    assert.equal(upper.next, ssl, 'the others close up');
    assert.equal(lower.next, null);
    assert.equal(upper.pop(), ssl);
    assert.equal(upper.next, null);
    assert.equal(ssl.pop(), null);
  });

  it('of two buffers carries lines', async () => {
    const sink = Bio.memory();
    const lower = new BufferBio();
    const upper = new BufferBio().push(lower).push(sink);
    await upper.puts('through both\n');
    await upper.flush();
    assert.equal(String(sink.read()), 'through both\n');
    sink.write('and back\n');
    assert.equal(await upper.gets(), 'and back\n');
  });

  it('keeps what a buffer holds in the buffer that is taken out', async () => {
    const { source, bio } = buffered('one\ntwo\n');
    assert.equal(await bio.gets(), 'one\n');
    assert.equal(bio.pop(), source);
    assert.equal(await bio.gets(), 'two\n');
    await rejected(bio.gets(), codes.noTransport);
    bio.push(source);
    source.write('three\n');
    assert.equal(await bio.gets(), 'three\n');
  });

  it('gives the connection its transport: memory, a pair', async () => {
    const [near, far] = Bio.pair();
    const client = new BufferBio().push(new SslBio(makeSsl(), { close: true })).push(near);
    const pair = makePair();
    const server = chainOn(pair.server);
    // What the pair's own client would have said is said by ours.
    far.on('readable', () => {
      for (let out = far.read(); out !== null && out.length > 0; out = far.read()) pair.toServer.to.write(out);
    });
    pair.toClient.from.on('readable', () => {
      for (let out = pair.toClient.from.read(); out !== null && out.length > 0; out = pair.toClient.from.read()) {
        far.write(out);
      }
    });
    await client.puts('hello\n');
    await Promise.all([client.flush(), server.gets().then(line => assert.equal(line, 'hello\n'))]);
    client.close();
    assert.equal(near.closed, true);
    assert.equal(await within(server.gets(), 'the end'), null);
    far.close();
  });

  it('cannot be made wrongly', () => {
    const bio = new BufferBio().push(Bio.memory());
    thrown(() => bio.push(Bio.memory()), 'ERR_TLS_HAS_TRANSPORT');
    const [upper, lower] = [new BufferBio(), new BufferBio()];
    thrown(() => upper.push(upper), codes.wrongValue);
    upper.push(lower);
    thrown(() => upper.push(upper), codes.wrongValue);
    thrown(() => lower.push(upper), codes.wrongValue);
    thrown(() => new BufferBio().push(lower), 'ERR_TLS_BIO_IN_USE');
    for (const wrong of [undefined, null, {}, 'x', makeSsl()])
      thrown(() => upper.push(wrong as never), codes.wrongType);
    thrown(() => new BufferBio().push(Bio.socket(0)), 'ERR_TLS_BIO_IS_SOCKET');
    const closed = Bio.memory();
    closed.close();
    thrown(() => new BufferBio().push(closed), codes.closed);
    const gone = new BufferBio();
    gone.close();
    thrown(() => new BufferBio().push(gone), codes.closed);
    thrown(() => gone.push(Bio.memory()), codes.closed);
    thrown(() => gone.pop(), codes.closed);
    assert.ok(upper instanceof FilterBio);
  });

  it('below an SslBio has a transport, which stays', () => {
    const ssl = makeSsl();
    thrown(() => new SslBio(ssl).push(new BufferBio()), codes.wrongType);
    const bio = new SslBio(ssl).push(Bio.memory());
    thrown(() => bio.pop(), 'ERR_TLS_BIO_IN_USE');
    thrown(() => bio.push(Bio.memory()), 'ERR_TLS_HAS_TRANSPORT');
    thrown(() => new SslBio(ssl).push(Bio.memory()), 'ERR_TLS_HAS_TRANSPORT');
    ssl.close();
  });
});

describe('SslBio', () => {
  it('knows its connection, and has no lines of its own', async () => {
    const pair = await connectedPair();
    const bio = new SslBio(pair.client);
    assert.equal(bio.ssl, pair.client);
    await rejected(bio.gets(), 'ERR_TLS_BIO_NO_LINES');
    assert.equal(await bio.puts('no buffer between'), 17);
    await bio.flush();
    assert.equal(String(await pair.during(pair.server.read())), 'no buffer between');
    assert.equal(bio.pending, 0);
    assert.equal(bio.wpending, 0);
  });

  it('is for an Ssl that no TlsSocket reads', async () => {
    for (const wrong of [undefined, null, {}, 'ssl']) thrown(() => new SslBio(wrong as never), codes.wrongThis);
    thrown(() => new SslBio(makeSsl(), { close: 1 as never }), codes.wrongType);
    const { port } = await startServer();
    const socket = await connectTo(port);
    thrown(() => new SslBio(socket.ssl), 'ERR_TLS_SSL_IN_USE');
  });

  for (const close of [false, true]) {
    it(`closed with close: ${close}, says goodbye and ${close ? 'closes' : 'leaves'} the connection`, async () => {
      const { pair, server } = await chains();
      const bio = new BufferBio().push(new SslBio(pair.client, { close }));
      bio.close();
      assert.equal(await within(server.gets(), 'the end'), null);
      assert.equal(pair.client.closed, close);
      if (close) return;
      await pair.server.write('one last word');
      assert.equal(String(await within(pair.client.read(), 'the last word')), 'one last word');
    });
  }

  it('disposed of with what was not flushed: it is sent before the goodbye', async () => {
    const { pair, server } = await chains();
    {
      await using bio = new BufferBio().push(new SslBio(pair.client, { close: true }));
      await bio.puts('last line\n');
    }
    assert.equal(await within(server.gets(), 'the last line'), 'last line\n');
    assert.equal(await within(server.gets(), 'the end'), null);
    assert.equal(pair.client.closed, true);
  });
});

describe('after close', () => {
  it('everything of a filter BIO is ERR_TLS_CLOSED, what waits too; closing twice is once', async () => {
    const { pair, client } = await chains();
    const ssl = client.next as SslBio;
    const waiting = [client.gets(), client.read(), client.gets({ timeout: patience })].map(each =>
      rejected(each, codes.closed),
    );
    await turns(2);
    client.close();
    client.close();
    client[Symbol.dispose]();
    await client[Symbol.asyncDispose]();
    await Promise.all(waiting);
    for (const bio of [client, ssl]) {
      assert.equal(bio.closed, true);
      for (const each of [bio.read(), bio.puts('x'), bio.write('x'), bio.flush()]) await rejected(each, codes.closed);
    }
    await rejected(ssl.doHandshake(), codes.closed);
    await rejected(ssl.shutdown(), codes.closed);
    // The read that was withdrawn took nothing along.
    await pair.server.write('still here');
    assert.equal(String(await within(pair.client.read(), 'data')), 'still here');
  });

  it('of the connection below, what waits fails with it', async () => {
    const { pair, client } = await chains();
    const line = client.gets();
    await turns(2);
    pair.client.close();
    await rejected(line, codes.closed);
    await rejected(client.gets(), codes.closed);
    await client.puts('x');
    await rejected(client.flush(), codes.closed);
    assert.equal(client.pending, 0);
    client.close();
  });
});
