import { freePort, program } from '../daemon.mjs';

/** @type {import('../servers.mjs').Kind} */
export const mariadb = {
  name: 'MariaDB',
  needed: () => ['mariadb-install-db', 'mariadbd'].map(name => program(name, 'mariadb-server')),
  async start(daemon, [install = '', server = '']) {
    const port = await freePort();
    const where = ['--no-defaults', `--datadir=${daemon.path('data')}`];
    daemon.run(install, [...where, '--auth-root-authentication-method=normal']);
    daemon.write('init.sql', ["CREATE USER tester@'%' REQUIRE SSL;", "GRANT ALL ON test.* TO tester@'%';"]);
    const settings = {
      port,
      'bind-address': '127.0.0.1',
      socket: daemon.path('socket'),
      'ssl-cert': daemon.path('cert.pem'),
      'ssl-key': daemon.path('key.pem'),
      'init-file': daemon.path('init.sql'),
      'max-allowed-packet': '64M',
    };
    const options = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
    await daemon.start(port, server, [...where, '--skip-name-resolve', ...options]);
    return port;
  },
};
