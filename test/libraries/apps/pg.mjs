// PostgreSQL: the client asks for TLS on a connection that has begun without (SSLRequest).
import assert from 'node:assert/strict';
import pg from 'pg';
import { bytes, ca, done, MiB, sha256 } from '../common.mjs';

const settings = { host: 'localhost', port: Number(process.env.SERVER_PORT), user: 'postgres', database: 'postgres' };
const pool = new pg.Pool({ ...settings, ssl: { ca }, max: 4 });

const { rows } = await pool.query('SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
assert.deepEqual(rows, [{ ssl: true, version: 'TLSv1.3' }]);

await pool.query('CREATE TABLE files (id serial PRIMARY KEY, data bytea)');
const data = bytes(20 * MiB);
const inserted = await pool.query('INSERT INTO files (data) VALUES ($1) RETURNING id', [data]);
const selected = await pool.query('SELECT data FROM files WHERE id = $1', [inserted.rows[0].id]);
assert.equal(sha256(selected.rows[0].data), sha256(data));

const squares = await Promise.all(
  Array.from({ length: 200 }, async (_, n) => (await pool.query('SELECT $1::int * $1::int AS n', [n])).rows[0].n),
);
squares.forEach((square, n) => void assert.equal(square, n * n));
const { rows: many } = await pool.query('SELECT generate_series(1, 100000) AS n');
assert.equal(
  many.reduce((sum, { n }) => sum + n, 0),
  5_000_050_000,
);

const stranger = new pg.Client({ ...settings, ssl: { ca: [] } });
await assert.rejects(stranger.connect(), { code: /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN/ });
await pool.query('DROP TABLE files');
await pool.end();
done('a pool, a row of 20 MiB written and read back, 200 queries at once, 100,000 rows');
