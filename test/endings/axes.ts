// The situations in which a connection can end: one value of each axis makes a case.

export const axes = {
  /** What the peer does last. */
  peer: ['close', 'fin', 'rst', 'unread', 'close-rst', 'half', 'half-fin', 'silent'],
  /** What is going on then. */
  at: [
    'handshake',
    'verify',
    'onClientHello',
    'onCertificate',
    'finished',
    'tickets',
    'idle',
    'small',
    'bulk',
    'key-update',
    'renegotiation',
    'certificate',
    'shutdown',
  ],
  /** Which side is ours. */
  side: ['server', 'client'],
  /** Where ours lives. */
  on: ['loop', 'io', 'io-loop', 'fd', 'duplex', 'pair'],
  /** How ours is read. */
  api: ['data', 'iterate', 'onread', 'paused', 'read', 'readInto'],
  /** When ours is read: from the beginning, or not before the peer has done its last. */
  reads: ['at-once', 'late'],
  version: ['1.2', '1.3', '1.3-tickets'],
} as const;

type Axes = typeof axes;
export type Axis = keyof Axes;
export type PeerEnd = Axes['peer'][number];
export type Moment = Axes['at'][number];
export type Api = Axes['api'][number];
export type Version = Axes['version'][number];

export interface Case {
  readonly peer: PeerEnd;
  readonly at: Moment;
  readonly side: Axes['side'][number];
  /** `'node'` is node:tls in the place of ours: the oracle. It is no value of the axis. */
  readonly on: Axes['on'][number] | 'node';
  readonly api: Api;
  readonly reads: Axes['reads'][number];
  readonly version: Version;
}

/** Moments in which the handshake waits for a function of ours, which has the name of the moment. */
export const functions = ['verify', 'onClientHello', 'onCertificate'] as const;
const waiting: ReadonlySet<Moment> = new Set(functions);

export const waitsForUs = ({ at }: Pick<Case, 'at'>): boolean => waiting.has(at);

export const axisNames = Object.keys(axes) as Axis[];

/** Held as a stream, rather than as an Ssl. */
export const isStream = (api: Api): boolean => api !== 'read' && api !== 'readInto';

/** Conditions that a case must fulfil to mean anything. */
const conditions: ReadonlyArray<(each: Case) => boolean> = [
  // Only createServer() moves connections from a thread to the loop.
  ({ on, side, api }) => on !== 'io-loop' || (side === 'server' && isStream(api)),
  // Who sends the last Finished of a handshake may send data with it. A server's tickets come in its place on a client.
  ({ at, side, version }) => at !== 'finished' || (side === 'server' ? version !== '1.2' : version !== '1.3'),
  ({ at, side, version }) => at !== 'tickets' || (side === 'server' && version === '1.3-tickets'),
  ({ at, version }) => at !== 'key-update' || version !== '1.2',
  ({ at, version }) => at !== 'renegotiation' || version === '1.2',
  ({ at, side }) => at !== 'certificate' || side === 'server',
  ({ at, side }) => at !== 'onClientHello' || side === 'server',
  // Nothing can be read before the handshake.
  ({ at, reads }) => at !== 'handshake' || reads === 'at-once',
  // A client has not said its last word of the handshake while a server is asked about its first.
  ({ at, side, reads }) => side === 'client' || !['onClientHello', 'onCertificate'].includes(at) || reads === 'at-once',
  // node:tls knows neither, and leaves no choice of tickets to a server.
  ({ on, at }) => on !== 'node' || !(waiting.has(at) || ['key-update', 'renegotiation', 'certificate'].includes(at)),
  ({ on, api }) => on !== 'node' || (isStream(api) && api !== 'onread'),
];

export const isSensible = (each: Case): boolean => conditions.every(condition => condition(each));

/** The whole product, without what makes no sense. */
export function* everyCase(): Generator<Case> {
  yield* extend({}, 0);
}

function* extend(begun: Partial<Case>, depth: number): Generator<Case> {
  const axis = axisNames[depth];
  if (axis === undefined) {
    if (isSensible(begun as Case)) yield begun as Case;
    return;
  }
  for (const value of axes[axis]) yield* extend({ ...begun, [axis]: value }, depth + 1);
}

/** As --case takes it. */
export const lineOf = (each: Case): string => axisNames.map(axis => `${axis}=${each[axis]}`).join(',');

/** @throws Error that says which part is wrong */
export function caseOf(line: string): Case {
  const parts = new Map(line.split(',').map(part => part.split('=') as [string, string]));
  const unknown = [...parts.keys()].find(name => !(name in axes));
  if (unknown !== undefined)
    throw new Error(`--case: there is no axis "${unknown}"; there are ${axisNames.join(', ')}`);
  const made = Object.fromEntries(axisNames.map(axis => [axis, valueIn(axis, parts.get(axis))])) as unknown as Case;
  if (!isSensible(made)) throw new Error(`--case: these values do not go together: ${line}`);
  return made;
}

function valueIn(axis: Axis, value: string | undefined): string {
  const values: readonly string[] = axis === 'on' ? [...axes.on, 'node'] : axes[axis];
  if (value === undefined) throw new Error(`--case: "${axis}" is missing: one of ${values.join(', ')}`);
  if (!values.includes(value)) throw new Error(`--case: "${axis}" is one of ${values.join(', ')}, not "${value}"`);
  return value;
}
