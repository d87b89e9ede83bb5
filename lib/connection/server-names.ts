// The contexts that a server's connections may be switched to, as native code has them, and the question for more.
import type { NativeContextChoice, NativeServerNames, NativeSharedOptions } from '../../types/binding.d.ts';
import { invalidArgValue, invalidReturnValue } from '../base/coded-error.ts';
import { answerFrom, functionFailed } from '../callbacks/answer.ts';
import type { CallbackRequest } from '../callbacks/request.ts';
import type { VerifyPolicy } from '../callbacks/verify-mode.ts';
import { type ContextInternals, type ContextNames, contextArgument, SslContext } from '../context/context.ts';
import { assertMethodCarries, assertMethodSide } from '../context/methods.ts';
import { binding } from '../native/load-binding.ts';
import { ConnectionSettings } from './settings.ts';

/** A context, with the verification that it brings along, if it says something about that. */
export interface Choice {
  readonly context: SslContext;
  readonly verify: VerifyPolicy | undefined;
  readonly native: NativeContextChoice;
}

/** Alert unrecognized_name: RFC 6066 section 3. */
const unrecognizedName = 112;
/** The context stays the one that the connection began with. */
const firstContext = 0;

/** Of this environment: a number stands for one choice. */
let lastTag = 0;

/** Makes a choice of each context, once. */
export class Choices {
  readonly #base: ContextInternals;
  readonly #verifies: boolean;
  readonly #known = new WeakMap<SslContext, Choice>();

  /**
   * @param base - of the context that connections begin with
   * @param verifies - contexts bring their verification along; otherwise the connection has its own, whatever they say
   */
  constructor(base: ContextInternals, verifies: boolean) {
    this.#base = base;
    this.#verifies = verifies;
  }

  /** @throws Error for a context that cannot take the place of the first one */
  of(context: SslContext, option: string): Choice {
    let choice = this.#known.get(context);
    if (choice === undefined) {
      choice = this.#make(context, option);
      this.#known.set(context, choice);
    }
    return choice;
  }

  #make(context: SslContext, option: string): Choice {
    const internals = contextArgument(context, option);
    const { method, namesGroups, speaks } = internals.policy;
    assertMethodCarries(method, 'stream', option);
    assertMethodSide(method, 'server');
    if (internals.names !== undefined) {
      throw invalidArgValue(option, 'has names of its own: names are looked up once', context);
    }
    // What SSL_set1_groups_list(3) has set on a connection cannot be taken back.
    if (this.#base.policy.namesGroups && !namesGroups) {
      throw invalidArgValue(option, 'must have the option ecdhCurve, since the context that it replaces has', context);
    }
    const native = { context: internals.native, tag: ++lastTag };
    if (!this.#verifies || !speaks) return { context, verify: undefined, native };
    const settings = new ConnectionSettings(internals, { side: 'server' }, {}, true);
    return {
      context,
      verify: settings.verify,
      native: { ...native, verification: settings.native as NativeSharedOptions },
    };
  }
}

export class ServerNames {
  readonly native: NativeServerNames;
  readonly #choices: Choices;
  readonly #names: ContextNames;
  readonly #byTag = new Map<number, Choice>();

  /** @throws Error for a context that cannot take the place of the first one */
  constructor(choices: Choices, names: ContextNames) {
    this.#choices = choices;
    this.#names = names;
    const entries = [...names.contexts].map(([pattern, context]) => {
      const choice = choices.of(context, `options.serverNames['${pattern}']`);
      this.#byTag.set(choice.native.tag, choice);
      return { pattern, ...choice.native };
    });
    const asks = typeof names.ask === 'function';
    this.native = new binding.NativeServerNames({ names: entries, asks, rejects: names.rejects === true });
  }

  /** Of the option serverNames. */
  withTag(tag: number): Choice | undefined {
    return this.#byTag.get(tag);
  }

  /**
   * What the function says of a name: the choice, or the alert to send; 0: none, and the context stays.
   *
   * @param where - the connection, for messages
   */
  ask(name: string, request: CallbackRequest, where: string): Choice | number | Promise<Choice | number> {
    const what = `${where}: the function onServerName failed for '${name}'`;
    const failed = (error: unknown): Error => functionFailed('ERR_TLS_SERVER_NAME_CALLBACK', what, error);
    const use = (answer: unknown): Choice | number => {
      try {
        return this.#answered(answer);
      } catch (error) {
        throw failed(error);
      }
    };
    return answerFrom(() => this.#names.ask?.(name, request), use, failed);
  }

  #answered(answer: unknown): Choice | number {
    if (answer === undefined || answer === null) return this.#names.rejects ? unrecognizedName : firstContext;
    if (!(answer instanceof SslContext)) throw invalidReturnValue('onServerName', 'an SslContext, or null', answer);
    return this.#choices.of(answer, 'what onServerName gave');
  }
}

/** Of the connections of a context that say nothing about verification: nearly all. */
const known = new WeakMap<ContextInternals, ServerNames>();

/** The names of a context, for connections that are made one by one. `speaks`: this one says something of verification. */
export function namesOfContext(internals: ContextInternals, speaks: boolean): ServerNames | undefined {
  if (internals.names === undefined) return undefined;
  if (speaks) return new ServerNames(new Choices(internals, false), internals.names);
  let names = known.get(internals);
  if (names === undefined) {
    names = new ServerNames(new Choices(internals, true), internals.names);
    known.set(internals, names);
  }
  return names;
}
