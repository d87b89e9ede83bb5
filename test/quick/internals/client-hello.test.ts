// The ClientHello out of its bytes, and its fingerprints: the published examples of JA3 and JA4, and what no client should send.
import assert from 'node:assert/strict';
import { type ClientHello, ja3, ja3Text, ja4, ja4Text } from 'system-tls';
import { parseClientHello } from '#dist/callbacks/client-hello.js';
import {
  type HelloParts,
  helloExtension,
  helloMessage,
  numberList,
  protocolList,
  serverNameList,
} from '../../support/client-hello.ts';

const parse = (parts: HelloParts): ClientHello =>
  parseClientHello(helloMessage(parts), false, parts.datagram ? 12 : 4) as ClientHello;

/** Extensions that carry nothing, by their types. */
const empty = (types: readonly number[]): Buffer[] => types.map(type => helloExtension(type, Buffer.alloc(0)));
const alpn = (...names: ReadonlyArray<Buffer | string>) => helloExtension(16, protocolList(names));
const versions = (...numbers: number[]) =>
  helloExtension(43, Buffer.concat([Buffer.of(2 * numbers.length), numberList(numbers).subarray(2)]));
const signatures = (...numbers: number[]) => helloExtension(13, numberList(numbers));

const chromeCiphers = [
  ...[0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013],
  ...[0xc014, 0x009c, 0x009d, 0x002f, 0x0035],
];
const chromeSignatures = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];

/** The example of FoxIO's technical details, in its own order, and with GREASE. */
const chrome: HelloParts = {
  ciphers: [0x3a3a, ...chromeCiphers],
  extensions: [
    ...empty([0x5a5a, 0x001b]),
    helloExtension(0, serverNameList('example.com')),
    ...empty([0x0033]),
    alpn('h2', 'http/1.1'),
    ...empty([0x4469, 0x0017, 0x002d]),
    signatures(...chromeSignatures),
    ...empty([0x0005, 0x0023, 0x0012]),
    versions(0xaaaa, 0x0304, 0x0303),
    ...empty([0xff01, 0x000b]),
    helloExtension(10, numberList([0x2a2a, 0x1d, 0x17, 0x18])),
    ...empty([0x0015, 0x1a1a]),
  ],
};

describe('a ClientHello', () => {
  it('is read in the order of its bytes, with what OpenSSL does not know', () => {
    const random = Buffer.alloc(32, 7);
    const sessionId = Buffer.from('session');
    const message = helloMessage({
      random,
      sessionId,
      ciphers: [0x0a0a, 0x1301, 0x00ff],
      extensions: [
        ...empty([0x0a0a, 0xfe0d]),
        helloExtension(0, serverNameList('A.Example.')),
        helloExtension(10, numberList([0x1a1a, 0x11ec, 0x1d])),
        signatures(0x0403, 0x0a0a, 0x0807),
        alpn('h2', Buffer.of(0xff)),
        versions(0x0304, 0x0303),
        helloExtension(51, Buffer.from('0007001d0003010203', 'hex')),
        helloExtension(0x1234, Buffer.from('unknown')),
      ],
    });
    const hello = parseClientHello(message, true, 4);
    assert.deepEqual(hello.raw, message);
    assert.equal(hello.version, 0x0303);
    assert.deepEqual([hello.random, hello.sessionId], [random, sessionId]);
    assert.deepEqual(hello.ciphers, [0x0a0a, 0x1301, 0x00ff]);
    const types = [0x0a0a, 0xfe0d, 0, 10, 13, 16, 43, 51, 0x1234];
    assert.deepEqual(
      hello.extensions.map(({ type }) => type),
      types,
    );
    assert.equal(String(hello.extensions.at(-1)?.data), 'unknown');
    assert.equal(hello.serverName, 'a.example');
    assert.deepEqual(hello.alpn, ['h2', '\u00ff']);
    assert.deepEqual(hello.groups, [0x1a1a, 0x11ec, 0x1d]);
    assert.deepEqual(hello.signatureAlgorithms, ['ecdsa_secp256r1_sha256', '0x0a0a', 'ed25519']);
    assert.deepEqual(hello.supportedVersions, [0x0304, 0x0303]);
    assert.deepEqual(hello.keyShares, [{ group: 0x1d, keyExchange: Buffer.of(1, 2, 3) }]);
    assert.equal(hello.renegotiation, true);
  });

  it('of DTLS has a longer header, and a cookie', () => {
    const hello = parse({ datagram: true, version: 0xfefd, ciphers: [0xc02b], extensions: [alpn('coap')] });
    assert.deepEqual([hello.version, hello.ciphers, hello.alpn], [0xfefd, [0xc02b], ['coap']]);
  });

  it('without extensions has none, and empty lists', () => {
    for (const extensions of [undefined, []]) {
      const hello = parse({ ciphers: [1], extensions });
      const { alpn: protocols, groups, signatureAlgorithms, supportedVersions, keyShares } = hello;
      const lists = [hello.extensions, protocols, groups, signatureAlgorithms, supportedVersions, keyShares];
      assert.ok(lists.every(list => list.length === 0));
      assert.deepEqual([hello.serverName, hello.ciphers], [null, [1]]);
    }
  });

  it('has a server name only where there is the name of a host', () => {
    const nameIn = (body: Buffer) => parse({ extensions: [helloExtension(0, body)] }).serverName;
    assert.equal(nameIn(serverNameList('xn--bcher-kva.example')), 'xn--bcher-kva.example');
    for (const bad of [
      '',
      '.',
      'a..b',
      '192.0.2.1',
      '::1',
      'b\u00fccher.example',
      'a b',
      'a/b',
      'a\0b',
      '%41',
      'a@b',
    ]) {
      assert.equal(nameIn(serverNameList(bad)), null, JSON.stringify(bad));
    }
    assert.equal(nameIn(serverNameList('a.example', 1)), null);
    assert.equal(nameIn(Buffer.alloc(0)), null);
  });

  it('cut short anywhere is read without a throw, and never has more than is there', () => {
    const whole = helloMessage(chrome);
    for (let length = 0; length < whole.length; length++) {
      const hello = parseClientHello(whole.subarray(0, length), false, 4) as ClientHello;
      assert.ok(hello.extensions.length <= 19 && hello.ciphers.length <= 16);
      assert.match(ja4(hello), /^t/);
      ja3(hello);
    }
  });

  it('of any bytes is read, in time', () => {
    let state = 1;
    const next = () => {
      state = (state * 48271) % 0x7fffffff;
      return state & 0xff;
    };
    for (let round = 0; round < 500; round++) {
      const bytes = helloMessage(chrome);
      for (let change = 0; change < 5; change++) bytes[((next() << 8) | next()) % bytes.length] = next();
      for (const header of [4, 12] as const) ja4(parseClientHello(bytes, false, header) as ClientHello);
    }
    const long = Buffer.alloc(65535, 0);
    assert.ok(parseClientHello(long, false, 4).extensions.length <= 65535 / 4);
  });
});

describe('JA3', () => {
  it('gives the published examples', () => {
    const first = parse({
      version: 769,
      ciphers: [47, 53, 5, 10, 49161, 49162, 49171, 49172, 50, 56, 19, 4],
      extensions: [...empty([0]), helloExtension(10, numberList([23, 24, 25])), helloExtension(11, Buffer.of(1, 0))],
    });
    assert.equal(ja3Text(first), '769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0');
    assert.equal(ja3(first), 'ada70206e40642a3e4461f35503241d5');
    const second = parse({ version: 769, ciphers: [4, 5, 10, 9, 100, 98, 3, 6, 19, 18, 99] });
    assert.equal(ja3Text(second), '769,4-5-10-9-100-98-3-6-19-18-99,,,');
    assert.equal(ja3(second), 'de350869b8c85de67a350c8d186f11e6');
  });

  it('leaves GREASE out of every list', () => {
    assert.equal(
      ja3Text(parse(chrome)),
      '771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-156-157-47-53,' +
        '27-0-51-16-17513-23-45-13-5-35-18-43-65281-11-10-21,29-23-24,',
    );
  });

  it('has all formats of points that are there, and no more', () => {
    const formats = (body: Buffer) => ja3Text(parse({ extensions: [helloExtension(11, body)] })).split(',')[4];
    assert.equal(formats(Buffer.of(3, 0, 1, 2)), '0-1-2');
    assert.equal(formats(Buffer.of(200, 0, 1)), '0-1');
    assert.equal(formats(Buffer.alloc(0)), '');
  });
});

describe('JA4', () => {
  const start = (parts: HelloParts): string => ja4(parse(parts)).split('_')[0] ?? '';

  it('gives the published example, whatever the order and with GREASE', () => {
    const expected = 't13d1516h2_8daaf6152771_e5627efa2ab1';
    const text =
      't13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,cca8,cca9_' +
      '0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_' +
      '0403,0804,0401,0503,0805,0501,0806,0601';
    assert.equal(ja4(parse(chrome)), expected);
    assert.equal(ja4Text(parse(chrome)), text);
    const shuffled = {
      ciphers: [...(chrome.ciphers ?? [])].reverse(),
      extensions: [...(chrome.extensions ?? [])].reverse(),
    };
    assert.equal(ja4(parse(shuffled)), expected);
  });

  it('keeps the order of signature algorithms', () => {
    const withSignatures = (...numbers: number[]) => ja4Text(parse({ extensions: [signatures(...numbers)] }));
    assert.match(withSignatures(0x0804, 0x1a1a, 0x0403), /__000d_0804,0403$/);
    assert.notEqual(
      ja4(parse({ extensions: [signatures(0x0804, 0x0403)] })),
      ja4(parse({ extensions: [signatures(0x0403, 0x0804)] })),
    );
  });

  it('has no underscore behind extensions without signature algorithms', () => {
    assert.equal(
      ja4Text(parse({ ciphers: [0x1301], extensions: empty([0x0a0a, 23, 5]) })),
      't12i010200_1301_0005,0017',
    );
  });

  it('is zeros where there is nothing', () => {
    assert.equal(ja4(parse({})), 't12i000000_000000000000_000000000000');
    const only = [helloExtension(0, serverNameList('a.example')), alpn('h2')];
    assert.equal(ja4(parse({ extensions: only })), 't12d0002h2_000000000000_000000000000');
  });

  it('counts no further than 99', () => {
    const many = Array.from({ length: 150 }, (_, index) => 0x4000 + index);
    assert.equal(start({ ciphers: many, extensions: empty(many) }), 't12i999900');
  });

  it('takes the newest version that is no GREASE, or that of the hello', () => {
    const of = (version: number, ...supported: number[]) =>
      start({ version, ...(supported.length > 0 && { extensions: [versions(...supported)] }) }).slice(0, 3);
    assert.equal(of(0x0303, 0xfafa, 0x0302, 0x0304, 0x0303), 't13');
    assert.equal(of(0x0303, 0xfafa), 't12');
    assert.deepEqual([of(0x0302), of(0x0301), of(0x0300), of(0x0002), of(0x9999)], ['t11', 't10', 'ts3', 'ts2', 't00']);
    const datagram = (version: number) => start({ datagram: true, version }).slice(0, 3);
    assert.deepEqual([datagram(0xfeff), datagram(0xfefd), datagram(0xfefc)], ['dd1', 'dd2', 'dd3']);
  });

  it('marks the first protocol by its ends, or by those of its digits', () => {
    const mark = (...names: Array<Buffer | string>) => start({ extensions: [alpn(...names)] }).slice(-2);
    assert.deepEqual(
      [mark('h2'), mark('http/1.1', 'h2'), mark('h'), mark('h3-29'), mark('dot')],
      ['h2', 'h1', 'hh', 'h9', 'dt'],
    );
    const hex = (digits: string) => mark(Buffer.from(digits, 'hex'));
    assert.deepEqual(
      [hex('ab'), hex('abcd'), hex('30ab'), hex('3031abcd'), hex('30abcd31')],
      ['ab', 'ad', '3b', '3d', '01'],
    );
    assert.equal(start({ extensions: empty([16]) }).slice(-2), '00');
  });
});
