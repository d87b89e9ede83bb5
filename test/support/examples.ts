// The examples, compiled as their readers compile them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { Child, type ChildOptions, packageFolder } from './child.ts';

export function compileExamples(): void {
  execFileSync(process.execPath, [join(packageFolder, 'scripts/setup.mjs'), '--examples'], { stdio: 'pipe' });
}

// The other address of localhost has nobody who listens, and is not to be tried because the machine stood still.
const flags = ['--enable-source-maps', '--network-family-autoselection-attempt-timeout=10000'];

export const example = (name: string, args: readonly string[] = [], options: ChildOptions = {}): Child =>
  new Child(process.execPath, [...flags, join(packageFolder, `dist-examples/${name}.js`), ...args], options);

/** What it printed, when it has ended as it should. */
export async function succeeds(child: Child): Promise<string> {
  const exit = await child.exited;
  assert.deepEqual(exit, { code: 0, signal: null }, child.output);
  return child.output;
}
