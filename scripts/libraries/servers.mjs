// The servers of Debian's that libraries connect to. Each is started once, when the first test needs it.

import { Daemon, debianVersion } from './daemon.mjs';
import { mariadb } from './servers/mariadb.mjs';
import { postgres } from './servers/postgres.mjs';
import { rabbitmq } from './servers/rabbitmq.mjs';
import { redis } from './servers/redis.mjs';

/**
 * @typedef {object} Kind
 * @property {string} name
 * @property {() => string[]} needed  paths of programs; throws Lacking; the server's last
 * @property {(daemon: Daemon, programs: string[]) => Promise<number>} start  gives the port
 */

/** @satisfies {Record<string, Kind>} */
const kinds = { mariadb, postgres, rabbitmq, redis };

/** @typedef {keyof typeof kinds} Name */

export class Servers {
  #certificates;
  /** @type {Map<Name, Promise<number>>} */
  #ports = new Map();
  /** @type {Daemon[]} */
  #daemons = [];

  /** @param {string} certificates  their folder */
  constructor(certificates) {
    this.#certificates = certificates;
  }

  /** Throws Lacking. @param {Name} name @returns {Promise<number>} */
  port(name) {
    const port = this.#ports.get(name) ?? this.#start(name);
    this.#ports.set(name, port);
    return port;
  }

  /** @param {Name} name */
  async #start(name) {
    const programs = kinds[name].needed();
    const daemon = new Daemon(name, this.#certificates);
    this.#daemons.push(daemon);
    return kinds[name].start(daemon, programs);
  }

  async stop() {
    await Promise.all(this.#daemons.map(daemon => daemon.stop()));
  }
}

/** As "PostgreSQL 15.13". @param {Name} name */
export const titleOf = name => `${kinds[name].name} ${debianVersion(kinds[name].needed().at(-1) ?? '')}`.trim();
