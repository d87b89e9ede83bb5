// MariaDB: the client asks for TLS in its first packet, after the server's greeting.
import assert from 'node:assert/strict';
import mysql from 'mysql2/promise';
import { bytes, ca, done, MiB, sha256 } from '../common.mjs';

const settings = { host: 'localhost', port: Number(process.env.SERVER_PORT), user: 'tester', database: 'test' };
const pool = mysql.createPool({ ...settings, ssl: { ca }, connectionLimit: 4 });

const [[{ Value: version }]] = await pool.query("SHOW STATUS LIKE 'Ssl_version'");
assert.equal(version, 'TLSv1.3');

await pool.query('CREATE TABLE files (id int AUTO_INCREMENT PRIMARY KEY, data longblob)');
const data = bytes(20 * MiB);
const [{ insertId }] = await pool.query('INSERT INTO files (data) VALUES (?)', [data]);
const [rows] = await pool.execute('SELECT data FROM files WHERE id = ?', [insertId]);
assert.equal(sha256(rows[0].data), sha256(data));

const squares = await Promise.all(
  Array.from({ length: 200 }, async (_, n) => (await pool.query('SELECT ? * ? AS n', [n, n]))[0][0].n),
);
squares.forEach((square, n) => void assert.equal(square, n * n));

const stranger = mysql.createConnection({ ...settings, ssl: { ca: [] } });
await assert.rejects(stranger, { code: 'HANDSHAKE_SSL_ERROR' });
await pool.query('DROP TABLE files');
await pool.end();
done('a pool, a row of 20 MiB written and read back, 200 queries at once');
