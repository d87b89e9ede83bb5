// To be imported before system-tls/tls, which reads the environment once: connections of drop-ins live where those of all other
// tests over sockets do.
import { pool } from './sockets.ts';

if (pool !== undefined) process.env['SYSTEM_TLS_IO_THREADS'] = '2';
