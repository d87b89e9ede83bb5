// The codes of our own errors: part of the API, so a change here is a change that users see.
export const codes = {
  closed: 'ERR_TLS_CLOSED',
  wrongSide: 'ERR_TLS_WRONG_SIDE',
  noTransport: 'ERR_TLS_NO_TRANSPORT',
  wrongType: 'ERR_INVALID_ARG_TYPE',
  wrongValue: 'ERR_INVALID_ARG_VALUE',
  outOfRange: 'ERR_OUT_OF_RANGE',
  wrongThis: 'ERR_INVALID_THIS',
  timeout: 'ERR_TLS_TIMEOUT',
  aborted: 'ABORT_ERR',
  unexpectedEof: 'ERR_SSL_UNEXPECTED_EOF',
  noRenegotiation: 'ERR_SSL_NO_RENEGOTIATION',
  tooManyKeyUpdates: 'ERR_TLS_TOO_MANY_KEY_UPDATES',
  tooManyRenegotiations: 'ERR_TLS_TOO_MANY_RENEGOTIATIONS',
} as const;
