// system-tls/register: `node --require system-tls/register app.js`, after which node:tls itself, and node:https and node:http2
// with it, makes its connections here. SYSTEM_TLS_REGISTER=off in the environment leaves everything as it is, also where the addon
// cannot be loaded: so nothing else of the package is imported before that is known.
import { createRequire } from 'node:module';

if (process.env['SYSTEM_TLS_REGISTER'] !== 'off') {
  const load = createRequire(import.meta.url);
  (load('./replace-node.js') as typeof import('./replace-node.ts')).replaceNode();
}
