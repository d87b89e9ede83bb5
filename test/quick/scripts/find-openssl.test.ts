import assert from 'node:assert/strict';
import {
  defines,
  findOpenssl,
  includeFlags,
  linkFlags,
  type Machine,
  parseFlags,
  parseVersion,
} from '#scripts/find-openssl.mjs';

function header(version: string): string {
  const [major, minor, patch] = version.split('.');
  return `# define OPENSSL_VERSION_MAJOR  ${major}\n# define OPENSSL_VERSION_MINOR  ${minor}\n# define OPENSSL_VERSION_PATCH  ${patch}\n`;
}

interface Description {
  platform?: NodeJS.Platform;
  env?: Record<string, string>;
  /** Include folder to version. */
  headers?: Record<string, string>;
  files?: string[];
  /** Command line to output. */
  commands?: Record<string, string>;
}

function machine({ platform = 'linux', env = {}, headers = {}, files = [], commands = {} }: Description): Machine {
  const contents = new Map(
    Object.entries(headers).map(([folder, version]) => [`${folder}/openssl/opensslv.h`, header(version)]),
  );
  return {
    platform,
    env,
    exists: file => contents.has(file) || files.includes(file),
    read: file => contents.get(file) ?? assert.fail(`${file} is not there to be read`),
    run: (command, args) => commands[[command, ...args].join(' ')],
  };
}

const pkgConfig = (prefix: string) => ({
  'pkg-config --variable=includedir openssl': `${prefix}/include`,
  'pkg-config --cflags-only-I openssl': `-I${prefix}/include`,
  'pkg-config --libs-only-L openssl': `-L${prefix}/lib`,
});

describe('find-openssl', () => {
  it('reads the version from opensslv.h', () => {
    assert.deepEqual(parseVersion(header('3.0.19')), { major: 3, minor: 0, patch: 19 });
    assert.deepEqual(parseVersion(header('4.0.0')), { major: 4, minor: 0, patch: 0 });
    assert.equal(parseVersion('# define OPENSSL_VERSION_NUMBER  0x1010117fL\n'), undefined);
    assert.equal(parseVersion(''), undefined);
  });

  it('reads the folders from flags', () => {
    assert.deepEqual(parseFlags('-I/a -DX -I/b\n', '-I'), ['/a', '/b']);
    assert.deepEqual(parseFlags('', '-L'), []);
  });

  it('takes what pkg-config says', () => {
    const found = findOpenssl(
      machine({ headers: { '/p/include': '3.5.7' }, files: ['/p/lib/libssl.so'], commands: pkgConfig('/p') }),
    );
    assert.deepEqual(found, {
      source: 'pkg-config',
      includeDir: '/p/include',
      libDir: '/p/lib',
      explicit: false,
      version: { major: 3, minor: 5, patch: 7 },
    });
  });

  it('asks the pkg-config that PKG_CONFIG names', () => {
    const commands = { 'cross-pkg-config --variable=includedir openssl': '/cross/include' };
    const found = findOpenssl(
      machine({ env: { PKG_CONFIG: 'cross-pkg-config' }, headers: { '/cross/include': '3.1.0' }, commands }),
    );
    assert.equal(found?.includeDir, '/cross/include');
  });

  it('does without pkg-config where the headers lie in the usual place', () => {
    const found = findOpenssl(machine({ headers: { '/usr/include': '3.0.19' } }));
    assert.equal(found?.source, 'default');
    assert.deepEqual(includeFlags(found), []);
    assert.deepEqual(linkFlags(found), ['-lssl', '-lcrypto']);
    assert.deepEqual(defines(found), [
      'SYSTEM_TLS_OPENSSL_MAJOR=3',
      'SYSTEM_TLS_OPENSSL_MINOR=0',
      'SYSTEM_TLS_OPENSSL_PATCH=19',
    ]);
  });

  for (const name of ['OPENSSL_ROOT_DIR', 'OPENSSL_DIR']) {
    it(`${name} comes before pkg-config, and is found at run time too`, () => {
      const found = findOpenssl(
        machine({
          env: { [name]: '/own' },
          headers: { '/own/include': '3.6.5', '/p/include': '3.0.0' },
          files: ['/own/lib64/libssl.so'],
          commands: pkgConfig('/p'),
        }),
      );
      assert.ok(found);
      assert.equal(found.source, name);
      assert.deepEqual(includeFlags(found), ['-I/own/include']);
      assert.deepEqual(linkFlags(found), ['-L/own/lib64', '-Wl,-rpath,/own/lib64', '-lssl', '-lcrypto']);
    });
  }

  it('OPENSSL_INCLUDE_DIR and OPENSSL_LIB_DIR come first of all', () => {
    const found = findOpenssl(
      machine({
        env: { OPENSSL_INCLUDE_DIR: '/i', OPENSSL_LIB_DIR: '/l', OPENSSL_DIR: '/own' },
        headers: { '/i': '3.2.1', '/own/include': '3.6.5' },
        files: ['/l/libssl.so', '/own/lib/libssl.so'],
      }),
    );
    assert.equal(found?.includeDir, '/i');
    assert.equal(found?.libDir, '/l');
  });

  it('takes nothing else when what the user named is not there', () => {
    const others = { headers: { '/usr/include': '3.0.19' }, commands: pkgConfig('/usr') };
    assert.equal(findOpenssl(machine({ ...others, env: { OPENSSL_DIR: '/gone' } })), undefined);
    const withoutLibrary = { ...others.headers, '/own/include': '3.0.19' };
    assert.equal(findOpenssl(machine({ headers: withoutLibrary, env: { OPENSSL_DIR: '/own' } })), undefined);
  });

  it('passes over OpenSSL 1.1, wherever it lies', () => {
    const old = machine({ commands: pkgConfig('/old'), files: ['/old/include/openssl/opensslv.h'] });
    const read = () => '# define OPENSSL_VERSION_NUMBER  0x1010117fL\n';
    assert.equal(findOpenssl({ ...old, read }), undefined);
  });

  it('finds Homebrew and MacPorts on macOS, and never what macOS itself has in /usr/include', () => {
    const brew = { 'brew --prefix openssl@3': '/opt/homebrew/opt/openssl@3' };
    const homebrew = findOpenssl(
      machine({
        platform: 'darwin',
        headers: { '/opt/homebrew/opt/openssl@3/include': '3.6.1' },
        files: ['/opt/homebrew/opt/openssl@3/lib/libssl.dylib'],
        commands: brew,
      }),
    );
    assert.equal(homebrew?.source, 'Homebrew');
    assert.deepEqual(linkFlags(homebrew), ['-L/opt/homebrew/opt/openssl@3/lib', '-lssl', '-lcrypto']);
    const macports = findOpenssl(
      machine({
        platform: 'darwin',
        headers: { '/opt/local/libexec/openssl3/include': '3.4.0' },
        files: ['/opt/local/libexec/openssl3/lib/libssl.dylib'],
      }),
    );
    assert.equal(macports?.source, 'MacPorts');
    assert.equal(findOpenssl(machine({ platform: 'darwin', headers: { '/usr/include': '3.0.0' } })), undefined);
  });

  it('finds nothing on a bare machine', () => {
    assert.equal(findOpenssl(machine({})), undefined);
  });
});
