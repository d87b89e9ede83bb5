import type { EventKindValues, ObserveValues, QuestionKindValues, StatusValues } from '../../types/binding.d.ts';

export const Status: StatusValues = { Pending: 0, Done: 1, Failed: 2 };

/** What NativeConnection.read() and readInto() return instead of data. */
export const ReadStatus = { Pending: 0, End: -1, Failed: -2 } as const;

/** What NativeConnection.cancel() returns. */
export const Cancelled = { Unknown: 0, Withdrawn: 1, MustClose: 2 } as const;

export const EventKind: EventKindValues = {
  OpDone: 1,
  OpFailed: 2,
  Data: 3,
  End: 4,
  PeerUpdated: 5,
  KeyUpdate: 6,
  Renegotiated: 7,
  Session: 8,
  Keylog: 9,
  Message: 10,
  Info: 11,
  Alert: 12,
  Failed: 13,
  Accepted: 14,
  AcceptFailed: 15,
  Question: 16,
  SendingFailed: 17,
  Exported: 18,
};

export const Observe: ObserveValues = { Session: 1, Keylog: 2, Message: 4, Info: 8 };

export const QuestionKind: QuestionKindValues = {
  Verify: 1,
  ServerName: 2,
  ClientHello: 3,
  Protocol: 4,
  Certificate: 5,
  StatusRequest: 6,
  Status: 7,
  Session: 8,
  Psk: 9,
};

/** X509_V_ERR_UNSPECIFIED, of which OpenSSL makes the alert internal_error: nobody could decide. */
export const verifyFailed = 1;

/** TLS1_AD_INTERNAL_ERROR. */
export const internalError = 80;

/** SSL_VERIFY_... of <openssl/ssl.h>. */
export const VerifyMode = { None: 0, Peer: 1, FailIfNoPeerCertificate: 2, ClientOnce: 4, PostHandshake: 8 } as const;

/** See Hold in types/binding.d.ts. */
export const Hold = { Never: 0, Later: 1, Always: 2 } as const;
