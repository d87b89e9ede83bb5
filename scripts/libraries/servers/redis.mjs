import { freePort, program } from '../daemon.mjs';

/** @type {import('../servers.mjs').Kind} */
export const redis = {
  name: 'Redis',
  needed: () => [program('redis-server', 'redis-server')],
  async start(daemon, [server = '']) {
    const port = await freePort();
    const settings = {
      bind: '127.0.0.1',
      port: '0',
      'tls-port': String(port),
      'tls-cert-file': daemon.path('cert.pem'),
      'tls-key-file': daemon.path('key.pem'),
      'tls-ca-cert-file': daemon.path('ca.pem'),
      'tls-auth-clients': 'no',
      save: '',
    };
    await daemon.start(
      port,
      server,
      Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]),
    );
    return port;
  },
};
