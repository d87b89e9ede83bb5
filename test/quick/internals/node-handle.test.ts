// What the handle under a TLS socket of node's has, ours has too, in whichever version of node this is.
import assert from 'node:assert/strict';
import nodeTls from 'node:tls';
import { Handle } from '#dist/compat/handle.js';
import { createByNode } from '#dist/compat/secure-context.js';

/** Of the streams of node's C++, which read and write in another way; and what the socket is asked, which has its own ways. */
const otherwise: ReadonlySet<string> = new Set([
  'constructor',
  '_externalStream',
  'asyncReset',
  'bytesRead',
  'getAsyncContextFrameForDebuggingOnly',
  'getCertificate',
  'getPeerCertificate',
  'getPeerX509Certificate',
  'getX509Certificate',
  'hasPendingRead',
  'onread',
  'writeAsciiString',
  'writeBuffer',
  'writeLatin1String',
  'writeQueueSize',
  'writeUcs2String',
  'writeUtf8String',
  'writev',
]);

function namesOf(object: object | null): string[] {
  const names: string[] = [];
  for (
    let each = object;
    each !== null && each !== Object.prototype;
    each = Object.getPrototypeOf(each) as object | null
  )
    names.push(...Object.getOwnPropertyNames(each));
  return names;
}

describe('the handle of system-tls/tls', () => {
  it('has every method of the one that node has', () => {
    const socket = new nodeTls.TLSSocket(undefined as never, { secureContext: createByNode() });
    const { _handle: handle } = socket as unknown as { _handle: object };
    const nodes = namesOf(Object.getPrototypeOf(handle));
    socket.destroy();
    assert.ok(nodes.includes('setVerifyMode'), 'the prototype of TLSWrap');
    const mine = new Set(namesOf(Handle.prototype));
    assert.deepEqual(
      nodes.filter(name => !mine.has(name) && !otherwise.has(name)),
      [],
    );
  });
});
