// The benchmark says what is wrong with its arguments before it builds anything.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const program = fileURLToPath(new URL('../../../bench/run.mjs', import.meta.url));

const wrong: readonly (readonly [args: string, says: RegExp])[] = [
  ['--rounds 0', /^--rounds must be .* above 0; it is '0'\.$/],
  ['--rounds x', /^--rounds must be .* above 0; it is 'x'\.$/],
  ['--rounds 1.5', /^--rounds must be a whole number .*'1\.5'\.$/],
  ['--rounds', /--rounds/],
  ['--rounds=', /^--rounds must be .* it is ''\.$/],
  ['--seconds -1', /--seconds/],
  ['--seconds=-1', /^--seconds must be a number above 0; it is '-1'\.$/],
  ['--seconds Infinity', /^--seconds must be a number above 0/],
  ['--threads 0', /^--threads must be .* above 0; it is '0'\.$/],
  ['--foo', /--foo/],
  ['ecco', /^No job's name begins with 'ecco'\. Names begin with: .*echo/],
  ['echo ecco', /^No job's name begins with 'ecco'/],
  ['echo --only c,nodejs', /^--only: .*'nodejs'\. There are: c, system-tls, node/],
  ['echo --against /nowhere', /^--against must be a checkout .*'\/nowhere'\.$/],
  ['echo --only c,nginx', /^--only: .*'nginx'\. There are: /],
];

describe('npm run bench', () => {
  for (const [args, says] of wrong) {
    it(`refuses ${args}`, () => {
      const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args.split(' ')], {
        encoding: 'utf8',
        timeout: 120_000,
      });
      const lines = stderr.trimEnd().split('\n');
      assert.equal(status, 1, stderr);
      assert.equal(stdout, '', 'nothing was begun');
      assert.equal(lines.length, 2, stderr);
      assert.match(lines[0] ?? '', says);
      assert.match(lines[1] ?? '', /^Usage: npm run bench -- /);
    });
  }
});
