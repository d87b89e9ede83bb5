// Children that answer each message by one of their own.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export class Helper<Message extends object> implements Disposable {
  readonly #child: ChildProcess;
  #settle: { readonly resolve: (reply: unknown) => void; readonly reject: (error: Error) => void } | undefined;
  #over: Error | undefined;

  /** @param program - beside this file, without its extension */
  constructor(program: 'server' | 'load') {
    const file = fileURLToPath(new URL(`./${program}.js`, import.meta.url));
    // For what a connection keeps, garbage is to be collected first.
    this.#child = fork(file, { execArgv: [...process.execArgv, '--expose-gc'] });
    this.#child.on('message', reply => this.#settle?.resolve(reply));
    this.#child.on('error', error => this.#end(error));
    this.#child.on('exit', (code, signal) => {
      this.#end(new Error(`the ${program} of the demonstration ended with ${signal ?? code}`));
    });
  }

  #end(error: Error): void {
    this.#over ??= error;
    this.#settle?.reject(this.#over);
  }

  /** One at a time. */
  async ask<Reply>(message: Message): Promise<Reply> {
    if (this.#over !== undefined) throw this.#over;
    return new Promise<Reply>((resolve, reject) => {
      this.#settle = { resolve: reply => resolve(reply as Reply), reject };
      // What cannot be sent has no receiver, and its end says why.
      this.#child.send(message, () => undefined);
    });
  }

  [Symbol.dispose](): void {
    if (this.#child.connected) this.#child.disconnect();
  }
}
