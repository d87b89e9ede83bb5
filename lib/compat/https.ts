// system-tls/https: node:https over the system's OpenSSL.
import type { ClientRequest, IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import https from 'node:https';
import { checkedIo, nameOfIo, type WithIo } from './io.ts';
import { constructedOver, over } from './over.ts';
import { withOurContexts } from './secure-context.ts';
import type { EmitsOurs } from './tls.ts';

export type * from 'node:https';

type Requests = typeof IncomingMessage;
type Responses<R extends Requests> = typeof ServerResponse<InstanceType<R>>;

export interface ServerOptions<R extends Requests = Requests, S extends Responses<R> = typeof ServerResponse>
  extends https.ServerOptions<R, S>,
    WithIo {}
export interface RequestOptions extends https.RequestOptions, WithIo {}
export interface AgentOptions extends https.AgentOptions, WithIo {}
export type Server<R extends Requests = Requests, S extends Responses<R> = typeof ServerResponse> = EmitsOurs &
  https.Server<R, S>;

type Any = (this: unknown, ...args: unknown[]) => unknown;
type Options = RequestOptions & { createConnection?: unknown };
type Callback = (response: IncomingMessage) => void;

export interface Agent extends https.Agent {
  options: AgentOptions;
  getName(options?: RequestOptions): string;
}
interface AgentClass extends Omit<typeof https.Agent, 'prototype'> {
  readonly prototype: Agent;
  /** @throws TypeError `ERR_INVALID_ARG_TYPE` for an `io` that is none */
  new (options?: AgentOptions): Agent;
}

/** As node's, it may be called without `new` and inherited from in either way. */
function OurAgent(this: unknown, options?: AgentOptions): unknown {
  checkedIo(options ?? {});
  const bySubclass = new.target === undefined && this instanceof OurAgent;
  if (bySubclass) return Reflect.apply(https.Agent as unknown as Any, this, [options]);
  return Reflect.construct(https.Agent, [options], new.target ?? OurAgent);
}

type Methods = Record<'createConnection' | 'getName', Any>;
const nodes = https.Agent.prototype as unknown as Methods;

/** Connections are made when one is needed, which may be long after the request. */
const methods: Methods = {
  createConnection(...args) {
    return withOurContexts(() => nodes.createConnection.apply(this, args));
  },
  /** Requests of different `io` share no socket. */
  getName(options) {
    return `${nodes.getName.call(this, options)}${nameOfIo(options as object | undefined)}`;
  },
};

OurAgent.prototype = Object.create(nodes, {
  ...Object.getOwnPropertyDescriptors(methods),
  constructor: { value: OurAgent, configurable: true, writable: true },
}) as object;
Object.setPrototypeOf(OurAgent, https.Agent);
Object.defineProperty(OurAgent, 'name', { value: 'Agent' });

export const Agent = OurAgent as unknown as AgentClass;

export const globalAgent = new Agent({ keepAlive: true, timeout: 5000 });

interface ServerClass extends Omit<typeof https.Server, 'prototype'> {
  readonly prototype: https.Server;
  new <R extends Requests = Requests, S extends Responses<R> = typeof ServerResponse>(
    listener?: RequestListener<R, S>,
  ): Server<R, S>;
  new <R extends Requests = Requests, S extends Responses<R> = typeof ServerResponse>(
    options: ServerOptions<R, S>,
    listener?: RequestListener<R, S>,
  ): Server<R, S>;
}
interface CreateServer {
  <R extends Requests = Requests, S extends Responses<R> = typeof ServerResponse>(
    listener?: RequestListener<R, S>,
  ): Server<R, S>;
  <R extends Requests = Requests, S extends Responses<R> = typeof ServerResponse>(
    options: ServerOptions<R, S>,
    listener?: RequestListener<R, S>,
  ): Server<R, S>;
}
interface Request {
  (options: RequestOptions | string | URL, callback?: Callback): ClientRequest;
  (url: string | URL, options: RequestOptions, callback?: Callback): ClientRequest;
}

export const Server = constructedOver(https.Server) as unknown as ServerClass;
export const createServer = over(https.createServer) as unknown as CreateServer;

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

export const request: Request = (...args: unknown[]): ClientRequest =>
  Reflect.apply(https.request as Any, https, withAgent(args)) as ClientRequest;

export const get: Request = (...args: unknown[]): ClientRequest => {
  const made = Reflect.apply(request as Any, undefined, args) as ClientRequest;
  made.end();
  return made;
};

const replaced = { Agent, globalAgent, Server, createServer, request, get };

/** All that node:https has, whatever the version. */
const all = { ...https, ...replaced };

type OwnAgent = Agent;
type OwnAgentOptions = AgentOptions;
type OwnRequestOptions = RequestOptions;
type OwnServer<R extends Requests = Requests, S extends Responses<R> = typeof ServerResponse> = Server<R, S>;
type OwnServerOptions<R extends Requests = Requests, S extends Responses<R> = typeof ServerResponse> = ServerOptions<
  R,
  S
>;
/** So that `https.Agent` is a type too, as with node's. */
declare namespace all {
  type Agent = OwnAgent;
  type AgentOptions = OwnAgentOptions;
  type RequestOptions = OwnRequestOptions;
  type Server<R extends Requests = Requests, S extends Responses<R> = typeof ServerResponse> = OwnServer<R, S>;
  type ServerOptions<R extends Requests = Requests, S extends Responses<R> = typeof ServerResponse> = OwnServerOptions<
    R,
    S
  >;
}

export default all;
