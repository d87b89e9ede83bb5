import assert from 'node:assert/strict';
import { UnreadEnd } from '#dist/stream/unread-end.js';
import { within } from '../../support/wait.ts';

describe('an error that waits behind unread data', () => {
  it('does not wait for ever where nobody reads', async () => {
    const failure = new Error('the end');
    const given = await within(
      new Promise<Error | undefined>(resolve => {
        const unread = new UnreadEnd(resolve, 10);
        unread.failure = failure;
      }),
      'it to give up',
    );
    assert.equal(given, failure);
  });

  it('fails each write once', () => {
    const seen: Error[] = [];
    const unread = new UnreadEnd(() => {});
    const error = new Error('EPIPE');
    unread.writes.push({ error, callback: each => seen.push(each) });
    unread.failWrites();
    unread.end();
    assert.deepEqual(seen, [error]);
  });
});
