import { validateObject } from '../base/validate.ts';
import { givenPolicy, type VerifyOptions } from '../callbacks/verify-mode.ts';
import type { SslOptions } from '../connection/options.ts';
import { Choices, ServerNames } from '../connection/server-names.ts';
import { ConnectionSettings } from '../connection/settings.ts';
import {
  type ContextInternals,
  type ContextNames,
  contextArgument,
  namedContext,
  type OnServerName,
  readyContext,
  SslContext,
  type SslContextOptions,
} from '../context/context.ts';
import { assertMethodCarries, assertMethodSide } from '../context/methods.ts';
import type { OwnContextOptions } from '../context/options.ts';
import { inheritable, type Named, namePattern, namesOf } from '../context/server-names.ts';

/** What connections are made of. */
export interface Template {
  readonly context: SslContext;
  readonly options: SslOptions;
  readonly shared: ConnectionSettings;
  readonly names: ServerNames | undefined;
}

/** Options of each connection, whichever its context. */
export type ConnectionOptions = Pick<SslOptions, 'io' | 'ktls' | 'dynamicRecordSizing' | 'on'>;

interface First {
  readonly context: SslContext;
  readonly internals: ContextInternals;
  /** What a context for a name has of its options. */
  readonly inherited: object;
  /** What the server says of verification, whatever the context. */
  readonly policy: VerifyOptions;
}

export class ServerContexts {
  readonly #connection: ConnectionOptions;
  readonly #named: Map<string, Named<SslContext>>;
  #ask: OnServerName | null;
  #rejects: boolean;
  #first: First;
  #choices: Choices | undefined;
  #template: Template | undefined;

  constructor(options: SslContextOptions & { readonly secureContext?: unknown }, connection: ConnectionOptions) {
    this.#connection = connection;
    const ready = readyContext(options);
    const policy = givenPolicy(options);
    const context = ready ?? new SslContext(options);
    this.#first = first(context, ready === undefined ? inheritable(options) : {}, policy);
    const names = this.#first.internals.names ?? (ready && ownNames(options));
    this.#named = new Map(names?.contexts);
    this.#ask = names?.ask ?? null;
    this.#rejects = names?.rejects ?? false;
    // What is wrong with the options is the server's affair, and not that of the first client.
    this.#template = this.#makeTemplate();
  }

  /** For the next connection. */
  get template(): Template {
    this.#template ??= this.#makeTemplate();
    return this.#template;
  }

  /** Another context to begin with. The names stay, and so do ticket keys, unless these options or a ready context have their own. */
  replace(options: SslContextOptions | SslContext): void {
    const before = this.#first;
    if (options instanceof SslContext) {
      this.#change(first(options, {}, before.policy));
      return;
    }
    validateObject(options, 'options');
    const given = givenPolicy(options);
    // Two ways to say the same: the new way replaces the old one as a whole.
    const otherWords = Object.keys(given).length > 0 && ('verifyMode' in given || 'verifyMode' in before.policy);
    const policy = otherWords ? given : { ...before.policy, ...given };
    const own = { ...options, ...policy };
    const ticketKeys = options.ticketKeys ?? before.internals.native.ticketKeys();
    this.#change(first(new SslContext({ ...own, ticketKeys }), inheritable(own), policy));
  }

  addName(name: string, context: SslContext | OwnContextOptions): void {
    const option = `serverNames['${name}']`;
    const pattern = namePattern(name, 'name');
    const named = namedContext(context, this.#first.inherited, option);
    this.#chooser().of(named, option);
    this.#named.set(pattern, named);
    this.#template = undefined;
  }

  /** False: it was not there. */
  removeName(name: string): boolean {
    const removed = this.#named.delete(namePattern(name, 'name'));
    if (removed) this.#template = undefined;
    return removed;
  }

  /** All or nothing. */
  #change(next: First): void {
    const before = {
      first: this.#first,
      choices: this.#choices,
      named: [...this.#named],
      ask: this.#ask,
      rejects: this.#rejects,
    };
    this.#first = next;
    this.#choices = undefined;
    const { names } = next.internals;
    for (const [pattern, named] of names?.contexts ?? []) this.#named.set(pattern, named);
    this.#ask = names?.ask ?? this.#ask;
    this.#rejects = names?.rejects || this.#rejects;
    try {
      this.#template = this.#makeTemplate();
    } catch (error) {
      this.#first = before.first;
      this.#choices = before.choices;
      this.#named.clear();
      for (const [pattern, named] of before.named) this.#named.set(pattern, named);
      this.#ask = before.ask;
      this.#rejects = before.rejects;
      throw error;
    }
  }

  #chooser(): Choices {
    this.#choices ??= new Choices(this.#first.internals, this.#first.policy);
    return this.#choices;
  }

  #makeTemplate(): Template {
    const { context, internals, policy } = this.#first;
    const options: SslOptions = { side: 'server', ...this.#connection, ...policy };
    const names = this.#names();
    const shared = new ConnectionSettings(internals, options, names && { serverNames: names.native }, true);
    return { context, options, shared, names };
  }

  #names(): ServerNames | undefined {
    if (this.#named.size === 0 && this.#ask === null && !this.#rejects) return undefined;
    return new ServerNames(this.#chooser(), { contexts: this.#named, ask: this.#ask, rejects: this.#rejects });
  }
}

function first(context: SslContext, inherited: object, policy: VerifyOptions): First {
  const internals = contextArgument(context, 'context');
  assertMethodCarries(internals.policy.method, 'stream', 'createServer()');
  assertMethodSide(internals.policy.method, 'server');
  return { context, internals, inherited, policy };
}

/** Beside a ready context, which has no options to inherit. */
function ownNames(options: SslContextOptions): ContextNames | undefined {
  return namesOf(options, (value, option) => namedContext(value, {}, option));
}
