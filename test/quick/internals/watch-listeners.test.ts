// Who is told that somebody listens, by whichever method; and what it costs those on whom nobody does.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { Bio, TlsSocket } from 'system-tls';
import { listenersChanged, watchListeners } from '#dist/base/watch-listeners.js';
import { connectedPair, tls13 } from '../../support/memory-pair.ts';

// biome-ignore lint/suspicious/noExplicitAny: the language asks for it of what is extended so
function watched<Base extends new (...args: any[]) => EventEmitter>(base: Base) {
  return class Watched extends base {
    told!: string[];

    static {
      // Its base class may add listeners while it is being made.
      watchListeners(Watched.prototype, self => assert.ok(self instanceof Watched));
    }

    [listenersChanged](name: string | symbol, listening: boolean): void {
      // A field with a value would be set after the base class's constructor.
      this.told ??= [];
      this.told.push(`${listening ? '+' : '-'}${String(name)}`);
    }

    take(): string[] {
      return this.told?.splice(0) ?? [];
    }
  };
}

const kinds: ReadonlyArray<new () => EventEmitter & { take(): string[] }> = [
  watched(EventEmitter),
  watched(Duplex),
  watched(Socket),
];

for (const Kind of kinds) {
  describe(`listeners of a class over ${Object.getPrototypeOf(Kind).name}`, () => {
    const listener = () => {};

    it('are told of when the first comes and the last goes', () => {
      for (const add of ['on', 'once', 'addListener', 'prependListener', 'prependOnceListener'] as const) {
        for (const remove of ['off', 'removeListener', 'removeAllListeners'] as const) {
          const emitter = new Kind();
          emitter.take();
          emitter[add]('x', listener);
          emitter[add]('x', listener);
          assert.deepEqual(emitter.take(), ['+x'], add);
          emitter[remove]('x', listener);
          emitter[remove]('x', listener);
          assert.deepEqual(emitter.take(), ['-x'], `${add}, ${remove}`);
        }
      }
    });

    it('are told of when the only one was for one time', () => {
      const emitter = new Kind();
      emitter.take();
      emitter.once('x', listener).emit('x');
      assert.deepEqual(emitter.take(), ['+x', '-x']);
    });

    it('are told of when all go, with those who listen for removals', () => {
      const emitter = new Kind();
      emitter.removeAllListeners();
      emitter.on('x', listener).on('removeListener', listener);
      emitter.take();
      emitter.removeAllListeners();
      assert.ok(emitter.take().includes('-x'));
      assert.deepEqual(emitter.eventNames(), []);
    });
  });
}

describe('a class that watches its listeners', () => {
  it('adds none of its own', async () => {
    const { client, server } = await connectedPair();
    assert.deepEqual(client.eventNames(), []);
    assert.deepEqual(Bio.memory().eventNames(), []);
    assert.deepEqual(new TlsSocket(server).eventNames(), new Duplex().eventNames());
  });

  it('records events for a socket as long as somebody listens', async () => {
    const pair = await connectedPair({ both: tls13 });
    pair.flow();
    const client = new TlsSocket(pair.client);
    new TlsSocket(pair.server).resume();
    for (let round = 0; round < 3; round++) {
      const logged = once(client, 'keylog');
      await client.keyUpdate();
      assert.match(String(await logged), /^CLIENT_TRAFFIC_SECRET/);
      assert.equal(client.listenerCount('keylog'), 0);
    }
  });
});
