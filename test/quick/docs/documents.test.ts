// What the documents say is true: their code compiles or runs, their links lead somewhere, no error code is missing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { EventEmitter } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type AddressInfo, Bio, createServer, Ssl, SslContext, SslSession } from 'system-tls';
import { needsProgram } from '../../support/capabilities.ts';
import { certificates } from '../../support/certificates.ts';
import { Child, packageFolder } from '../../support/child.ts';

const read = (file: string): string => readFileSync(join(packageFolder, file), 'utf8');

const pages = (folder: string): string[] =>
  readdirSync(join(packageFolder, folder), { recursive: true, encoding: 'utf8' })
    .filter(file => file.endsWith('.md'))
    .map(file => join(folder, file));

const documents = ['README.md', 'CONTRIBUTING.md', ...pages('docs'), ...pages('bench/results')];

interface Block {
  /** `README-2` */
  readonly name: string;
  readonly code: string;
}

function blocks(language: 'js' | 'ts'): Block[] {
  return documents.flatMap(file =>
    [...read(file).matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(
      ([, code = ''], index) => ({
        name: `${file.replace(/\W/g, '-')}-${index + 1}`,
        code,
      }),
    ),
  );
}

/** What blocks may use without saying where it comes from. */
const globals = `
import type * as api from 'system-tls';
import type { finished as Finished } from 'node:stream/promises';
declare global {
  const connect: typeof api.connect;
  const createServer: typeof api.createServer;
  const SslContext: typeof api.SslContext;
  const OpenSslError: typeof api.OpenSslError;
  type OpenSslError = api.OpenSslError;
  const finished: typeof Finished;
  const ssl: api.Ssl;
  const socket: api.TlsSocket;
  const client: api.TlsSocket;
  const [cert, key, ca, host]: [string, string, string, string];
  const port: number;
}
`;

const compilerOptions = {
  rootDir: '.',
  noEmit: true,
  noUnusedLocals: false,
  declaration: false,
  declarationMap: false,
};

/** A folder inside the package, from where it can be imported by its name. */
function makeFolder(name: string): string {
  const folder = join(packageFolder, '.cache', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

function compile(folder: string): void {
  const tsc = join(packageFolder, 'node_modules/typescript/bin/tsc');
  try {
    execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    assert.fail((error as { stdout: string }).stdout);
  }
}

describe('The documents', () => {
  it('have code in TypeScript that is well typed', () => {
    const folder = makeFolder('docs-types');
    const config = { extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    writeFileSync(join(folder, 'globals.d.ts'), globals);
    const all = blocks('ts');
    assert.ok(all.length > 5, 'the search finds what there is');
    for (const { name, code } of all) writeFileSync(join(folder, `${name}.ts`), `${code}\nexport {};\n`);
    compile(folder);
  });

  for (const { name, code } of blocks('js')) {
    it(`have code in JavaScript that runs: ${name}`, async function () {
      if (code.includes("execFileSync('openssl'")) needsProgram(this, 'openssl');
      const folder = makeFolder(`docs-run-${name}`);
      writeFileSync(join(folder, 'example.js'), code);
      const child = new Child(process.execPath, ['example.js'], { cwd: folder });
      assert.deepEqual(await child.exited, { code: 0, signal: null }, child.output);
      assert.notEqual(child.output.trim(), '');
    });
  }

  it('have a quick start that needs nothing but the package, and connects where it is told', async () => {
    const section = /^#+ Quick start$([\s\S]*)/im.exec(read('README.md'))?.[1] ?? '';
    const [, language, code = ''] = /^```(\w+)\n([\s\S]*?)^```$/m.exec(section) ?? [];
    assert.equal(language, 'js');
    const imported = [...code.matchAll(/from '([^']+)'/g)].map(([, from]) => from);
    assert.deepEqual(imported, ['system-tls']);
    const { ca, server } = certificates();
    const folder = makeFolder('docs-quick-start');
    writeFileSync(join(folder, 'quick-start.js'), code);
    const peer = createServer({ cert: server.cert, key: server.key }, socket => socket.resume());
    await peer.listen({ host: 'localhost' });
    const { port } = peer.address() as AddressInfo;
    const env = { SSL_CERT_FILE: ca.certFile };
    const child = new Child(process.execPath, ['quick-start.js', 'localhost', String(port)], { cwd: folder, env });
    assert.deepEqual(await child.exited, { code: 0, signal: null }, child.output);
    assert.match(child.output, /^TLSv1\.3, \w+, CN=localhost: OK$/m);
    await peer.close();
  });

  it('have links that lead to files', () => {
    for (const file of documents) {
      for (const [, target = ''] of read(file).matchAll(/\]\(([^)#]+)\)/g)) {
        const path = join(packageFolder, dirname(file), target);
        assert.ok(target.startsWith('https://') || existsSync(path), `${file}: ${target}`);
      }
    }
  });

  it('name every member of the handles in docs/api.md', () => {
    const page = read('docs/api.md');
    for (const made of [Ssl, SslContext, SslSession, Bio]) {
      for (const member of members(made.prototype)) {
        assert.match(page, new RegExp(`\\b${member}\\b`), `${made.name}.${member}`);
      }
    }
  });
});

/** Public methods and accessors, of the class and of those of ours that it extends. */
function members(prototype: object): string[] {
  const parent = Object.getPrototypeOf(prototype) as object;
  const own = Object.getOwnPropertyNames(prototype).filter(name => !(name in EventEmitter.prototype));
  return parent === EventEmitter.prototype || parent === Object.prototype ? own : [...own, ...members(parent)];
}

describe('docs/errors.md', () => {
  const page = read('docs/errors.md');
  const sources = ['lib', 'native', 'types'].flatMap(folder =>
    readdirSync(join(packageFolder, folder), { recursive: true, encoding: 'utf8' })
      .filter(file => /\.(ts|cc|h)$/.test(file) && !file.startsWith('test'))
      .map(file => read(join(folder, file))),
  );
  const all = sources.join('\n');
  const documented = (code: string): boolean => new RegExp(`\`${code}\``).test(page);
  const found = (pattern: RegExp): Set<string> => new Set([...all.matchAll(pattern)].map(([, code = '']) => code));

  it('explains every code that the sources name', () => {
    const named = found(
      /\b(ABORT_ERR|ERR_(?:TLS|SYSTEM_TLS|SSL|OSSL|INVALID|OUT_OF|ILLEGAL|CONSTRUCT|INTERNAL)_\w*[A-Z0-9])\b/g,
    );
    // What OpenSSL's own reasons, raised by us, become.
    for (const reason of found(/\bSSL_R_([A-Z0-9_]+)/g)) named.add(`ERR_SSL_${reason.replace(/(?<=EOF)_.*/, '')}`);
    assert.ok(named.size > 40, 'the search finds what there is');
    assert.deepEqual([...named].filter(code => !documented(code)).sort(), []);
  });

  it('explains every code that the messages give advice for', () => {
    const advised = [...read('lib/errors/advice.ts').matchAll(/^ {2}([A-Z][A-Z0-9_]+):/gm)].map(
      ([, code = '']) => code,
    );
    assert.ok(advised.length > 20);
    assert.deepEqual(
      advised.filter(code => !documented(code)),
      [],
    );
  });

  it('has the prefix of every library of OpenSSL', () => {
    const prefixes = found(/'(ERR_[A-Z0-9_]*_)'/g);
    assert.ok(prefixes.size > 30);
    assert.deepEqual(
      [...prefixes].filter(prefix => prefix !== 'ERR_SYSTEM_TLS_' && !documented(prefix)),
      [],
    );
  });

  it('explains each code of ours in one row', () => {
    const rows = [...page.matchAll(/^\| (`ERR_(?:TLS|SYSTEM_TLS)_[^|]*) \|/gm)].flatMap(([, cell = '']) =>
      cell.split(', '),
    );
    assert.ok(rows.length > 60, 'the search finds what there is');
    assert.deepEqual(
      rows.filter((code, index) => rows.indexOf(code) !== index),
      [],
    );
  });

  it('explains no code of ours that is gone', () => {
    const explained = [...page.matchAll(/`(ERR_(?:TLS|SYSTEM_TLS)_[A-Z_]+)`/g)].map(([, code = '']) => code);
    assert.deepEqual(
      explained.filter(code => !all.includes(code)),
      [],
    );
  });
});

describe('examples/', () => {
  it('has no program that no test runs', () => {
    const folder = 'test/slow/examples';
    const tests = readdirSync(join(packageFolder, folder)).map(file => read(join(folder, file)));
    const programs = readdirSync(join(packageFolder, 'examples')).flatMap(file => /^(.*)\.ts$/.exec(file)?.[1] ?? []);
    assert.ok(programs.length > 20, 'the search finds what there is');
    assert.deepEqual(
      programs.filter(name => !tests.some(test => test.includes(`'${name}'`))),
      [],
    );
  });
});
