// In the place of node's own handle of a socket, beneath a connection that native code has accepted: node's JavaScript asks
// it for addresses and sets options of the socket.
import type { NativeAddress } from '../../types/binding.d.ts';
import type { Connection } from '../transport/native-connection.ts';
import type { ParentHandle } from './handle.ts';

/** UV_EINVAL: what node's own handle answers once its socket is gone. */
const invalid = -22;

interface Place {
  address?: string;
  family?: string;
  port?: number;
}

function tell(address: NativeAddress | null, place: Place): number {
  if (address === null) return invalid;
  Object.assign(place, address);
  return 0;
}

/** Methods are node's, and so is what they give: 0, or an errno below it. */
export class AcceptedSocket implements ParentHandle {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  getpeername(place: Place): number {
    return tell(this.#connection.remoteAddress, place);
  }

  getsockname(place: Place): number {
    return this.#connection.closed ? invalid : tell(this.#connection.native.localAddress(), place);
  }

  setNoDelay(on: boolean): number {
    if (this.#connection.closed) return invalid;
    this.#connection.native.setNoDelay(Boolean(on));
    return 0;
  }

  setKeepAlive(on: boolean, seconds: number): number {
    if (this.#connection.closed) return invalid;
    this.#connection.native.setKeepAlive(Boolean(on), seconds);
    return 0;
  }

  /** node 25.6 and later. */
  setTypeOfService(value: number): number {
    return this.#connection.closed ? invalid : this.#connection.native.setTypeOfService(value);
  }

  getTypeOfService(): number {
    return this.#connection.closed ? invalid : this.#connection.native.typeOfService();
  }

  /** The connection has closed its descriptor; who waits for node's own hears of it behind what is under way. */
  close(done?: () => void): void {
    if (done !== undefined) setImmediate(done);
  }
}
