// The jobs, served by Bun's own sockets. Runs on Bun alone.

import { body, chunk, done, ignore, options, serve, writesATurn } from './served.mjs';

/** @type {any} */
const { Bun } = globalThis;

const tls = {
  cert: options.cert,
  key: options.key,
  ca: options.ca,
  requestCert: options.ca !== undefined,
  rejectUnauthorized: options.ca !== undefined,
};

// What a socket did not take is kept by us: Bun's write() takes what fits.
/** @param {any} socket */
function source(socket) {
  let at = socket.data.at;
  for (let i = 0; i < writesATurn; i++) {
    const taken = socket.write(at === 0 ? chunk : chunk.subarray(at));
    if (taken < 0) return;
    done.bytes += taken;
    at += taken;
    if (at < chunk.length) {
      socket.data.at = at;
      return; // drain() comes
    }
    at = 0;
  }
  socket.data.at = 0;
  setImmediate(source, socket);
}

/** @param {any} socket @param {Uint8Array} data */
function echo(socket, data) {
  const { rest } = socket.data;
  const bytes = rest === undefined ? data : Buffer.concat([rest, data]);
  const taken = socket.write(bytes);
  socket.data.rest = taken < bytes.length ? Buffer.from(bytes.subarray(Math.max(taken, 0))) : undefined;
}

const handlers = {
  open(/** @type {any} */ socket) {
    socket.data = { at: 0, rest: undefined };
    socket.setNoDelay?.(true);
  },
  handshake(/** @type {any} */ socket) {
    done.handshakes++;
    if (options.mode === 'source') source(socket);
  },
  data(/** @type {any} */ socket, /** @type {Uint8Array} */ data) {
    done.bytes += data.length;
    if (options.mode === 'echo') echo(socket, data);
  },
  drain(/** @type {any} */ socket) {
    if (options.mode === 'source') source(socket);
    else if (socket.data?.rest !== undefined) echo(socket, new Uint8Array());
  },
  close: ignore,
  error: ignore,
};

const details = { openssl: `BoringSSL of Bun ${Bun.version}` };
const host = '127.0.0.1';

if (options.client) {
  for (let i = 0; i < options.connections; i++) {
    await Bun.connect({
      hostname: host,
      port: options.port,
      tls: { rejectUnauthorized: false, serverName: 'localhost' },
      socket: handlers,
    });
  }
  serve({ port: 0, ...details });
} else if (options.mode === 'http') {
  const fetch = async (/** @type {Request} */ request) => {
    if (request.method === 'POST') done.bytes += (await request.arrayBuffer()).byteLength;
    done.requests++;
    done.bytes += body.length;
    return new Response(body);
  };
  const server = Bun.serve({ hostname: host, port: options.port, tls, fetch });
  serve({ port: server.port, ...details });
} else {
  const server = Bun.listen({ hostname: host, port: options.port, tls, socket: handlers });
  serve({ port: server.port, ...details });
}
