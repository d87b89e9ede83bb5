// Certificates that are chosen in the middle of a handshake.
import type { NativeCertificateRequest, NativeIdentity } from '../../types/binding.d.ts';
import { invalidArgValue, invalidReturnValue } from '../base/coded-error.ts';
import { answerFrom, functionFailed } from '../callbacks/answer.ts';
import type { OnCertificate } from '../callbacks/options.ts';
import type { CallbackRequest } from '../callbacks/request.ts';
import { signatureSchemeName } from '../callbacks/signature-schemes.ts';
import { type CredentialOptions, nativeCredentials } from '../context/credentials.ts';
import { binding } from '../native/load-binding.ts';

export type GivenIdentity = CredentialOptions;

const whatIsThere = 1;

/** ClientCertificateType: RFC 5246 section 7.4.4, RFC 8422 section 5.5. */
const certificateTypes: Readonly<Record<number, string>> = {
  1: 'rsa_sign',
  2: 'dss_sign',
  3: 'rsa_fixed_dh',
  4: 'dss_fixed_dh',
  64: 'ecdsa_sign',
  65: 'rsa_fixed_ecdh',
  66: 'ecdsa_fixed_ecdh',
};

/** Whoever gives one object again and again has it read once. */
const known = new WeakMap<object, NativeIdentity>();

/** Undefined: there is no certificate in it. */
export function identityOf(options: GivenIdentity): NativeIdentity | undefined {
  const found = known.get(options);
  if (found !== undefined) return found;
  const credentials = nativeCredentials(options);
  if (Object.keys(credentials).length === 0) return undefined;
  const identity = new binding.NativeIdentity(credentials);
  known.set(options, identity);
  return identity;
}

function identityFrom(answer: unknown): NativeIdentity | number {
  if (answer === undefined || answer === null) return whatIsThere;
  if (typeof answer !== 'object') throw invalidReturnValue('onCertificate', '{ cert, key }, or nothing', answer);
  const identity = identityOf(answer);
  if (identity !== undefined) return identity;
  throw invalidArgValue('answer', 'has no certificate: give cert and key, or pfx; or nothing', answer);
}

/**
 * The certificate that the function chooses.
 *
 * @param where - the connection, for messages
 */
export function chooseCertificate(
  call: OnCertificate<unknown>,
  { signatureSchemes, authorities, types }: NativeCertificateRequest,
  asked: CallbackRequest & { readonly servername: string | null },
  where: string,
): NativeIdentity | number | PromiseLike<NativeIdentity | number> {
  const request = {
    ...asked,
    signatureAlgorithms: Object.freeze(signatureSchemes.map(signatureSchemeName)),
    authorities: Object.freeze([...authorities]),
    certificateTypes: Object.freeze(types.map(type => certificateTypes[type] ?? String(type))),
  };
  const failed = (error: unknown): Error =>
    functionFailed('ERR_TLS_CERTIFICATE_CALLBACK', `${where}: the function onCertificate failed`, error);
  const use = (answer: unknown): NativeIdentity | number => {
    try {
      return identityFrom(answer);
    } catch (error) {
      throw failed(error);
    }
  };
  return answerFrom(() => call(request), use, failed);
}
