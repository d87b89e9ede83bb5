// Plays one case: up to its moment, through what the peer does last, to the end of everything.
import type { IoPool } from 'system-tls';
import { pattern } from '../support/bytes.ts';
import { deferred, sleep, turns } from '../support/wait.ts';
import { type Case, lineOf, waitsForUs } from './axes.ts';
import { Ledger } from './ledger.ts';
import { Peer } from './peer.ts';
import { type Random, randomFrom, seedOf } from './random.ts';
import { askedFunction, openStage, type Stage } from './stage.ts';
import type { Subject } from './subject.ts';

/** Clear bytes that the peer sends last: none, a few, several records, more than a stream's own buffer. */
const lastSizes = [0, 1, 5000, 40_000] as const;
const firstSize = 700;
const smallSize = 1000;
const bulkSize = 2 << 20;
/** Milliseconds after which a thread, too, has heard what the peer did. Nothing depends on it but what is tried. */
const hearsay = 20;

export class Play {
  readonly each: Case;
  readonly ledger = new Ledger();
  /** What is being waited for, for the report of a case that does not end. */
  waitsFor = 'the transport';
  /** All that the peer said in clear. */
  expected: Buffer = Buffer.alloc(0);
  peer: Peer | undefined;
  stage: Stage | undefined;
  subject: Subject | undefined;
  /** Whether our function was called. */
  wasAsked = false;
  readonly #pool: IoPool;
  readonly #random: Random;
  readonly #ownPeer: boolean;
  readonly #asked = deferred<void>();
  readonly #answer = deferred<void>();
  readonly #last: Buffer;

  /** @param ownPeer - see makeEngine() */
  constructor(each: Case, pool: IoPool, seed: number, ownPeer = false) {
    this.each = each;
    this.#ownPeer = ownPeer;
    this.#pool = pool;
    // The oracle gets the same bytes at the same places.
    this.#random = randomFrom(seedOf(lineOf({ ...each, on: 'node', api: 'data' })) ^ seed);
    this.#last = pattern(lastSizes[this.#random(lastSizes.length)] as number, 7);
  }

  async run(): Promise<void> {
    const { each, ledger } = this;
    const ask = () => {
      this.wasAsked = true;
      this.#asked.resolve();
      return this.#answer.promise;
    };
    const stage = await openStage({ each, ledger, pool: this.#pool, asked: askedFunction(each, ask) });
    this.stage = stage;
    const peer = new Peer(each, stage.wire, this.#ownPeer);
    this.peer = peer;
    await this.#toTheEndOfThePeer(stage, peer);
    await this.#toOurs(stage);
    this.waitsFor = 'the peer to hear our end';
    stage.release();
    if (each.peer === 'half') await peer.wire.farEnded;
    await turns(2);
    peer.destroy();
    this.waitsFor = 'everything of ours to be closed';
    await stage.leave();
  }

  /** Ends what a case left that did not end by itself. */
  giveUp(): void {
    this.#answer.resolve();
    this.stage?.abandon();
    this.subject?.close();
    this.peer?.destroy();
    void this.stage?.leave().catch(() => {});
  }

  async #open(stage: Stage): Promise<Subject> {
    this.waitsFor = 'the handshake of ours';
    this.subject = await stage.opened;
    return this.subject;
  }

  #say(peer: Peer): Promise<void> {
    this.waitsFor = 'the peer to say its last';
    this.expected = Buffer.concat([this.expected, this.#last]);
    return peer.sayLast(this.#last);
  }

  async #toTheEndOfThePeer(stage: Stage, peer: Peer): Promise<void> {
    switch (this.each.at) {
      case 'handshake':
        return this.#inHandshake(peer);
      case 'verify':
        return this.#whileVerifying(stage, peer);
      case 'onClientHello':
      case 'onCertificate':
        return this.#whileChoosing(stage, peer);
      case 'finished':
        return this.#withFinished(peer);
      case 'tickets':
        this.waitsFor = 'the handshake of the peer';
        await peer.engine.secure;
        peer.hold();
        return this.#say(peer);
      default:
        return this.#afterHandshake(stage, peer);
    }
  }

  /** Before the peer's first word, in the middle of it, or behind it. */
  async #inHandshake(peer: Peer): Promise<void> {
    const part = this.#random(3) / 2;
    const client = this.each.side === 'server';
    this.waitsFor = 'the first flight';
    const reached = deferred<void>();
    peer.onFlight(client ? 1 : 2, () => {
      peer.hold();
      reached.resolve();
    });
    await peer.spoke;
    await turns(4);
    await peer.flush(part);
    if (part === 1) await reached.promise;
    await peer.breakOff(part !== 0.5);
  }

  /** While our function ponders on the peer's certificate. A client has sent all it has to say by then. */
  async #whileVerifying(stage: Stage, peer: Peer): Promise<void> {
    const { side, version } = this.each;
    if (side === 'server' && version !== '1.2') {
      await this.#withFinished(peer);
      await this.#question(stage);
    } else {
      await this.#question(stage);
      await peer.breakOff(false);
    }
    return this.#answerLater();
  }

  /** While our function ponders on the peer's hello, or on our own certificate: the peer waits for our flight. */
  async #whileChoosing(stage: Stage, peer: Peer): Promise<void> {
    const plain = this.#random(2) === 0;
    await this.#question(stage);
    await peer.breakOff(plain && this.each.side === 'server');
    return this.#answerLater();
  }

  async #answerLater(): Promise<void> {
    if (this.each.peer === 'silent') return;
    await sleep(hearsay);
    this.#answer.resolve();
  }

  /** It is never asked on a connection that failed before. */
  async #question(stage: Stage): Promise<void> {
    this.waitsFor = 'the question';
    await Promise.race([this.#asked.promise, stage.opened.catch(() => {})]);
  }

  /** The last flight of the peer's handshake and its last words, in one piece. */
  async #withFinished(peer: Peer): Promise<void> {
    this.waitsFor = 'the handshake of the peer';
    peer.onFlight(this.each.side === 'server' ? 1 : 2, () => peer.withhold());
    await peer.engine.secure;
    return this.#say(peer);
  }

  async #afterHandshake(stage: Stage, peer: Peer): Promise<void> {
    const subject = await this.#open(stage);
    this.waitsFor = 'the handshake of the peer';
    await peer.engine.secure;
    this.expected = pattern(firstSize, 3);
    await peer.engine.write(this.expected);
    this.waitsFor = 'the first data';
    if (this.each.reads === 'at-once') await this.ledger.reaches(firstSize);
    peer.hold();
    this.#act(subject, peer);
    await turns(this.#random(4));
    await this.#say(peer);
  }

  /** What ours is about. */
  #act(subject: Subject, peer: Peer): void {
    const { ledger } = this;
    const { ssl } = subject;
    switch (this.each.at) {
      case 'small':
        for (let count = 0; count < 3; count++) subject.write(smallSize);
        return;
      case 'bulk':
        if (this.each.peer === 'silent') peer.wire.stopReading();
        subject.write(bulkSize);
        return;
      case 'key-update':
        void ledger.follow('keyUpdate()', ssl?.keyUpdate({ requestPeer: true }) ?? nothing).then(result => {
          if (result?.peerUpdated) void ledger.follow('peerUpdated', result.peerUpdated);
        });
        return;
      case 'renegotiation':
        return void ledger.follow('renegotiate()', ssl?.renegotiate({ timeout: forLong }) ?? nothing);
      case 'certificate':
        return void ledger.follow(
          'requestClientCertificate()',
          ssl?.requestClientCertificate({ timeout: forLong }) ?? nothing,
        );
      case 'shutdown':
        subject.shutdown();
        return;
      default:
        // There has to be something that can stay unread.
        if (this.each.peer === 'unread') subject.write(smallSize);
    }
  }

  async #toOurs(stage: Stage): Promise<void> {
    const { each, ledger } = this;
    if (each.peer === 'silent' && (each.at === 'handshake' || waitsForUs(each))) return this.#abandon(stage);
    if (each.at === 'handshake' && each.side === 'server') return this.#unlessNeverSeen(stage);
    let subject: Subject;
    try {
      subject = await this.#open(stage);
    } catch (error) {
      ledger.end(error as Error);
      stage.abandon();
      this.waitsFor = 'operations to settle';
      await ledger.settled();
      return;
    }
    if (each.reads === 'late') {
      await sleep(hearsay);
      subject.startReading();
    }
    await this.#endOf(subject);
  }

  async #endOf(subject: Subject): Promise<void> {
    const { each, ledger } = this;
    if (each.peer === 'silent') {
      this.waitsFor = 'all data';
      await ledger.reaches(this.expected.length);
      subject.close();
    } else {
      this.waitsFor = 'the end of reading';
      await ledger.ended;
      this.waitsFor = 'our own end';
      await subject.finish();
    }
    this.waitsFor = "'close'";
    await ledger.closed;
    this.waitsFor = 'operations to settle';
    await ledger.settled();
  }

  async #abandon(stage: Stage): Promise<void> {
    stage.abandon();
    this.waitsFor = 'the handshake to be given up';
    const opened = await stage.opened.catch((error: Error) => error);
    this.ledger.end(opened instanceof Error ? opened : new Error('it was completed'));
    // The peer's flight may have been all that was missing.
    if (!(opened instanceof Error)) opened.close();
    await this.ledger.settled();
    this.#answer.resolve();
  }

  /** Who resets a connection that waits to be accepted was never there: no event tells of it. */
  async #unlessNeverSeen(stage: Stage): Promise<void> {
    this.waitsFor = 'the server to be closed';
    void stage.opened.then(subject => this.#endOf(subject)).catch((error: Error) => this.ledger.end(error));
    if (this.each.on === 'fd' || this.each.on === 'duplex' || this.each.on === 'pair')
      await stage.opened.catch(() => {});
    await stage.leave();
    this.ledger.end(new Error('closed'));
    await this.ledger.settled();
  }
}

/** Operations that have a timeout by default shall not be rescued by it. */
const forLong = Number.POSITIVE_INFINITY;
const nothing = Promise.resolve(undefined);
