// What the dynamic loader bound to what, as it tells under LD_DEBUG=bindings.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type Run, runModule } from './nodes.ts';

export interface Binding {
  /** File names without their folders. */
  readonly from: string;
  readonly to: string;
  readonly symbol: string;
}

const line = /binding file (.+?) \[\d+\] to (.+?) \[\d+\]: \w+ symbol `([^']+)'/;

/** Every binding that the loader made while this text ran. */
export async function tracedBindings(
  program: string,
  text: string,
  env: NodeJS.ProcessEnv = {},
): Promise<{ run: Run; bindings: Binding[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'bindings-'));
  try {
    const run = await runModule(program, text, {
      env: { ...env, LD_DEBUG: 'bindings', LD_DEBUG_OUTPUT: join(folder, 'trace') },
    });
    const bindings: Binding[] = [];
    for (const file of readdirSync(folder)) {
      for (const text of readFileSync(join(folder, file), 'utf8').split('\n')) {
        const [, from, to, symbol] = line.exec(text) ?? [];
        if (from !== undefined && to !== undefined && symbol !== undefined) {
          bindings.push({ from: basename(from), to: basename(to), symbol });
        }
      }
    }
    return { run, bindings };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What the addon may take from node. */
const offered = /^(napi_|node_api_|uv_)/;

/** Bindings of libssl, libcrypto, the addon or a provider that ended at node and should not have. */
export function bindingsToNode(bindings: readonly Binding[], program: string): Binding[] {
  const ours = /^(libssl\.so|libcrypto\.so|system_tls\.node$|legacy\.so$|loader_attic\.so$)/;
  return bindings.filter(
    ({ from, to, symbol }) =>
      to === basename(program) && ours.test(from) && !(from === 'system_tls.node' && offered.test(symbol)),
  );
}
