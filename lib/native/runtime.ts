// What runs this: asked before anything is opened, since not every runtime survives that.
import { loadFailure } from './load-failure.ts';

const useNode = 'use Node 20.19 or newer';

/** @throws LoadError in Bun and Deno */
export function assertRuntime(): void {
  const { bun, deno } = process.versions as Partial<Record<string, string>>;
  if (bun !== undefined) {
    throw loadFailure(
      `system-tls does not run in Bun (${bun})`,
      'the addon works on the event loop of libuv, which Bun does not have: it ends the process as soon as the addon is opened',
      useNode,
    );
  }
  if (deno !== undefined) {
    throw loadFailure(
      `system-tls does not run in Deno (${deno})`,
      'the addon works on the event loop of libuv, which Deno does not have',
      useNode,
    );
  }
}
