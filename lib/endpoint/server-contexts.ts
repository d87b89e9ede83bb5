import { validateObject } from '../base/validate.ts';
import { givenCallbacks } from '../callbacks/options.ts';
import { givenPolicy, type VerifyOptions } from '../callbacks/verify-mode.ts';
import type { SslOptions } from '../connection/options.ts';
import { allNames, Choices, type NameChanges, type ServerNames } from '../connection/server-names.ts';
import { ConnectionSettings } from '../connection/settings.ts';
import type { AlpnProtocols } from '../context/alpn.ts';
import {
  type ContextInternals,
  type ContextNames,
  contextArgument,
  type HandshakeCallbacks,
  namedContext,
  type OnServerName,
  readyContext,
  SslContext,
  type SslContextOptions,
} from '../context/context.ts';
import { assertMethodCarries, assertMethodSide } from '../context/methods.ts';
import type { OwnContextOptions } from '../context/options.ts';
import { inheritable, namePattern, namesOf } from '../context/server-names.ts';

/** What connections are made of. */
export interface Template {
  readonly context: SslContext;
  readonly options: SslOptions;
  readonly shared: ConnectionSettings;
  readonly names: ServerNames | undefined;
}

/** Options of each connection, whichever its context. */
export type ConnectionOptions = Pick<SslOptions, 'io' | 'ktls' | 'dynamicRecordSizing' | 'on'>;

/** What the server says of handshakes; the list beside a ready context, which has not seen it. */
interface OwnHandshake extends HandshakeCallbacks {
  readonly ALPNProtocols?: AlpnProtocols | undefined;
}

interface First {
  readonly context: SslContext;
  readonly internals: ContextInternals;
  /** What a context for a name has of its options. */
  readonly inherited: object;
  /** What the server says of verification, where a context says nothing. */
  readonly policy: VerifyOptions;
  /** The server's own, which go before those of a context. */
  readonly own: OwnHandshake;
}

/** All that can change. */
interface State {
  readonly first: First;
  readonly choices: Choices;
  readonly contexts: Map<string, SslContext>;
  readonly ask: OnServerName | null;
  readonly rejects: boolean;
}

export class ServerContexts {
  readonly #connection: ConnectionOptions;
  #state: State;
  #template: Template;
  /** Of names, since that template. */
  readonly #changes = new Map<string, SslContext | undefined>();

  constructor(options: SslContextOptions & { readonly secureContext?: unknown }, connection: ConnectionOptions) {
    this.#connection = connection;
    const ready = readyContext(options);
    const context = ready ?? new SslContext(options);
    const begins = first(context, ready === undefined ? inheritable(options) : {}, givenPolicy(options), {
      ...givenCallbacks(options),
      ...(ready && { ALPNProtocols: options.ALPNProtocols }),
    });
    this.#state = stateOf(begins, [begins.internals.names, ready && ownNames(options)]);
    // What is wrong with the options is the server's affair, and not that of the first client.
    this.#template = makeTemplate(this.#state, connection, namesOfState(this.#state));
  }

  /** For the next connection. */
  get template(): Template {
    if (this.#changes.size > 0) {
      const names = namesOfState(this.#state, this.#template.names, this.#changes);
      this.#template = makeTemplate(this.#state, this.#connection, names);
      this.#changes.clear();
    }
    return this.#template;
  }

  /** Another context to begin with. The names stay, and so do ticket keys, unless these options or a ready context have their own. */
  replace(options: SslContextOptions | SslContext): void {
    const before = this.#state.first;
    if (options instanceof SslContext) {
      this.#change(first(options, {}, before.policy, before.own));
      return;
    }
    validateObject(options, 'options');
    const given = givenPolicy(options);
    // Two ways to say the same: the new way replaces the old one as a whole.
    const otherWords = Object.keys(given).length > 0 && ('verifyMode' in given || 'verifyMode' in before.policy);
    const policy = otherWords ? given : { ...before.policy, ...given };
    const own = { ...options, ...policy };
    const ticketKeys = options.ticketKeys ?? before.context.ticketKeys;
    this.#change(
      first(new SslContext({ ...own, ticketKeys }), inheritable(own), policy, {
        ...withoutProtocol(before.own, options),
        ...givenCallbacks(options),
      }),
    );
  }

  addName(name: string, context: SslContext | OwnContextOptions): void {
    const option = `serverNames['${name}']`;
    const pattern = namePattern(name, 'name');
    const { first, choices, contexts } = this.#state;
    const named = namedContext(context, first.inherited, option);
    choices.of(named, option);
    contexts.set(pattern, named);
    this.#changes.set(pattern, named);
  }

  /** False: it was not there. */
  removeName(name: string): boolean {
    const pattern = namePattern(name, 'name');
    const removed = this.#state.contexts.delete(pattern);
    if (removed) this.#changes.set(pattern, undefined);
    return removed;
  }

  /** All or nothing. */
  #change(next: First): void {
    const state = stateOf(next, [this.#state, next.internals.names]);
    this.#template = makeTemplate(state, this.#connection, namesOfState(state));
    this.#state = state;
    this.#changes.clear();
  }
}

/** @param names - those that come later go before */
function stateOf(first: First, names: readonly (ContextNames | undefined)[]): State {
  const contexts = new Map(names.flatMap(each => [...(each?.contexts ?? [])]));
  const ask = names.findLast(each => each?.ask !== undefined)?.ask ?? null;
  const rejects = names.findLast(each => each?.rejects !== undefined)?.rejects ?? false;
  return { first, choices: new Choices(first.internals, true), contexts, ask, rejects };
}

/** @param before - those of the same state, but for these changes */
function namesOfState(
  { choices, contexts, ask, rejects }: State,
  before?: ServerNames,
  changes: NameChanges = new Map(),
): ServerNames | undefined {
  if (contexts.size === 0 && ask === null && !rejects) return undefined;
  return before?.with(changes) ?? allNames(choices, { contexts, ask, rejects });
}

/** One of them decides: what the next options say, or else what was said before. */
function withoutProtocol(before: OwnHandshake, { onALPN, ALPNProtocols }: SslContextOptions): OwnHandshake {
  if (onALPN === undefined && (ALPNProtocols === undefined || ALPNProtocols === null)) return before;
  return { ...before, onALPN: undefined, ALPNProtocols: undefined };
}

function makeTemplate(state: State, connection: ConnectionOptions, names: ServerNames | undefined): Template {
  const { context, internals, policy, own } = state.first;
  const options: SslOptions = { side: 'server', ...connection, ...policy, ...own };
  const shared = new ConnectionSettings(internals, options, names && { serverNames: names.native }, true);
  return { context, options, shared, names };
}

function first(context: SslContext, inherited: object, policy: VerifyOptions, own: OwnHandshake): First {
  const internals = contextArgument(context, 'context');
  assertMethodCarries(internals.policy.method, 'stream', 'createServer()');
  assertMethodSide(internals.policy.method, 'server');
  return { context, internals, inherited, policy, own };
}

/** Beside a ready context, which has no options to inherit. */
function ownNames(options: SslContextOptions): ContextNames | undefined {
  return namesOf(options, (value, option) => namedContext(value, {}, option));
}
