// An application as there are many: Express over https, sessions in Redis, rows in PostgreSQL, a WebSocket, and an end by SIGTERM.
const { readFileSync } = require('node:fs');
const https = require('node:https');
const { join } = require('node:path');
const { RedisStore } = require('connect-redis');
const express = require('express');
const session = require('express-session');
const { Pool } = require('pg');
const { createClient } = require('redis');
const { WebSocketServer } = require('ws');

const { CERTIFICATES, POSTGRES_PORT, REDIS_PORT } = process.env;
const [ca, cert, key] = ['ca', 'cert', 'key'].map(name => readFileSync(join(CERTIFICATES, `${name}.pem`)));

const pool = new Pool({ host: 'localhost', port: POSTGRES_PORT, user: 'postgres', database: 'postgres', ssl: { ca } });
const redis = createClient({ socket: { host: 'localhost', port: Number(REDIS_PORT), tls: true, ca } });

const app = express();
app.use(express.json());
app.use(session({ store: new RedisStore({ client: redis }), secret: 'a', resave: false, saveUninitialized: false }));
app.get('/visits', (request, response) => {
  request.session.visits = (request.session.visits ?? 0) + 1;
  response.json(request.session.visits);
});
app.post('/orders', async (request, response) => {
  const { rows } = await pool.query('INSERT INTO orders (what) VALUES ($1) RETURNING what', [request.body.what]);
  response.status(201).json(rows[0]);
});
app.get('/slow', async (_request, response) => {
  const { rows } = await pool.query("SELECT pg_sleep(0.5), repeat('x', 1000000) AS text");
  response.send(rows[0].text);
});

const server = https.createServer({ cert, key }, app);
const sockets = new WebSocketServer({ server, path: '/echo' });
sockets.on('connection', socket => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })));

process.once('SIGTERM', () => {
  for (const socket of sockets.clients) socket.close(1001);
  server.close(() => Promise.all([pool.end(), redis.close()]));
});

redis
  .connect()
  .then(() => pool.query('CREATE TABLE IF NOT EXISTS orders (what text)'))
  .then(() => server.listen(0, '127.0.0.1', () => console.log(`listening on ${server.address().port}`)));
