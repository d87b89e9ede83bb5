// What a handshake asks on behalf of one connection, and what its answers have changed about it.
import type {
  NativeAnswer,
  NativeCertificateRequest,
  NativeClientHello,
  NativePskRequest,
  NativeStatusRequest,
  NativeVerifyReport,
  QuestionKind as QuestionKindType,
} from '../../types/binding.d.ts';
import { isThenable } from '../base/thenable.ts';
import { lookUp, tell } from '../callbacks/kept-sessions.ts';
import { judgeStatus, responseFor } from '../callbacks/ocsp.ts';
import { chooseProtocol } from '../callbacks/protocol.ts';
import { choosePsk } from '../callbacks/psk.ts';
import type { CallbackRequest } from '../callbacks/request.ts';
import { decide, type Verifier } from '../callbacks/verifier.ts';
import type { VerifyPolicy } from '../callbacks/verify-mode.ts';
import type { ContextInternals, HandshakeCallbacks } from '../context/context.ts';
import { OpenSslError } from '../errors/errors.ts';
import { internalError, QuestionKind, verifyFailed } from '../native/constants.ts';
import { type SslSession, sessionArgument } from '../session/session.ts';
import type { Connection } from '../transport/native-connection.ts';
import { type AppliedHello, answerHello } from './hello-settings.ts';
import { chooseCertificate } from './identity.ts';
import type { Choice, Choices, ServerNames } from './server-names.ts';

/** Whose questions they are. */
export interface Asker {
  readonly connection: Connection;
  readonly request: CallbackRequest;
  readonly internals: ContextInternals;
  readonly callbacks: HandshakeCallbacks;
  readonly names: ServerNames | undefined;
  /** What a context that onClientHello gives is taken for. */
  choices(): Choices;
  /** It has said who is verified, which holds from now on. */
  verifyAsHelloSays(): void;
  /** Who decides about the peer's certificate, but for what answers have changed. */
  verifier(): Verifier | null;
}

/** Nobody could decide. */
const failed = 0;

/** After `answer`, at once if it is there. */
function then<T, R>(answer: T | PromiseLike<T>, use: (answer: T) => R): R | PromiseLike<R> {
  return isThenable(answer) ? answer.then(use) : use(answer);
}

/** Made when a connection asks for the first time. */
export class Questions {
  readonly #asker: Asker;
  /** What the function onServerName gave, or onClientHello. */
  given: Choice | undefined;
  /** What onClientHello said of verification. */
  helloVerify: VerifyPolicy | undefined;
  /** Sessions that onNewSession has heard of. */
  readonly #keptIds: Buffer[] = [];

  constructor(asker: Asker) {
    this.#asker = asker;
  }

  answer(kind: QuestionKindType, subject: unknown): NativeAnswer | PromiseLike<NativeAnswer> {
    const { connection, request, callbacks } = this.#asker;
    const { onALPN, onCertificate, onStatusRequest, onStatus, onResumeSession, onPsk } = callbacks;
    const where = connection.description;
    switch (kind) {
      case QuestionKind.Verify:
        return this.#verify(subject as NativeVerifyReport);
      case QuestionKind.ServerName:
        return this.#name(subject as string);
      case QuestionKind.ClientHello:
        return this.#hello(subject as NativeClientHello);
      case QuestionKind.Protocol:
        return onALPN ? chooseProtocol(onALPN, subject as Buffer, this.#named, where) : internalError;
      case QuestionKind.Certificate:
        if (!onCertificate) return failed;
        return chooseCertificate(onCertificate, subject as NativeCertificateRequest, this.#named, where);
      case QuestionKind.StatusRequest:
        return onStatusRequest ? responseFor(onStatusRequest, subject as NativeStatusRequest, request, where) : failed;
      case QuestionKind.Status:
        return onStatus ? judgeStatus(onStatus, subject as Buffer | null, request, where) : failed;
      case QuestionKind.Psk:
        return onPsk ? choosePsk(onPsk, subject as NativePskRequest, request, where) : failed;
      case QuestionKind.Session:
        return onResumeSession ? lookUp(onResumeSession, subject as Buffer, request) : failed;
    }
  }

  get #named(): CallbackRequest & { readonly servername: string | null } {
    const { connection, request } = this.#asker;
    return { ...request, servername: connection.native.servername };
  }

  #verify(report: NativeVerifyReport): number | PromiseLike<number> {
    const { connection, request } = this.#asker;
    const verifier = this.#asker.verifier();
    return verifier === null ? verifyFailed : decide(verifier, report, request, connection.description);
  }

  #name(name: string): NativeAnswer | PromiseLike<NativeAnswer> {
    const { connection, request, names } = this.#asker;
    return then(names?.ask(name, request, connection.description) ?? 0, (answer): NativeAnswer => {
      if (typeof answer === 'number') return answer;
      this.given = answer;
      return answer.native;
    });
  }

  #hello(hello: NativeClientHello): NativeAnswer | PromiseLike<NativeAnswer> {
    const { connection, request, internals, callbacks } = this.#asker;
    if (!callbacks.onClientHello) return internalError;
    const base = {
      internals,
      choices: () => this.#asker.choices(),
      dtls: internals.policy.method.dtls,
    };
    const answer = answerHello(callbacks.onClientHello, hello, base, request, connection.description);
    return then(answer, ({ choice, verify, native }: AppliedHello): NativeAnswer => {
      if (choice !== undefined) this.given = choice;
      if (verify !== undefined) {
        this.helloVerify = verify;
        this.#asker.verifyAsHelloSays();
      }
      return native;
    });
  }

  // -------------------------------------------------------------------------------------------------------------------
  // What is only told

  sessionMade(session: SslSession): void {
    const { request, callbacks } = this.#asker;
    const { onNewSession, onRemoveSession } = callbacks;
    const { id } = session;
    if (onRemoveSession) this.#keptIds.push(id);
    const bytes = sessionArgument(session, 'session').native.serialize();
    if (onNewSession) tell(onNewSession, 'onNewSession', id, bytes, request);
  }

  /**
   * RFC 5246 section 7.2.2: after a fatal alert its sessions are not resumed. OpenSSL has one for a client that leaves
   * without a word, which is none.
   */
  connectionFailed(error: unknown): void {
    const { request, callbacks } = this.#asker;
    const { onRemoveSession } = callbacks;
    if (!onRemoveSession || !(error instanceof OpenSslError) || error.alert?.level !== 'fatal') return;
    if (error.code === 'ERR_SSL_UNEXPECTED_EOF') return;
    for (const id of this.#keptIds.splice(0)) tell(onRemoveSession, 'onRemoveSession', id, request);
  }
}
