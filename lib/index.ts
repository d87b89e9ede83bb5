export { LoadError } from './internal/load-failure.ts';
export { openssl, type OpenSsl, type OpensslFeatures } from './openssl.ts';
