// Configurations of nginx and HAProxy. TLS is that of all contestants: 1.3, TLS_AES_128_GCM_SHA256, X25519.

import { userInfo } from 'node:os';

/**
 * @typedef {object} Place
 * @property {number} port  where it listens
 * @property {string} cert
 * @property {string} key
 */

/** Connections that it keeps to the server behind it. */
const kept = 1024;

/** @param {Place} place @param {string} more @param {string} server @param {string} location */
const nginx = ({ port, cert, key }, more, server, location) => `
daemon off; worker_processes 1; pid nginx.pid; error_log stderr error; user ${userInfo().username};
events { worker_connections 16384; }
http {
  access_log off; keepalive_requests 1000000000; default_type text/plain;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  ${more}
  server {
    listen 127.0.0.1:${port} ssl backlog=4096;
    ssl_certificate ${cert}; ssl_certificate_key ${key};
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256; ssl_ecdh_curve X25519;
    ${server}
    location / { ${location} }
  }
}
`;

/** It answers by itself. @param {Place} place @param {number} size @param {string | undefined} ca */
export function nginxAlone(place, size, ca) {
  const client = ca === undefined ? '' : `ssl_verify_client on; ssl_client_certificate ${ca};`;
  return nginx(place, '', client, `return 200 "${'x'.repeat(size)}";`);
}

/** It keeps connections to the server behind it, and bodies in memory. @param {Place} place @param {number} behind  a port */
export function nginxInFront(place, behind) {
  const upstream = `upstream behind { server 127.0.0.1:${behind}; keepalive ${kept}; keepalive_requests 1000000000; }`;
  const bodies = 'client_max_body_size 0; client_body_buffer_size 2m; proxy_max_temp_file_size 0;';
  const location = 'proxy_pass http://behind; proxy_http_version 1.1; proxy_set_header Connection "";';
  return nginx(place, upstream, bodies, location);
}

/** @param {Omit<Place, 'key'>} place  the key stands behind the certificate @param {number} behind  a port */
export const haproxyInFront = ({ port, cert }, behind) => `
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  timeout connect 1h
  timeout client 1h
  timeout server 1h
frontend tls
  bind 127.0.0.1:${port} backlog 4096 ssl crt ${cert} ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256 curves X25519
  default_backend behind
backend behind
  http-reuse always
  server node 127.0.0.1:${behind}
`;
