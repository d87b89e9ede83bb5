// A connection of a server on an I/O thread is made there: who asks at once is told what one is like that is made at once.
import assert from 'node:assert/strict';
import 'system-tls';
import { binding } from '#dist/native/load-binding.js';
import { thrown } from '../../support/errors.ts';

/** Different at each moment. */
const clocks = ['idleTime', 'lastActivity'];

describe('a connection that its thread makes', () => {
  const plain = {
    minVersion: 0,
    maxVersion: 0,
    systemCa: false,
    verifyMode: 0,
    verifyContinue: false,
    secureOptions: 0,
  };
  const context = new binding.NativeContext(plain as never);
  const options = { server: true, verifyMode: 1, verifyContinue: true } as never;
  const shared = new binding.NativeSharedOptions(options);
  let pool: InstanceType<typeof binding.NativeIoPool>;
  let id = 2 ** 30;
  const make = (how: unknown) => new binding.NativeConnection(context, id++, how as never, pool);

  before('opens a pool', () => {
    pool = new binding.NativeIoPool(id++, 1);
  });
  after('stops it', () => pool.stop());

  it('answers each question as another one, whichever comes first', () => {
    const expected = make(options) as unknown as Record<string, unknown>;
    const all = Object.entries(Object.getOwnPropertyDescriptors(binding.NativeConnection.prototype));
    const getters = all.flatMap(([name, { get }]) => (get === undefined || clocks.includes(name) ? [] : [name]));
    assert.ok(getters.length > 10, getters.join());
    for (const name of getters) {
      const asked = make(shared) as unknown as Record<string, unknown>;
      assert.deepEqual(asked[name], expected[name], name);
      (asked as unknown as { close(): void }).close();
    }
  });

  it('is settled before the first question that waits for the thread', () => {
    const connection = make(shared);
    assert.equal(connection.cancel(7), make(options).cancel(7));
    connection.close();
  });

  it('may be closed before its thread has heard of it', () => {
    const connection = make(shared);
    connection.close();
    assert.equal(connection.closed, true);
    assert.equal(connection.state, 'closed');
    assert.equal(connection.handshake(1), 2);
    connection.close();
  });

  it('takes no descriptor but one that a listener has offered', () => {
    for (const how of [shared, options]) {
      thrown(() => make(how).accept(1, 0, true, -1, true, true), 'EBADF');
    }
  });

  it('fails where its pool was stopped, before and after', () => {
    const other = new binding.NativeIoPool(id++, 1);
    const connection = new binding.NativeConnection(context, id++, shared, other);
    other.stop();
    assert.equal(connection.handshake(1), 2);
    thrown(() => new binding.NativeConnection(context, id++, shared, other), 'ERR_TLS_CLOSED');
  });
});
