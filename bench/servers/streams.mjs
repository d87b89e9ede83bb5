// The work itself, for sockets that are node's streams: system-tls and node:tls run the same lines.

import { chunk, done, ignore, options, readBufferSize, updatesAByte, writesATurn } from './served.mjs';

/**
 * @typedef {import('node:stream').Duplex & {
 *   keyUpdate?: () => Promise<unknown>,
 *   ssl?: any,
 * }} Socket
 */

/** `onread` for those who read by it. */
export function onread() {
  if (options.api === 'lent') {
    return {
      onread: {
        callback(/** @type {number} */ count) {
          done.bytes += count;
          return true;
        },
      },
    };
  }
  if (options.api !== 'onread') return {};
  const buffer = Buffer.allocUnsafeSlow(readBufferSize);
  return {
    onread: {
      buffer,
      callback(/** @type {number} */ count) {
        done.bytes += count;
        return true;
      },
    },
  };
}

/** @param {Socket} socket */
function sink(socket) {
  if (options.api === 'onread' || options.api === 'lent') return;
  socket.on('data', data => {
    done.bytes += data.length;
  });
}

/** @param {any} ssl */
async function readInto(ssl) {
  const buffer = Buffer.allocUnsafeSlow(readBufferSize);
  for (let count = await ssl.readInto(buffer); count !== null; count = await ssl.readInto(buffer)) done.bytes += count;
}

/**
 * Writes until the stream wants to be waited for. What is taken at once drains in the same turn of the loop, so turns
 * are ended by us.
 * @param {Socket} socket
 */
function source(socket) {
  let left = writesATurn;
  const begin = () => {
    left = writesATurn;
    goOn();
  };
  const goOn = () => {
    for (; left > 0; left--) {
      if (socket.destroyed) return;
      done.bytes += chunk.length;
      if (!socket.write(chunk)) return;
    }
    setImmediate(begin);
  };
  socket.on('drain', () => {
    left--;
    goOn();
  });
  socket.resume();
  begin();
}

/** The same by promises, with the key updates. @param {any} ssl */
async function sslSource(ssl) {
  let sinceUpdate = 0;
  for (let i = 1; ; i++) {
    await ssl.write(chunk);
    done.bytes += chunk.length;
    sinceUpdate += chunk.length;
    if (options.updateEvery > 0 && sinceUpdate >= options.updateEvery) {
      sinceUpdate = 0;
      await ssl.keyUpdate();
      done.updates++;
    }
    if (i % writesATurn === 0) await new Promise(resolve => setImmediate(resolve));
  }
}

/** @param {any} ssl */
async function updates(ssl) {
  for (;;) {
    for (let i = 0; i < updatesAByte; i++) await ssl.keyUpdate();
    done.updates += updatesAByte;
    await ssl.write(chunk.subarray(0, 1));
    await new Promise(resolve => setImmediate(resolve));
  }
}

/** @param {Socket} socket */
function echo(socket) {
  socket.on('data', data => {
    done.bytes += data.length;
    socket.write(data);
  });
}

/** What a framework reads of each connection: both have it. @param {any} socket */
const facts = socket => [
  socket.getProtocol(),
  socket.getCipher()?.name,
  socket.alpnProtocol,
  socket.servername,
  socket.isSessionReused(),
  socket.authorized,
];

/** @param {Socket} socket */
export function work(socket) {
  socket.on('error', ignore);
  if (options.api === 'accessors') facts(socket);
  done.handshakes++;
  switch (options.mode) {
    case 'sink':
      if (options.api === 'readInto') readInto(socket.ssl).catch(ignore);
      else sink(socket);
      break;
    case 'source':
      if (options.api === 'ssl.write') sslSource(socket.resume().ssl).catch(ignore);
      else source(socket);
      break;
    case 'update':
      updates(socket.resume().ssl).catch(ignore);
      break;
    default:
      echo(socket);
  }
}
