import { codeOfVerifyResult } from '../errors/errors.ts';
import type { Connection } from '../transport/native-connection.ts';

export interface Verified {
  readonly authorized: boolean;
  readonly error: string | null;
}

const unverified: Verified = { authorized: false, error: null };

/** What the verification of a peer found. Who asked before the connection was closed gets what was true last. */
export class Authorization {
  readonly #connection: Connection;
  #last = unverified;

  constructor(connection: Connection) {
    this.#connection = connection;
    connection.beforeClose = () => {
      this.#last = verifiedBy(connection);
    };
  }

  get current(): Verified {
    return this.#connection.closed ? this.#last : verifiedBy(this.#connection);
  }
}

/** Asked anew each time: a later handshake, by whomever it was begun, may change it. */
function verifiedBy({ native }: Connection): Verified {
  const { verifyResult } = native;
  const error = verifyResult === 0 ? null : codeOfVerifyResult(verifyResult);
  // Who has the pre-shared key needs no certificate.
  return { authorized: error === null && (native.peerCertificate() ?? native.pskIdentity()) !== null, error };
}
