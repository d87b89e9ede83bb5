// system-tls/register: `node --require system-tls/register app.js`, after which node:tls itself, and node:https and node:http2
// with it, makes its connections here. SYSTEM_TLS_REGISTER=off in the environment leaves everything as it is.
import { syncBuiltinESMExports } from 'node:module';
import { debug, debugging } from '../base/debug.ts';
import { openssl } from '../library/openssl.ts';
import './engine.ts';
import { nodeTls } from './node-tls.ts';
import { createSecureContext } from './secure-context.ts';
import './shared-pool.ts';

if (process.env['SYSTEM_TLS_REGISTER'] !== 'off') {
  // node's own JavaScript looks it up each time: who took connect() or Server before this gets ours too.
  nodeTls.createSecureContext = createSecureContext as typeof nodeTls.createSecureContext;
  syncBuiltinESMExports();
  if (debugging) debug('register: node:tls, node:https and node:http2 connect by OpenSSL %s', openssl.version);
}
