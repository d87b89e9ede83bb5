import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { freePort, program } from '../daemon.mjs';

const versions = '/usr/lib/postgresql';

/** Debian has the programs of a server outside the PATH, the newest last. */
const folders = () =>
  existsSync(versions)
    ? readdirSync(versions)
        .sort((one, other) => Number(other) - Number(one))
        .map(version => path.join(versions, version, 'bin'))
    : [];

/** @type {import('../servers.mjs').Kind} */
export const postgres = {
  name: 'PostgreSQL',
  needed: () => ['initdb', 'postgres'].map(name => program(name, 'postgresql', folders())),
  async start(daemon, [initdb = '', server = '']) {
    const port = await freePort();
    daemon.run(initdb, ['-D', daemon.path('data'), '-U', 'postgres', '--auth=trust', '--no-sync']);
    const settings = {
      port,
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
      fsync: 'off',
      ssl: 'on',
      ssl_cert_file: daemon.path('cert.pem'),
      ssl_key_file: daemon.path('key.pem'),
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    // Nobody comes in without TLS.
    daemon.write('data/pg_hba.conf', ['hostssl all all 127.0.0.1/32 trust']);
    await daemon.start(port, server, ['-D', daemon.path('data'), ...options]);
    return port;
  },
};
