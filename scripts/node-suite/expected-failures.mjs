// Node's tests that fail with the connections of this package under node:tls, and why.

/** @typedef {import('./judgement.mjs').Expected} Expected */

const engine =
  "it replaces the class SecureContext of Node's C++ before node:tls is loaded; the package, which is loaded first, has loaded node:tls";

/**
 * The test asks Node for the version of its OpenSSL, and expects what that does. The system's has `version` already, and Node's
 * has not.
 * @param {number} version @param {string} reason
 * @returns {Expected}
 */
const newer = (version, reason) => ({
  kind: 'another OpenSSL',
  reason,
  when: ({ builtin, system }) => builtin < version && version <= system,
});

const level0 = 'from 3.1 on TLS 1.0 and 1.1 need security level 0, and the tests set 1 for an older one';

/** @type {Readonly<Record<string, Expected>>} */
export const expectedFailures = {
  'test-https-agent-session-eviction.js': newer(3.1, level0),
  'test-tls-alert-handling.js': newer(
    3.2,
    "a record that is none, in a connection, is 'wrong version number' until 3.2, and 'bad record type' later",
  ),
  'test-tls-cli-max-version-1.2.js': newer(3.1, level0),
  'test-tls-cli-max-version-1.3.js': newer(3.1, level0),
  'test-tls-cli-min-version-1.1.js': newer(3.1, level0),
  'test-tls-cli-min-version-1.2.js': newer(3.1, level0),
  'test-tls-cli-min-version-1.3.js': newer(3.1, level0),
  'test-tls-clientcertengine-unsupported.js': { kind: 'internal of Node', reason: engine },
  'test-tls-empty-sni-context.js': {
    kind: 'decision',
    reason:
      "a context without a certificate fails with OpenSSL's 'no suitable signature algorithm', as with Node since 22; Node 20 sets no " +
      "certificate, which fails with 'passed a null parameter'",
    when: ({ node }) => node < 22,
  },
  'test-tls-external-accessor.js': {
    kind: 'internal of Node',
    reason: "_external is the address of Node's SSL_CTX, which the context here does not have",
  },
  'test-tls-getprotocol.js': newer(3.1, level0),
  'test-tls-keyengine-unsupported.js': { kind: 'internal of Node', reason: engine },
  'test-tls-max-send-fragment.js': {
    kind: 'decision',
    reason: "a 'data' event carries the records that have come, not one: its length shows nothing of theirs",
  },
  'test-tls-min-max-version.js': newer(3.1, level0),
  'test-tls-psk-circuit.js': {
    kind: 'another OpenSSL',
    reason:
      'a pre-shared key that is another is answered with the alert illegal_parameter until 3.4, and decrypt_error later',
    when: ({ builtin, system }) => builtin < 3.4 !== system < 3.4,
  },
  'test-tls-set-ciphers.js': newer(
    3.2,
    'TLS_AES_128_CCM_8_SHA256 is of security level 0 from 3.2 on, and the tests set 1',
  ),
};

/**
 * Undefined: it is to pass there.
 * @param {string} name @param {import('./judgement.mjs').Versions} versions
 * @returns {Expected | undefined}
 */
export function expectedOn(name, versions) {
  const expected = expectedFailures[name];
  return expected?.when?.(versions) === false ? undefined : expected;
}
