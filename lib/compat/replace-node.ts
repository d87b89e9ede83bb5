// Puts what is ours into node:tls, node:https and node:http2, for the whole process.
import https from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import { debug, debugging } from '../base/debug.ts';
import { openssl } from '../library/openssl.ts';
import './engine.ts';
import { getCiphers } from './ciphers.ts';
import { nameOfIo } from './io.ts';
import { nodeTls } from './node-tls.ts';
import { createSecureContext } from './secure-context.ts';
import { describeTrust, getCACertificates } from './trust.ts';

/** node's own JavaScript looks up the first each time: who took connect() or Server before this gets ours too. */
const replacements = { createSecureContext, getCiphers, getCACertificates };

/** Of every agent: requests of different `io` share no socket. */
function nameByIo(): void {
  const { getName } = https.Agent.prototype;
  https.Agent.prototype.getName = function (options) {
    return getName.call(this, options) + nameOfIo(options);
  };
}

export function replaceNode(): void {
  // What this version of node lacks stays absent: users ask whether it is there.
  const present = Object.entries(replacements).filter(([name]) => name in nodeTls);
  Object.assign(nodeTls, Object.fromEntries(present));
  nameByIo();
  syncBuiltinESMExports();
  if (debugging) {
    debug(
      'register: node:tls, node:https and node:http2 connect by OpenSSL %s and trust %s',
      openssl.version,
      describeTrust(),
    );
  }
}
