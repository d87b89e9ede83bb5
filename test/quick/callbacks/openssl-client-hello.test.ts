// The cases about a ClientHello of OpenSSL's own tests: clienthellotest, and client_hello_cb of sslapitest. Those of 05-sni are
// beside the other cases of names.
import assert from 'node:assert/strict';
import type { ClientHello, SslContextOptions } from 'system-tls';
import { certificates } from '../../support/certificates.ts';
import { clientContext, serverContext, tls12, tls13 } from '../../support/memory-pair.ts';
import { anyName, identity, outcomeOf } from '../../support/outcome.ts';
import { first } from '../../support/resumption.ts';
import { sleep } from '../../support/wait.ts';

/** SSL_OP_TLSEXT_PADDING, which crypto.constants lacks. */
const paddingWanted = 1 << 4;
/** RFC 7685: hellos from 256 to 511 bytes, which some servers cannot read, become longer. */
const [troubleFrom, paddedTo] = [256, 512];
const [paddingExtension, preSharedKey, signatureAlgorithms] = [21, 41, 13];

const extensionsOf = (hello: ClientHello): number[] => hello.extensions.map(({ type }) => type);
const padding = ({ extensions }: ClientHello) => extensions.find(({ type }) => type === paddingExtension);

/** The hello of a client that pads it; a session is offered, if the server resumes it. */
async function helloOf(client: SslContextOptions, offered = false): Promise<ClientHello> {
  const hellos: ClientHello[] = [];
  const onClientHello = (hello: ClientHello) => void hellos.push(hello);
  const contexts = {
    // A share of each group that OpenSSL offers by itself may be longer than all that is to be padded.
    clientContext: clientContext({ ecdhCurve: 'X25519', ...client, secureOptions: paddingWanted }),
    serverContext: serverContext({ ...identity(certificates().serverRsa), onClientHello }),
  };
  const session = offered ? await first(contexts) : undefined;
  const { result } = await outcomeOf({ ...contexts, clientSsl: { ...(!offered && anyName()), session } });
  assert.equal(result, 'Success');
  return hellos.at(-1) as ClientHello;
}

describe('OpenSSL’s cases of padding in a ClientHello (clienthellotest)', () => {
  // Case 0 sends a ticket of the application's making (SSL_set_session_ticket_ext), which this package has not.
  it('1 ADD_PADDING: a hello of a length that some servers cannot read is padded', async () => {
    const ALPNProtocols = ['1', '2'].map(digit => digit.repeat(79));
    const hello = await helloOf({ ALPNProtocols });
    assert.equal(hello.raw.length, paddedTo);
    assert.ok(padding(hello)?.data.every(byte => byte === 0));
  });

  it('2 PADDING_NOT_NEEDED: a short one is not', async () => {
    const hello = await helloOf({ ...tls12, ciphers: 'AES128-SHA' });
    assert.ok(hello.raw.length < troubleFrom, String(hello.raw.length));
    assert.equal(padding(hello), undefined);
  });

  it('3 ADD_PADDING_AND_PSK: with a session of TLS 1.3 both count, and the session is last', async () => {
    const hello = await helloOf({ ...tls13, ciphers: 'TLS_AES_128_GCM_SHA256' }, true);
    assert.equal(hello.raw.length, paddedTo);
    assert.ok(padding(hello));
    assert.equal(extensionsOf(hello).at(-1), preSharedKey);
  });
});

describe('OpenSSL’s case of a callback that looks into a ClientHello (sslapitest)', () => {
  it('client_hello_cb: it sees ciphers and extensions in their order, and may answer later', async () => {
    const hellos: ClientHello[] = [];
    const { result, pair } = await outcomeOf({
      client: { ...tls12, ciphers: 'AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384' },
      server: {
        onClientHello: async hello => {
          hellos.push(hello);
          await sleep(1);
        },
      },
      clientSsl: anyName(),
    });
    assert.deepEqual([result, hellos.length], ['Success', 1]);
    const [hello] = hellos as [ClientHello];
    // The last one says that renegotiation is secure (RFC 5746); newer versions of OpenSSL send its extension instead.
    const scsv = 0x00ff;
    assert.deepEqual(
      hello.ciphers.filter(cipher => cipher !== scsv),
      [0x009d, 0xc02c],
    );
    const renegotiationInfo = 0xff01;
    assert.equal(hello.ciphers.includes(scsv), !extensionsOf(hello).includes(renegotiationInfo));
    // Point formats, groups, ticket, encrypt-then-MAC, extended master secret, signature algorithms.
    assert.deepEqual(
      extensionsOf(hello).filter(type => type !== renegotiationInfo),
      [11, 10, 35, 22, 23, signatureAlgorithms],
    );
    assert.equal(pair.client.cipher?.name, 'ECDHE-ECDSA-AES256-GCM-SHA384');
  });
});
