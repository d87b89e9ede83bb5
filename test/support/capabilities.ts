// What a machine may lack. A test that needs it skips, and says why.
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

const found = new Map<string, boolean>();

export function hasProgram(name: string): boolean {
  let known = found.get(name);
  if (known === undefined) {
    known = (process.env['PATH'] ?? '').split(delimiter).some(folder => isExecutable(join(folder, name)));
    found.set(name, known);
  }
  return known;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export function needs(test: Mocha.Context, present: boolean, what: string): void {
  if (present) return;
  console.log(`      skipped: ${what}`);
  test.skip();
}

export function needsProgram(test: Mocha.Context, name: string): void {
  needs(test, hasProgram(name), `no program "${name}" on the PATH`);
}

const nobody = 65534;

/** Calls `action` as a user who is not root, for what root may always do. */
export function withoutPrivileges<T>(action: () => T): T {
  if (process.geteuid?.() !== 0) return action();
  process.seteuid?.(nobody);
  try {
    return action();
  } finally {
    process.seteuid?.(0);
  }
}
