// NODE_DEBUG=system-tls: what connections, servers and threads do, on stderr. No secrets, and no data of the application.
import { debuglog } from 'node:util';

export const debug = debuglog('system-tls');

/** To be looked at first: what is off costs nothing. NODE_DEBUG counts as it was when the process began. */
export const debugging: boolean = debug.enabled;
