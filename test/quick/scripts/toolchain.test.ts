import assert from 'node:assert/strict';
import type { Machine } from '#scripts/find-openssl.mjs';
import { findNodeDirectory, npmrcValue } from '#scripts/node-headers.mjs';
import { dependenciesMatch } from '#scripts/setup.mjs';
import { explainMissing, installCommands, missingNeeds } from '#scripts/toolchain.mjs';

function machine(programs: string[], changes: Partial<Machine> = {}): Machine {
  return {
    platform: 'linux',
    env: {},
    exists: () => false,
    read: () => '',
    run: command => (programs.includes(command) ? 'yes' : undefined),
    ...changes,
  };
}

const opensslHeader =
  '#define OPENSSL_VERSION_MAJOR 3\n#define OPENSSL_VERSION_MINOR 0\n#define OPENSSL_VERSION_PATCH 1\n';
const withOpenssl = { exists: (file: string) => file === '/usr/include/openssl/opensslv.h', read: () => opensslHeader };

describe('what the build needs', () => {
  it('nothing is missing where everything is', () => {
    assert.deepEqual(
      missingNeeds(machine(['make', 'python3'], withOpenssl), () => true),
      [],
    );
  });

  it('everything is missing on a bare machine', () => {
    const missing = missingNeeds(machine([]), () => false);
    assert.deepEqual(missing, ['compiler', 'make', 'python', 'pkg-config', 'openssl']);
  });

  it('a compiler that cannot compile C++20 does not count, one that CXX names does', () => {
    const present = ['make', 'python3'];
    const only = (name: string) => (compiler: string) => compiler === name;
    assert.deepEqual(missingNeeds(machine(present, withOpenssl), only('clang++')), []);
    assert.deepEqual(missingNeeds(machine(present, { ...withOpenssl, env: { CXX: 'old' } }), only('g++')), [
      'compiler',
    ]);
    assert.deepEqual(missingNeeds(machine(present, { ...withOpenssl, env: { CXX: 'new' } }), only('new')), []);
  });

  it('names the exact command for each system', () => {
    assert.deepEqual(Object.fromEntries(installCommands(['compiler', 'make', 'openssl'])), {
      'Debian, Ubuntu': 'apt-get update && apt-get install -y g++ make libssl-dev',
      Fedora: 'dnf install -y gcc-c++ make openssl-devel',
      Alpine: 'apk add g++ make openssl-dev',
      macOS: 'xcode-select --install && brew install openssl@3',
    });
  });

  it('says what is missing and where it looked', () => {
    const text = explainMissing(['openssl'], { OPENSSL_DIR: '/own' });
    assert.match(text, /headers of the system's OpenSSL/);
    assert.match(text, /OPENSSL_DIR=\/own/);
    assert.match(text, /apt-get install -y libssl-dev$/m);
    assert.doesNotMatch(text, /compiler/);
  });
});

describe("node's headers", () => {
  const at = (...files: string[]) => ({ exists: (file: string) => files.includes(file) });

  it('lie beside node, in the folder of npm_config_nodedir, or in that of the .npmrc, in this order', () => {
    const env = { HOME: '/home/me', npm_config_nodedir: '/named' };
    const read = () => 'cache=/x\nnodedir = "/configured"\n';
    const beside = machine([], { ...at('/opt/node/include/node/node.h'), env });
    assert.equal(findNodeDirectory(beside, '/opt/node/bin/node'), '/opt/node');
    assert.equal(findNodeDirectory(machine([], { env }), '/opt/node/bin/node'), '/named');
    const configured = machine([], { ...at('/home/me/.npmrc'), read, env: { HOME: '/home/me' } });
    assert.equal(findNodeDirectory(configured, '/opt/node/bin/node'), '/configured');
    assert.equal(findNodeDirectory(machine([]), '/opt/node/bin/node'), undefined);
  });

  it('the .npmrc is read by key', () => {
    assert.equal(npmrcValue('a=1\nnodedir=/x\n', 'nodedir'), '/x');
    assert.equal(npmrcValue('mynodedir=/x\n', 'nodedir'), undefined);
  });
});

describe('the dependencies', () => {
  const locked = {
    '': {},
    'node_modules/a': { version: '1.0.0' },
    'node_modules/b': { version: '2.0.0', optional: true },
  };

  it('match when every package has its version, optional ones or none', () => {
    assert.ok(dependenciesMatch(locked, { 'node_modules/a': { version: '1.0.0' } }));
    assert.ok(
      dependenciesMatch(locked, { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '2.0.0' } }),
    );
  });

  it('do not when one is absent or of another version', () => {
    assert.ok(!dependenciesMatch(locked, {}));
    assert.ok(!dependenciesMatch(locked, { 'node_modules/a': { version: '1.0.1' } }));
    assert.ok(
      !dependenciesMatch(locked, { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '1.0.0' } }),
    );
  });
});
