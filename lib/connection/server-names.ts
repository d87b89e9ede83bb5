// The contexts that a server's connections may be switched to, as native code has them, and the question for more.
import type { NativeContextChoice, NativeServerNames, NativeSharedOptions } from '../../types/binding.d.ts';
import { invalidArgValue, invalidReturnValue } from '../base/coded-error.ts';
import { PersistentMap } from '../base/persistent-map.ts';
import { answerFrom, functionFailed } from '../callbacks/answer.ts';
import { noCallbacks } from '../callbacks/options.ts';
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

/** Of this environment: a number stands for one choice, and is never used again. */
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
    for (const { method: each } of [internals.policy, this.#base.policy]) assertMethodCarries(each, 'stream', option);
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
    // Its functions are not the connection's.
    const settings = new ConnectionSettings({ ...internals, callbacks: noCallbacks }, { side: 'server' }, {}, true);
    return {
      context,
      verify: settings.verify,
      native: { ...native, verification: settings.native as NativeSharedOptions },
    };
  }
}

/** Names that changed: the context of each; undefined: the name is gone. */
export type NameChanges = ReadonlyMap<string, SslContext | undefined>;

type ForOthers = Pick<ContextNames, 'ask' | 'rejects'>;

/** One generation of names. A connection keeps the one that it began with, and nothing of those that follow. */
export class ServerNames {
  readonly native: NativeServerNames;
  readonly choices: Choices;
  readonly #others: ForOthers;
  /** Each name has a tag of its own, however many have its context: they come and go together. */
  readonly #tags: PersistentMap<string, number>;
  readonly #byTag: PersistentMap<number, Choice>;

  /**
   * @param others - what becomes of other names
   * @param base - the generation before
   * @throws Error for a context that cannot take the place of the first one
   */
  constructor(choices: Choices, others: ForOthers, changes: NameChanges, base?: ServerNames) {
    const removed = [...changes].flatMap(([pattern, context]) => (context === undefined ? pattern : []));
    const added = [...changes].flatMap(([pattern, context]) =>
      context === undefined ? [] : { pattern, choice: choiceOfName(choices, pattern, context) },
    );
    const tags = base === undefined ? PersistentMap.empty<string, number>() : base.#tags;
    const byTag = base === undefined ? PersistentMap.empty<number, Choice>() : base.#byTag;
    const dropped = [...changes.keys()].flatMap(pattern => tags.get(pattern) ?? []);
    this.choices = choices;
    this.#others = others;
    this.#tags = tags.with([
      ...removed.map(pattern => [pattern, undefined] as const),
      ...added.map(({ pattern, choice }) => [pattern, choice.native.tag] as const),
    ]);
    this.#byTag = byTag.with([
      ...dropped.map(tag => [tag, undefined] as const),
      ...added.map(({ choice }) => [choice.native.tag, choice] as const),
    ]);
    this.native = new binding.NativeServerNames({
      ...(base && { base: base.native }),
      removed,
      names: added.map(({ pattern, choice }) => ({ pattern, ...choice.native })),
      asks: typeof others.ask === 'function',
      rejects: others.rejects === true,
    });
  }

  /** The next generation; it costs no time for each name that stays. */
  with(changes: NameChanges): ServerNames {
    return new ServerNames(this.choices, this.#others, changes, this);
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
    return answerFrom(() => this.#others.ask?.(name, request), use, failed);
  }

  #answered(answer: unknown): Choice | number {
    if (answer === undefined || answer === null) return this.#others.rejects ? unrecognizedName : firstContext;
    if (!(answer instanceof SslContext)) throw invalidReturnValue('onServerName', 'an SslContext, or null', answer);
    return this.choices.of(answer, 'what onServerName gave');
  }
}

function choiceOfName(choices: Choices, pattern: string, context: SslContext): Choice {
  const choice = choices.of(context, `options.serverNames['${pattern}']`);
  return { ...choice, native: { ...choice.native, tag: ++lastTag } };
}

/** The first generation. */
export function allNames(choices: Choices, { contexts, ...others }: ContextNames): ServerNames {
  return new ServerNames(choices, others, contexts);
}

const choicesByContext = new WeakMap<ContextInternals, Choices>();

/** Of the connections of a context that have no names. */
export function choicesOf(internals: ContextInternals): Choices {
  let choices = choicesByContext.get(internals);
  if (choices === undefined) {
    choices = new Choices(internals, true);
    choicesByContext.set(internals, choices);
  }
  return choices;
}

/** Of the connections of a context that say nothing about verification: nearly all. */
const known = new WeakMap<ContextInternals, ServerNames>();

/** The names of a context, for connections that are made one by one. `speaks`: this one says something of verification. */
export function namesOfContext(internals: ContextInternals, speaks: boolean): ServerNames | undefined {
  if (internals.names === undefined) return undefined;
  if (speaks) return allNames(new Choices(internals, false), internals.names);
  let names = known.get(internals);
  if (names === undefined) {
    names = allNames(new Choices(internals, true), internals.names);
    known.set(internals, names);
  }
  return names;
}
