// A socket of node:dgram under one connection of DTLS.
import { type RemoteInfo, Socket } from 'node:dgram';
import { hostAndPort } from '../base/address.ts';
import { invalidArgType } from '../base/coded-error.ts';
import { validateInteger, validateObject, validateString } from '../base/validate.ts';
import { assertNoTransport } from './checks.ts';
import { DatagramTransport, type SetBio } from './datagram-transport.ts';
import type { Connection } from './native-connection.ts';

/** Whom datagrams go to and come from. */
export interface DatagramPeer {
  /** Numeric, as the socket names it in its messages. */
  readonly address: string;
  readonly port: number;
}

function checkPeer(peer: DatagramPeer): DatagramPeer {
  validateObject(peer, 'peer');
  validateString(peer.address, 'peer.address');
  validateInteger(peer.port, 'peer.port', 1, 65535);
  return { address: peer.address, port: peer.port };
}

export function useDatagramSocket(connection: Connection, setBio: SetBio, socket: Socket, peer?: DatagramPeer): void {
  if (!(socket instanceof Socket)) throw invalidArgType('socket', 'a Socket of node:dgram', socket);
  assertNoTransport(connection);
  const given = peer === undefined ? undefined : checkPeer(peer);
  // Throws for a socket that is not connected.
  const { address, port } = given ?? socket.remoteAddress();
  const transport = new DatagramTransport(setBio, datagram => send(socket, datagram, given));
  connection.peerName = hostAndPort(address, port);
  const onMessage = (message: Buffer, from: RemoteInfo): void => {
    if (from.port === port && from.address === address) transport.receive(message);
  };
  const onGone = (): void => transport.end();
  const detach = (): void => {
    socket.off('message', onMessage).off('close', onGone).off('error', onGone);
  };
  socket.on('message', onMessage).on('close', onGone).on('error', onGone);
  connection.ended = detach;
}

/** What cannot be sent is lost, as any datagram may be; why, the socket's own owner learns. */
export function send(socket: Socket, datagram: Buffer, to: DatagramPeer | undefined): void {
  const done = (): void => undefined;
  try {
    if (to === undefined) socket.send(datagram, done);
    else socket.send(datagram, to.port, to.address, done);
  } catch {
    // It is closed.
  }
}
