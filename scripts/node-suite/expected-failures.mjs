// Node's tests that fail with the connections of this package under node:tls, and why.

/** @typedef {import('./judgement.mjs').Expected} Expected */

const engine =
  "it replaces the class SecureContext of Node's C++ before node:tls is loaded; the package, which is loaded first, has loaded node:tls";
const alert =
  'a server name that has no context: here the client gets the alert internal_error, where Node ends the connection without one';
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
  'test-tls-connect-abort-controller.js': {
    kind: 'not yet',
    flaky: true,
    reason:
      'a socket whose signal was aborted before connect() closes and connects nevertheless: Node ends its TLS at the first close, so ' +
      'that it closes again; here the handshake begins, and nobody closes the connection',
  },
  'test-tls-dhe.js': {
    kind: 'not yet',
    reason:
      'dhparam that is no parameters is refused, where Node goes on without; and nothing warns of parameters below 2048 bits',
  },
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
  'test-tls-peer-certificate.js': {
    kind: 'not yet',
    reason:
      "a server does not send the root of its certificate, so the client does not know the issuer; Node's sends it, out of `ca`",
  },
  'test-tls-session-cache.js': {
    kind: 'not yet',
    reason:
      "with a listener of 'newSession' or 'resumeSession' a server makes no tickets, so clients that know tickets come with ids, and " +
      "'resumeSession' is asked for them too",
  },
  'test-tls-set-ciphers.js': {
    kind: 'not yet',
    reason:
      "in `ciphers`, '!TLS_...' counts as a cipher of TLS 1.2, none of which is left, and a list of older ciphers leaves TLS 1.3 out; Node " +
      'keeps its suites beside such a list',
  },
  'test-tls-sni-option.js': { kind: 'decision', reason: alert },
  'test-tls-sni-servername.js': { kind: 'not yet', reason: alert },
  'test-tls-ticket-cluster.js': { kind: 'decision', reason: ticket },
  'test-tls-ticket.js': { kind: 'decision', reason: ticket },
};
