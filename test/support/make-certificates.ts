// Makes the certificates of a whole run in the folder that is named.
import { mkdirSync } from 'node:fs';
import { makeCertificates } from './certificates.ts';

const [, , folder = ''] = process.argv;
mkdirSync(folder);
makeCertificates(folder);
