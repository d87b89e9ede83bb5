// The application that a driver drives: a process of its own, whose command is the driver's arguments.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const [, , command, ...args] = process.argv;

/** Resolves when it says on which port it listens. */
export async function start() {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.once('exit', () => child.kill('SIGKILL'));
  const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal }));
  const listening = new Promise(resolve => {
    createInterface(child.stdout).on('line', line => {
      const port = /^listening on (\d+)$/.exec(line)?.[1];
      if (port === undefined) console.log(line);
      else resolve(Number(port));
    });
  });
  const early = exited.then(({ code, signal }) => Promise.reject(new Error(`it ended early: ${code ?? signal}`)));
  const port = await Promise.race([listening, early]);
  early.catch(() => {});
  return { child, port, exited };
}
