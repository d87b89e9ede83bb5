// The examples, compiled as their readers compile them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Child, type ChildOptions, packageFolder } from './child.ts';

export function compileExamples(): void {
  execFileSync(process.execPath, [join(packageFolder, 'scripts/setup.mjs'), '--examples'], { stdio: 'pipe' });
}

export const example = (name: string, args: readonly string[] = [], options: ChildOptions = {}): Child =>
  new Child(
    process.execPath,
    ['--enable-source-maps', join(packageFolder, `dist-examples/${name}.js`), ...args],
    options,
  );

/** What it printed, when it has ended as it should. */
export async function succeeds(child: Child): Promise<string> {
  const exit = await child.exited;
  assert.deepEqual(exit, { code: 0, signal: null }, child.output);
  return child.output;
}
