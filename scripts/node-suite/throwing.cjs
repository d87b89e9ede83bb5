// Makes node:tls of no use: a test that passes nevertheless shows nothing of TLS.
'use strict';
require('node:tls').createSecureContext = () => {
  throw new Error('this implementation throws');
};
