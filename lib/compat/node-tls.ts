// What node:tls keeps to itself and this stands on: found, and checked, when it is loaded.
//
// node's own JavaScript of TLS sockets and servers does all that users see: options, events, their order, messages. Beneath
// it is a handle, which node's C++ makes (TLSWrap). `TLSSocket.prototype._wrapHandle` is where it is made, so that is where
// a handle of ours takes its place, for sockets whose SecureContext is ours. All others keep node's.
import { createRequire } from 'node:module';
import net from 'node:net';
import type tls from 'node:tls';
import { tlsError } from '../base/coded-error.ts';

/** The exports object itself: what is assigned to it, node's own JavaScript sees, and an ES module's namespace does not. */
export const nodeTls = createRequire(import.meta.url)('node:tls') as typeof tls & Record<string, unknown>;

export type AnySocket = net.Socket & Record<string | symbol, unknown>;
export type AnyServer = net.Server & Record<string | symbol, unknown>;
type Method = (this: AnySocket, ...args: never[]) => unknown;

/** Of classes that node writes as functions. */
export interface Prototype {
  [name: string | symbol]: Method | undefined;
}

export const socketPrototype = nodeTls.TLSSocket.prototype as unknown as Prototype;
export const netSocketPrototype = net.Socket.prototype as unknown as Prototype;
export const serverPrototype = nodeTls.Server.prototype as unknown as Prototype;

/** Methods that are replaced, or called, and no documentation names. */
const needed: readonly (readonly [Prototype, string])[] = [
  [socketPrototype, '_wrapHandle'],
  [socketPrototype, '_init'],
  [socketPrototype, '_finishInit'],
  [netSocketPrototype, '_writeGeneric'],
  [netSocketPrototype, '_unrefTimer'],
  [serverPrototype, 'setSecureContext'],
  [serverPrototype, '_listen2'],
];

/** Whether node still is as this expects. */
function assertNodeKnown(): void {
  const missing = needed.filter(([prototype, name]) => typeof prototype[name] !== 'function').map(([, name]) => name);
  if (missing.length === 0) return;
  throw tlsError(
    'ERR_TLS_NODE_UNKNOWN',
    `node ${process.version} has changed where system-tls/tls takes hold of it (${missing.join(', ')}): ` +
      'use a version of system-tls that knows it, or the package itself (connect, createServer)',
  );
}

assertNodeKnown();

/** A private symbol of node's, which is the key of an own property of `object`. */
export function symbolNamed(object: object, description: string): symbol | undefined {
  return Object.getOwnPropertySymbols(object).find(each => each.description === description);
}

export function privateOf(object: object, description: string): unknown {
  const symbol = symbolNamed(object, description);
  return symbol === undefined ? undefined : (object as Record<symbol, unknown>)[symbol];
}
