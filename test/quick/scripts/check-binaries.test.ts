// The gate of the binaries that ship: each rule is broken once, by a library that was compiled so.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { complaintsOf, targetOf } from '#scripts/check-binaries.mjs';
import { compareVersions, readElf } from '#scripts/elf.mjs';

const source = `
  #include <openssl/ssl.h>
  #include <string.h>
  int use(SSL_CTX *context, const char *text, size_t size) {
    char copy[64];
    memcpy(copy, text, size);
    EVP_MD_free(NULL);
    return SSL_new(context) != NULL && copy[0] == 'x';
  }
`;

const hardened = [
  ...['-O2', '-fPIC', '-shared', '-U_FORTIFY_SOURCE', '-D_FORTIFY_SOURCE=2', '-fstack-protector-all'],
  ...['-Wl,-z,relro', '-Wl,-z,now', '-Wl,-z,noexecstack'],
];

/** Lists of what is there instead, or beside it. */
const wrong: ReadonlyArray<readonly [name: string, flags: readonly string[], complaint: RegExp]> = [
  ['a path of its own', ['-Wl,-rpath,/opt/openssl/lib'], /^it looks for libraries in \/opt\/openssl\/lib \(RPATH\)$/],
  ['another library', ['-Wl,--no-as-needed', '-lz'], /^it needs libz\.so\.1$/],
  ['a stack that is executable', ['-Wl,-z,execstack'], /^its stack is executable/],
  ['relocations that stay writable', ['-Wl,-z,norelro'], /^its relocations stay writable/],
  ['relocations that are late', ['-Wl,-z,lazy'], /^its relocations stay writable/],
  ['no stack protector', ['-fno-stack-protector'], /^it has no stack protector/],
  ['nothing fortified', ['-U_FORTIFY_SOURCE'], /^nothing in it is fortified/],
  ['a symbol of a later C library', ['-DLATE'], /^it asks for GLIBC_2\.3[5-9], newer than 2\.34$/],
  ['a symbol of a later OpenSSL', ['-DLATER'], /^it asks for OPENSSL_3\.0\.3, newer than 3\.0\.0$/],
];

const late = `
  #ifdef LATE
  unsigned int arc4random(void);
  unsigned int late(void) { return arc4random(); }
  #endif
  #ifdef LATER
  #include <openssl/crypto.h>
  int later(void) { return OPENSSL_strcasecmp("a", "b"); }
  #endif
`;

describe('the gate of the binaries that ship', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'system-tls-binaries-'));
    writeFileSync(path.join(folder, 'use.c'), source + late);
    mkdirSync(path.join(folder, 'linux-x64'));
  });
  after(() => rmSync(folder, { recursive: true }));

  function compile(flags: readonly string[], libraries = ['-lssl', '-lcrypto']): string {
    const file = path.join(folder, 'linux-x64/system-tls.openssl3.glibc.node');
    const args = [...hardened, path.join(folder, 'use.c'), '-o', file, ...libraries, ...flags];
    execFileSync('cc', args, { stdio: 'pipe' });
    return file;
  }

  function judge(file: string, bytes = 1000): string[] {
    const target = targetOf(file);
    assert.ok(target);
    // Tests run on other processors too.
    return complaintsOf({ ...readElf(file), machine: 'Advanced Micro Devices X86-64' }, target, bytes);
  }

  it('lets a good one pass', () => {
    assert.deepEqual(judge(compile([])), []);
  });

  for (const [name, flags, complaint] of wrong) {
    it(`refuses ${name}`, () => {
      const complaints = judge(compile(flags));
      assert.equal(complaints.length, 1, complaints.join('\n'));
      assert.match(complaints[0] as string, complaint);
    });
  }

  it('refuses the wrong processor, the wrong OpenSSL, and what is too large', () => {
    const file = compile([]);
    const elf = readElf(file);
    const x64 = { arch: 'x64', major: 3, libc: 'glibc' };
    assert.match(complaintsOf({ ...elf, machine: 'AArch64' }, x64, 1000)[0] as string, /^it is for AArch64$/);
    assert.match(complaintsOf(elf, { ...x64, major: 4 }, 1000).join('\n'), /it does not need libssl\.so\.4/);
    assert.match(judge(file, 3_000_000)[0] as string, /^it has 3000000 bytes/);
  });

  it('knows a file by its name', () => {
    assert.deepEqual(targetOf('prebuilds/linux-arm64/system-tls.openssl4.musl.node'), {
      arch: 'arm64',
      major: 4,
      libc: 'musl',
    });
    for (const name of [
      'linux-x64/system-tls.node',
      'linux-x64/system-tls.openssl3.node',
      'system-tls.openssl3.glibc.node',
    ]) {
      assert.equal(targetOf(name), undefined, name);
    }
  });

  it('compares versions by number', () => {
    assert.ok(compareVersions('2.4', '2.34') < 0);
    assert.ok(compareVersions('3.4.30', '3.4.29') > 0);
    assert.equal(compareVersions('3.0', '3.0.0'), 0);
  });
});
