// system-tls/https: node:https over the system's OpenSSL.
import type { ClientRequest, IncomingMessage } from 'node:http';
import https from 'node:https';
import { constructedOver, over } from './over.ts';
import { withOurContexts } from './secure-context.ts';

type Any = (this: unknown, ...args: unknown[]) => unknown;
type Options = https.RequestOptions & { createConnection?: unknown };
type Callback = (response: IncomingMessage) => void;

/** Connections are made when one is needed, which may be long after the request. */
export class Agent extends https.Agent {
  override createConnection(...args: unknown[]): never {
    const { createConnection } = https.Agent.prototype as unknown as { createConnection: Any };
    return withOurContexts(() => createConnection.apply(this, args)) as never;
  }
}

export const globalAgent = new Agent({ keepAlive: true, timeout: 5000 });

export const Server: typeof https.Server = constructedOver(https.Server);
export const createServer: typeof https.createServer = over(https.createServer);

const isCallback = (value: unknown): value is Callback => typeof value === 'function';

/** Of all forms of the call. An agent of the caller's is left alone, whatever it is. */
function withAgent(args: readonly unknown[]): unknown[] {
  const url = typeof args[0] === 'string' || args[0] instanceof URL ? [args[0]] : [];
  const rest = args.slice(url.length);
  const options = (isCallback(rest[0]) ? {} : (rest[0] ?? {})) as Options;
  const callback = rest.find(isCallback);
  const { agent, createConnection } = options;
  const own = createConnection !== undefined ? agent : agent === false ? new Agent() : (agent ?? globalAgent);
  return [
    ...url,
    { ...options, ...(own !== undefined && { agent: own }) },
    ...(callback === undefined ? [] : [callback]),
  ];
}

export const request = ((...args: unknown[]): ClientRequest =>
  Reflect.apply(https.request as Any, https, withAgent(args)) as ClientRequest) as typeof https.request;

export const get = ((...args: unknown[]): ClientRequest => {
  const made = Reflect.apply(request as Any, undefined, args) as ClientRequest;
  made.end();
  return made;
}) as typeof https.get;

export default { Agent, globalAgent, Server, createServer, request, get };
