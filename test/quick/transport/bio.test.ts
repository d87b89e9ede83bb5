import assert from 'node:assert/strict';
import { Bio, Ssl } from 'system-tls';
import { pattern, readAtLeast } from '../../support/bytes.ts';
import { codes } from '../../support/codes.ts';
import { rejected, thrown } from '../../support/errors.ts';
import { clientContext, makePair, serverContext } from '../../support/memory-pair.ts';
import { turns } from '../../support/wait.ts';

const makeSsl = () => new Ssl(clientContext(), { side: 'client', servername: 'localhost' });

describe('Bio', () => {
  describe('memory', () => {
    it('is a queue of bytes', () => {
      const bio = Bio.memory();
      assert.equal(bio.read(10), null);
      assert.equal(bio.write(Buffer.from('one')), 3);
      bio.write(Buffer.from('two'));
      assert.equal(bio.pending, 6);
      assert.equal(String(bio.read(4)), 'onet');
      assert.equal(String(bio.read(100)), 'wo');
      assert.equal(bio.read(1), null);
    });

    it('takes any amount', () => {
      const bio = Bio.memory();
      const data = pattern(10 << 20);
      assert.equal(bio.write(data), data.length);
      const parts: Buffer[] = [];
      for (let part = bio.read(1 << 20); part !== null && part.length > 0; part = bio.read(1 << 20)) parts.push(part);
      assert.ok(Buffer.concat(parts).equals(data));
    });

    it('ends after what is in it', () => {
      const bio = Bio.memory();
      bio.write(Buffer.from('x'));
      bio.end();
      assert.equal(String(bio.read(10)), 'x');
      assert.equal(bio.read(10)?.length, 0);
    });

    it('refuses what is no data and no number', () => {
      const bio = Bio.memory();
      for (const wrong of [undefined, null, 7, {}]) thrown(() => bio.write(wrong as never), codes.wrongType);
      for (const wrong of ['x', {}]) thrown(() => bio.read(wrong as never), codes.wrongType);
      for (const wrong of [0, -1, 1.5, Number.NaN]) thrown(() => bio.read(wrong), codes.outOfRange);
    });
  });

  describe('pair', () => {
    it('carries both ways, and refuses what does not fit', () => {
      const [a, b] = Bio.pair({ size: 100 });
      assert.equal(a.write(pattern(150)), 100);
      assert.equal(a.write(Buffer.from('x')), 0);
      assert.equal(b.write(Buffer.from('back')), 4);
      assert.equal(String(a.read(10)), 'back');
      assert.ok(b.read(60)?.equals(pattern(150).subarray(0, 60)));
      assert.equal(a.write(pattern(150)), 60);
    });

    it('connects two connections directly', async () => {
      const [a, b] = Bio.pair({ size: 4096 });
      const client = new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
      const server = new Ssl(serverContext(), { side: 'server' });
      client.setBio(a, a);
      server.setBio(b, b);
      await Promise.all([client.connect(), server.accept()]);
      const data = pattern(1 << 20);
      const [got] = await Promise.all([readAtLeast(server, data.length), client.write(data)]);
      assert.ok(got.equals(data));
      await Promise.all([client.shutdown({ wait: true }), server.shutdown({ wait: true })]);
      client.close();
      server.close();
    });

    it('refuses sizes that are none', () => {
      for (const wrong of [0, -1, 1.5, Number.NaN, 2 ** 40]) thrown(() => Bio.pair({ size: wrong }), codes.outOfRange);
      for (const wrong of ['x', 7, null, { size: '7' }]) thrown(() => Bio.pair(wrong as never), codes.wrongType);
    });
  });

  it('one that is taken by a connection is not taken by another', async () => {
    const pair = makePair();
    const other = new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
    thrown(() => other.setBio(pair.toClient.to, pair.toServer.from), /^ERR_TLS_/);
    other.close();
    await pair.handshake();
  });

  it('after close is a named error, whatever is tried; closing twice is once', () => {
    const [pairEnd] = Bio.pair();
    for (const bio of [Bio.memory(), pairEnd]) {
      assert.equal(bio.closed, false);
      bio.close();
      bio.close();
      bio[Symbol.dispose]();
      assert.equal(bio.closed, true);
      const tries = [
        () => bio.read(),
        () => bio.write(Buffer.from('x')),
        () => bio.end(),
        () => bio.pending,
        () => bio.ended,
        () => makeSsl().setBio(bio, Bio.memory()),
        () => makeSsl().setBio(Bio.memory(), bio),
      ];
      for (const each of tries) thrown(each, codes.closed);
    }
  });

  it('a listener of readable may close everything', async () => {
    const [near, far] = Bio.pair();
    const client = makeSsl();
    far.on('readable', () => {
      client.close();
      far.close();
    });
    client.setBio(near, near);
    await rejected(client.connect(), codes.closed);
  });

  it('that reads what it writes is no peer: a named error', async () => {
    const echo = Bio.memory();
    const client = makeSsl();
    client.setBio(echo, echo);
    await rejected(client.connect(), /^ERR_SSL_/);
    client.close();
  });

  it('a second transport for a connection is refused', () => {
    const pair = makePair();
    thrown(() => pair.client.setBio(Bio.memory(), Bio.memory()), /^ERR_TLS_/);
    thrown(() => pair.client.setFd(0), /^ERR_TLS_/);
  });

  it('its end, closed under the connection, is a truncation', async () => {
    const [a, b] = Bio.pair({ size: 4096 });
    const client = new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
    client.setBio(a, a);
    const connecting = client.connect();
    await turns(2);
    b.close();
    await rejected(connecting, /^ERR_SSL_UNEXPECTED_EOF$|^EPIPE$|^ERR_TLS_/);
    client.close();
  });
});
