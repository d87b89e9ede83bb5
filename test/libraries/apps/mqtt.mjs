import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Aedes } from 'aedes';
import mqtt from 'mqtt';
import { bytes, ca, cert, done, key, listen, MiB, sha256, tls } from '../common.mjs';

const broker = await Aedes.createBroker();
const server = tls.createServer({ cert, key }, broker.handle);
const port = await listen(server);

const settings = { host: 'localhost', port, protocol: 'mqtts', ca, reconnectPeriod: 0 };
function connect() {
  if (process.env.LIBRARIES_IMPORT !== '1') return mqtt.connect({ ...settings });
  return new mqtt.MqttClient(() => tls.connect({ host: 'localhost', port, servername: 'localhost', ca }), {
    ...settings,
  });
}

const [publisher, subscriber] = [connect(), connect()];
await Promise.all([publisher, subscriber].map(each => once(each, 'connect')));
await subscriber.subscribeAsync('some/#', { qos: 2 });

for (const [qos, length] of [
  [0, 10],
  [1, 100_000],
  [2, 5 * MiB],
]) {
  const payload = bytes(length);
  const received = once(subscriber, 'message');
  await publisher.publishAsync('some/topic', payload, { qos });
  assert.equal(sha256((await received)[1]), sha256(payload));
}

const numbers = Array.from({ length: 200 }, (_, number) => String(number));
const heard = [];
subscriber.on('message', (_topic, payload) => heard.push(String(payload)));
await Promise.all(numbers.map(number => publisher.publishAsync('some/number', number, { qos: 1 })));
while (heard.length < numbers.length) await once(subscriber, 'message');
assert.deepEqual(heard, numbers);

await Promise.all([publisher.endAsync(), subscriber.endAsync()]);
await new Promise(resolve => broker.close(resolve));
server.close();
done('every quality of service, 5 MiB, 200 in a row');
