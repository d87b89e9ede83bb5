// Node's tests that fail with the connections of this package under node:tls, and why.

/** @typedef {import('./judgement.mjs').Expected} Expected */

const engine =
  "it replaces the class SecureContext of Node's C++ before node:tls is loaded; the package, which is loaded first, has loaded node:tls";
const ticket =
  'a resumed connection of TLS 1.3 gets a new ticket (RFC 8446, C.4: a client should not use one twice); Node goes on with the old one';

/** @type {Readonly<Record<string, Expected>>} */
export const expectedFailures = {
  'test-https-agent-session-reuse.js': { kind: 'decision', reason: ticket },
  'test-https-agent-sni.js': {
    kind: 'decision',
    reason: "'sni.0' is refused as a server name: a name whose last part is a number is read as an address",
  },
  'test-tls-cli-min-version-1.3.js': {
    kind: 'not yet',
    reason:
      'secureProtocol SSLv23_method, which ends at TLS 1.2, with a minimum of TLS 1.3 leaves no version: the context is refused, where ' +
      "Node's handshakes fail",
  },
  'test-tls-clientcertengine-unsupported.js': { kind: 'internal of Node', reason: engine },
  'test-tls-disable-renegotiation.js': {
    kind: 'not yet',
    reason:
      'the server hears of a renegotiation after it has answered: it then closes with what the client sends on the way, and the client ' +
      'gets ECONNRESET, where Node closes before it answers',
  },
  'test-tls-empty-sni-context.js': {
    kind: 'decision',
    reason:
      "a context without a certificate fails with OpenSSL's 'no suitable signature algorithm' and its alert, where Node sets no " +
      "certificate, which fails with 'passed a null parameter'",
  },
  'test-tls-enable-trace.js': { kind: 'not yet', reason: 'enableTrace() does nothing: there is no SSL_trace(3)' },
  'test-tls-external-accessor.js': {
    kind: 'internal of Node',
    reason: "_external is the address of Node's SSL_CTX, which the context here does not have",
  },
  'test-tls-generic-stream.js': {
    kind: 'not yet',
    reason:
      'over a stream of JavaScript a write calls back when it is encrypted, before the other side can have read it',
  },
  'test-tls-keyengine-unsupported.js': { kind: 'internal of Node', reason: engine },
  'test-tls-max-send-fragment.js': {
    kind: 'decision',
    reason: "a 'data' event carries the records that have come, not one: its length shows nothing of theirs",
  },
  'test-tls-ocsp-callback.js': {
    kind: 'not yet',
    reason: "'hello world' is refused as an OCSP response, which it is not; Node sends whatever it is given",
  },
  'test-tls-session-cache.js': {
    kind: 'not yet',
    reason:
      "with a listener of 'newSession' or 'resumeSession' a server makes no tickets, so clients that know tickets come with ids, and " +
      "'resumeSession' is asked for them too",
  },
  'test-tls-ticket-cluster.js': { kind: 'decision', reason: ticket },
  'test-tls-ticket.js': { kind: 'decision', reason: ticket },
};
