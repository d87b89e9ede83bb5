// What onClientHello answers, in native terms.
import type { NativeClientHello, NativeHelloSettings } from '../../types/binding.d.ts';
import { invalidArgValue, invalidReturnValue, tlsError } from '../base/coded-error.ts';
import { answerFrom, functionFailed } from '../callbacks/answer.ts';
import { parseClientHello } from '../callbacks/client-hello.ts';
import { noCallbacks, type OnClientHello } from '../callbacks/options.ts';
import type { CallbackRequest } from '../callbacks/request.ts';
import { givenPolicy, type VerifyPolicy } from '../callbacks/verify-mode.ts';
import { alpnWire } from '../context/alpn.ts';
import { cipherLists } from '../context/ciphers.ts';
import type { ClientHelloSettings, ContextInternals } from '../context/context.ts';
import { defined } from '../context/credentials.ts';
import { groups } from '../context/options.ts';
import { givenVersions } from '../context/versions.ts';
import { alertNumber } from '../errors/alerts.ts';
import { type GivenIdentity, identityOf } from './identity.ts';
import type { Choice, Choices } from './server-names.ts';
import { ConnectionSettings } from './settings.ts';

const goOn = 0;
const headers = { stream: 4, datagram: 12 } as const;

/** What stands for the connection behind the answer. */
export interface AppliedHello {
  readonly choice: Choice | undefined;
  /** Of the answer itself, and not of its context. */
  readonly verify: VerifyPolicy | undefined;
  readonly native: NativeHelloSettings | number;
}

const names = [
  'context',
  'minVersion',
  'maxVersion',
  'ciphers',
  'ecdhCurve',
  'ALPNProtocols',
  'requestCert',
  'rejectUnauthorized',
  'verifyMode',
  'verify',
  'verifyCallback',
  'verifyId',
  'cert',
  'certFile',
  'certUri',
  'key',
  'keyFile',
  'keyUri',
  'pfx',
  'pfxFile',
  'passphrase',
];

function assertKnown(answer: object): void {
  const unknown = Object.keys(answer).find(name => !names.includes(name));
  if (unknown === undefined) return;
  const message = `is no setting that a ClientHello can decide: ${names.join(', ')}, or alert alone`;
  throw invalidArgValue(`answer.${unknown}`, message, (answer as Record<string, unknown>)[unknown]);
}

function alertOf(answer: { readonly alert?: unknown }): number | undefined {
  if (!('alert' in answer)) return undefined;
  const number = typeof answer.alert === 'string' ? alertNumber(answer.alert) : undefined;
  const [other] = Object.keys(answer).filter(name => name !== 'alert');
  if (other !== undefined)
    throw invalidArgValue('answer.alert', `is beside ${other}: an alert stands alone`, answer.alert);
  if (number !== undefined && number !== 0) return number;
  throw invalidArgValue('answer.alert', "must be an alert by its name in RFC 8446, 'access_denied'", answer.alert);
}

interface Base {
  readonly dtls: boolean;
  readonly internals: ContextInternals;
  readonly choices: () => Choices;
}

/** @throws Error for what contradicts itself, or cannot be */
function settingsOf(answer: ClientHelloSettings, { internals, choices, dtls }: Base): AppliedHello {
  assertKnown(answer);
  const choice = answer.context == null ? undefined : choices().of(answer.context, 'answer.context');
  const policy = givenPolicy(answer);
  const verifies = Object.keys(policy).length > 0;
  // Of verification alone: what else the connection asks is settled.
  const verification = verifies
    ? new ConnectionSettings({ ...internals, callbacks: noCallbacks }, { side: 'server', ...policy }, {}, true)
    : undefined;
  const native: NativeHelloSettings = defined({
    context: choice?.native,
    ...givenVersions(answer, 'answer', dtls),
    ...(answer.ciphers == null ? {} : cipherLists(answer.ciphers, 'answer.ciphers')),
    groups: groups(answer.ecdhCurve, 'answer.ecdhCurve'),
    verification: verification?.native,
    alpn: alpnWire(answer.ALPNProtocols),
    identity: identityOf(answer as GivenIdentity),
  }) as NativeHelloSettings;
  return { choice, verify: verification?.verify, native };
}

/**
 * What the function says of a hello.
 *
 * @param where - the connection, for messages
 */
export function answerHello(
  call: OnClientHello<unknown>,
  { message, renegotiation }: NativeClientHello,
  base: Base,
  asked: CallbackRequest,
  where: string,
): AppliedHello | PromiseLike<AppliedHello> {
  const hello = parseClientHello(message, renegotiation, base.dtls ? headers.datagram : headers.stream);
  const failed = (error: unknown): Error =>
    functionFailed('ERR_TLS_CLIENT_HELLO_CALLBACK', `${where}: the function onClientHello failed`, error);
  const applied = (answer: unknown): AppliedHello => {
    if (answer === undefined || answer === null) return { choice: undefined, verify: undefined, native: goOn };
    if (typeof answer !== 'object' || Array.isArray(answer))
      throw invalidReturnValue('onClientHello', 'settings, an alert, or nothing', answer);
    const alert = alertOf(answer);
    if (alert !== undefined) return { choice: undefined, verify: undefined, native: alert };
    if (!renegotiation) return settingsOf(answer, base);
    throw tlsError('ERR_INVALID_RETURN_VALUE', 'A renegotiation changes no settings: give an alert, or nothing');
  };
  const use = (answer: unknown): AppliedHello => {
    try {
      return applied(answer);
    } catch (error) {
      throw failed(error);
    }
  };
  return answerFrom(() => call(hello, asked), use, failed);
}
