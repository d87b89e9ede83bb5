import { freePort, program } from '../daemon.mjs';

/** @type {import('../servers.mjs').Kind} */
export const rabbitmq = {
  name: 'RabbitMQ',
  // The one on the PATH asks for root.
  needed: () => [
    program('epmd', 'erlang-base'),
    program('rabbitmq-server', 'rabbitmq-server', ['/usr/lib/rabbitmq/bin']),
  ],
  async start(daemon, [epmd = '', server = '']) {
    const [names, distribution, port] = [await freePort(), await freePort(), await freePort()];
    daemon.write('rabbitmq.conf', [
      'listeners.tcp = none',
      `listeners.ssl.default = 127.0.0.1:${port}`,
      `ssl_options.cacertfile = ${daemon.path('ca.pem')}`,
      `ssl_options.certfile = ${daemon.path('cert.pem')}`,
      `ssl_options.keyfile = ${daemon.path('key.pem')}`,
      'ssl_options.verify = verify_none',
      'log.console = true',
      'log.file = false',
    ]);
    daemon.write('enabled_plugins', ['[].']);
    // Otherwise the server starts one, which outlives it.
    await daemon.start(names, epmd, ['-port', String(names), '-address', '127.0.0.1']);
    await daemon.start(port, server, [], {
      ERL_EPMD_PORT: String(names),
      RABBITMQ_NODENAME: 'libraries@localhost',
      RABBITMQ_DIST_PORT: String(distribution),
      RABBITMQ_CONFIG_FILE: daemon.path('rabbitmq.conf'),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
      RABBITMQ_ENABLED_PLUGINS_FILE: daemon.path('enabled_plugins'),
      RABBITMQ_MNESIA_BASE: daemon.path('mnesia'),
      RABBITMQ_LOG_BASE: daemon.path('log'),
      RABBITMQ_PID_FILE: daemon.path('pid'),
    });
    return port;
  },
};
