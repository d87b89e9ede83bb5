// Connections that a server accepts and cannot take over.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync } from 'node:fs';
import net from 'node:net';
import { Ssl } from 'system-tls';
import { Connection } from '#dist/transport/native-connection.js';
import { connectTo, startServer } from '../../support/sockets.ts';
import { within } from '../../support/wait.ts';

describe('a connection that a server cannot take over', () => {
  /** Connects once while the method throws, and tells what the client saw. */
  async function arriveWhile(prototype: object, method: 'accept' | 'on', port: number): Promise<void> {
    const own = Object.getOwnPropertyDescriptor(prototype, method);
    Object.defineProperty(prototype, method, {
      configurable: true,
      writable: true,
      value: () => {
        throw new Error(`${method} fails on purpose`);
      },
    });
    try {
      const client = net.connect(port, '127.0.0.1').on('error', () => {});
      await within(once(client.resume(), 'close'), 'the client to be dropped');
    } finally {
      if (own === undefined) Reflect.deleteProperty(prototype, method);
      else Object.defineProperty(prototype, method, own);
    }
  }

  it('is closed: its descriptor was refused', async () => {
    const { server, port } = await startServer();
    await arriveWhile(Connection.prototype, 'accept', port);
    assert.equal(server.connections, 0);
    // Once: its number is another's by now, who keeps it when the server goes.
    const others = Array.from({ length: 20 }, () => openSync('/dev/null', 'r'));
    try {
      (await connectTo(port)).destroy();
      await within(server.close(), 'the server to close');
      for (const fd of others) assert.ok(fstatSync(fd).isCharacterDevice());
    } finally {
      for (const fd of others) closeSync(fd);
    }
  });

  it('is closed: it could not be made, which the server tells', async () => {
    const { server, port } = await startServer({ on: { keylog: () => {} } });
    const errors: Error[] = [];
    server.on('error', error => errors.push(error));
    await arriveWhile(Ssl.prototype, 'on', port);
    assert.deepEqual(
      errors.map(({ message }) => message),
      ['on fails on purpose'],
    );
    assert.equal(server.connections, 0);
    (await connectTo(port)).destroy();
  });

  it('is closed: its buffer is none, which the server tells', async () => {
    for (const buffer of [
      () => 7,
      () => {
        throw 7;
      },
    ]) {
      const { server, port, accepted } = await startServer({ onread: { buffer, callback: () => true } as never });
      const failing = once(server, 'error');
      const client = await connectTo(port);
      const [error] = await within(failing, 'error');
      assert.ok(error instanceof Error);
      await within(
        once(client.resume(), 'close').catch(() => {}),
        'the client to be dropped',
      );
      assert.equal(accepted.length, 0);
      assert.equal(server.connections, 0);
    }
  });
});
