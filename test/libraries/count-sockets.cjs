// Loaded before an application: counts whose TLS sockets have finished a handshake, and the requests that its servers have begun and
// answered. It writes them into a file when the process ends.
const diagnostics = require('node:diagnostics_channel');
const { appendFileSync } = require('node:fs');
const tls = require('node:tls');
const { sslOf } = require('system-tls/tls');

const counts = { ours: 0, onThreads: 0, nodes: 0, requests: 0, answers: 0 };
const { emit } = tls.TLSSocket.prototype;

// The answer comes later from an I/O thread, or not at all if the socket is over by then.
function onThread(socket) {
  const answer = socket.exportKeyingMaterial(16, 'EXPERIMENTAL-count', Buffer.alloc(0));
  if (!(answer instanceof Promise)) return false;
  answer.catch(() => {});
  return true;
}

tls.TLSSocket.prototype.emit = function (event, ...args) {
  if (event === 'secure') {
    if (sslOf(this) === null) counts.nodes++;
    else {
      counts.ours++;
      if (onThread(this)) counts.onThreads++;
    }
  }
  return emit.call(this, event, ...args);
};

diagnostics.subscribe('http.server.request.start', () => counts.requests++);
diagnostics.subscribe('http.server.response.finish', () => counts.answers++);

process.once('exit', () => appendFileSync(process.env.LIBRARIES_COUNTS, `${JSON.stringify(counts)}\n`));
