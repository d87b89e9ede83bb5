// Who may use one Bio: the reader of one connection and the writer of another, as in OpenSSL's own examples.
import assert from 'node:assert/strict';
import { Bio, Ssl } from 'system-tls';
import { thrown } from '../../support/errors.ts';
import { clientContext, serverContext } from '../../support/memory-pair.ts';

const makeClient = (): Ssl => new Ssl(clientContext(), { side: 'client', servername: 'localhost' });
const makeServer = (): Ssl => new Ssl(serverContext(), { side: 'server' });

describe('A memory Bio between two connections', () => {
  it('carries what one writes to the other, without anybody pumping', async () => {
    const [toServer, toClient] = [Bio.memory(), Bio.memory()];
    const [client, server] = [makeClient(), makeServer()];
    client.setBio(toClient, toServer);
    server.setBio(toServer, toClient);
    await Promise.all([client.connect(), server.accept()]);
    await client.write('one way');
    assert.equal(String(await server.read()), 'one way');
    await server.write('the other');
    assert.equal(String(await client.read()), 'the other');
    await Promise.all([client.shutdown({ wait: true }), server.shutdown({ wait: true })]);
    client.close();
    server.close();
  });

  it('has one reader and one writer, until they are closed', () => {
    const [one, other, third] = [Bio.memory(), Bio.memory(), Bio.memory()];
    const first = makeClient();
    first.setBio(one, other);
    const second = makeClient();
    thrown(() => second.setBio(one, third), 'ERR_TLS_BIO_IN_USE');
    thrown(() => second.setBio(third, other), 'ERR_TLS_BIO_IN_USE');
    first.close();
    second.setBio(one, third);
    second.close();
  });
});
