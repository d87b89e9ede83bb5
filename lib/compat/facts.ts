// What a connection is like, in the names and forms of node's TLSWrap.
import { closedError } from '../base/coded-error.ts';
import { codeOfVerifyResult } from '../errors/errors.ts';
import { NodeHandle } from './node-handle.ts';

/** In getEphemeralKeyInfo(): as the node that runs this. */
const namesHybrids = Number.parseInt(process.versions.node, 10) >= 24;

export class HandleFacts extends NodeHandle {
  getServername(): string | false {
    const { server, servername } = this.settings;
    return (server ? (this.live?.servername ?? this.helloName) : servername) ?? false;
  }

  getALPNNegotiatedProtocol(): string | false {
    return this.live?.alpnProtocol ?? false;
  }

  getCipher(): object | undefined {
    const cipher = this.live?.cipher;
    if (cipher === null || cipher === undefined) return undefined;
    const { name, standardName, version } = cipher;
    return { name, standardName, version };
  }

  getProtocol(): string | null {
    return this.live?.version ?? null;
  }

  getSession(): Buffer | undefined {
    return this.toldSession ?? this.live?.session?.serialize();
  }

  getTLSTicket(): Buffer | undefined {
    return this.settings.server ? undefined : (this.toldTicket ?? this.live?.session?.ticket ?? undefined);
  }

  isSessionReused(): boolean {
    return this.live?.sessionReused ?? false;
  }

  getFinished(): Buffer | undefined {
    return this.live?.finished() ?? undefined;
  }

  getPeerFinished(): Buffer | undefined {
    return this.live?.peerFinished() ?? undefined;
  }

  getEphemeralKeyInfo(): object | null {
    if (this.settings.server) return null;
    const { ephemeralKey, version, group } = this.live ?? {};
    if (ephemeralKey) return ephemeralKey;
    // A hybrid group, whose key has no size.
    return namesHybrids && version === 'TLSv1.3' && group ? { type: 'TLSGroup', name: group } : {};
  }

  getSharedSigalgs(): readonly string[] {
    return this.live?.sharedSigalgs ?? [];
  }

  exportKeyingMaterial(length: number, label: string, context?: Buffer): unknown {
    return this.live?.exportKeyingMaterial(length, label, context);
  }

  /** Since node 24. */
  hasPeerCertificate(): boolean {
    return (this.live?.peerCertificate ?? null) !== null;
  }

  /** As node since 24: whoever has the pre-shared key needs no certificate; who resumes has that of the session, or none. */
  verifyError(): Error | null {
    const ssl = this.live;
    // Whoever asks too late must not take silence for consent.
    if (ssl === undefined) return closedError('the socket');
    const { code, message } = ssl.verifyResult;
    if (code !== 0) return Object.assign(new Error(message), { code: codeOfVerifyResult(code) });
    const known = ssl.peerCertificate !== null || ssl.psk;
    if (known) return null;
    return Object.assign(new Error('unable to get issuer certificate'), { code: 'UNABLE_TO_GET_ISSUER_CERT' });
  }
}
