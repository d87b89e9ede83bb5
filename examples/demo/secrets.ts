// The secrets of a connection, as its key log tells them: how one sees that keys have really changed.

/** The first bytes of a secret: enough to tell two apart. */
export const shortened = (secret: string): string => `${secret.slice(0, 8)}…`;

/** Collects the event 'keylog' of one side of a connection. */
export class Secrets {
  readonly #latest = new Map<string, string>();

  /** For the option `on`. */
  readonly add = (line: Buffer): void => {
    const [label = '', random = '', secret = ''] = line.toString('latin1').trim().split(' ');
    // TLS 1.3 numbers the traffic secrets: ..._SECRET_0 is the handshake's, ..._SECRET_N stands for all later ones.
    this.#latest.set(label.replace(/_(?:0|N)$/, ''), secret);
    if (label === 'CLIENT_RANDOM') this.#latest.set('random', random);
  };

  /** TLS 1.3: what the client sends is protected with keys made of it. */
  get client(): string {
    return this.#get('CLIENT_TRAFFIC_SECRET');
  }

  /** The same for what the server sends. */
  get server(): string {
    return this.#get('SERVER_TRAFFIC_SECRET');
  }

  /** TLS 1.2: the secret of the session; resumption takes it over. */
  get master(): string {
    return this.#get('CLIENT_RANDOM');
  }

  /** TLS 1.2: of the latest handshake; with the master secret it makes the keys. */
  get random(): string {
    return this.#get('random');
  }

  #get(label: string): string {
    return this.#latest.get(label) ?? '';
  }
}
