// A private key that is sealed by a passphrase once and for all: of a key that is sealed anew each time, one wrong passphrase
// in 256 gives a padding that looks right, and OpenSSL complains of what is behind it.

/** Of `sealedBy`. */
export const sealedKey = `-----BEGIN ENCRYPTED PRIVATE KEY-----
MIHrMFYGCSqGSIb3DQEFDTBJMCgGCSqGSIb3DQEFDDAbBAgTtp3tLncSYgIBATAM
BggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQxBITrNueWmOxyn+4Y683WQSBkPKg
DXcyOpFktsebLXUealawDEan6d0cubJz+j61KiecqtDf6U2teOB/QxbnNE693ZTb
iOFC/jlZUtDqn2XI8krNoffVlmd3ggisS7UkKgrHjpzxskWh8oZHVsiPxcopJ65P
zdHblB4wcGI7r/gjmPqnkpziktk+l8k4YkU75SWdAiZ1Oo5VcmBZDayVAsCacg==
-----END ENCRYPTED PRIVATE KEY-----
`;

export const sealedBy = 'secret';

/** Wrong, but what it makes of that key ends with a padding that looks right. */
export const luckyGuess = 'guess 535';
