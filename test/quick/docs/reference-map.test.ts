// docs/reference-map.md has a row for every name in the two reference documents, and its tests and examples exist.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageFolder } from '../../support/child.ts';

/** Every function, type and macro of OpenSSL that the manual page SSL_key_update(3) names. */
const manualPage = `
  SSL_key_update SSL_get_key_update_type SSL_renegotiate SSL_renegotiate_abbreviated SSL_renegotiate_pending
  SSL_KEY_UPDATE_NOT_REQUESTED SSL_KEY_UPDATE_REQUESTED SSL_KEY_UPDATE_NONE SSL_read_ex SSL_write_ex SSL_do_handshake`;

/** Those of the tutorial; its method table divides some names at a line's end. */
const tutorial = `
  BIO_CLOSE BIO_NOCLOSE BIO_f_buffer BIO_f_ssl BIO_free BIO_gets BIO_new BIO_new_socket BIO_printf BIO_push BIO_puts
  BIO_read BIO_s_socket BIO_set_fd BIO_set_ssl BIO_write CHK_ERR ERR_print_errors ERR_print_errors_fp
  SSL_CTX_load_verify_locations SSL_CTX_new SSL_CTX_set_verify SSL_CTX_set_verify_depth SSL_CTX_use_PrivateKey
  SSL_CTX_use_PrivateKey_ASN1 SSL_CTX_use_PrivateKey_file SSL_CTX_use_RSAPrivateKey SSL_CTX_use_RSAPrivateKey_ASN1
  SSL_CTX_use_RSAPrivateKey_file SSL_CTX_use_certificate SSL_CTX_use_certificate_file SSL_FILETYPE_PEM SSL_METHOD
  SSL_READ SSL_SESSION SSL_ST_ACCEPT SSL_VERIFY_CLIENT_ONCE SSL_VERIFY_FAIL_IF_NO_PEER_CERT SSL_VERIFY_NONE
  SSL_VERIFY_PEER SSL_accept SSL_connect SSL_do_handshake SSL_free SSL_get1_session SSL_get_peer_certificate
  SSL_get_verify_result SSL_library_init SSL_load_error_strings SSL_new SSL_read SSL_renegotiate SSL_set_accept_state
  SSL_set_bio SSL_set_connect_state SSL_set_fd SSL_set_session SSL_shutdown SSL_use_PrivateKey SSL_use_PrivateKey_ASN1
  SSL_use_PrivateKey_file SSL_use_RSAPrivateKey SSL_use_RSAPrivateKey_ASN1 SSL_use_RSAPrivateKey_file
  SSL_use_certificate SSL_use_certificate_file SSL_write SSLv2_method SSLv2_server_method SSLv2_client_method
  SSLv3_method SSLv3_server_method SSLv3_client_method TLSv1_method TLSv1_server_method TLSv1_client_method
  SSLv23_method SSLv23_server_method SSLv23_client_method X509_V_OK socket bind listen accept connect`;

const words = (text: string): string[] => text.trim().split(/\s+/);

interface Row {
  readonly subject: string;
  readonly here: string;
  readonly tests: readonly string[];
}

const page = readFileSync(join(packageFolder, 'docs/reference-map.md'), 'utf8');
const [manualPagePart = '', tutorialPart = ''] = page.split(/^## The tutorial$/m);

function rows(text: string): Row[] {
  return [...text.matchAll(/^\| (.+) \|$/gm)]
    .map(([, line = '']) => line.split(/\s*\|\s?/))
    .filter(([subject]) => subject !== 'in the document')
    .map(([subject = '', here = '', tests = '']) => ({
      subject,
      here,
      tests: [...tests.matchAll(/`([^`]+)`/g)].map(([, file = '']) => file),
    }));
}

const all = rows(page);

describe('docs/reference-map.md', () => {
  for (const [name, names, part] of [
    ['SSL_key_update(3)', manualPage, manualPagePart],
    ['the tutorial', tutorial, tutorialPart],
  ] as const) {
    it(`has a row for every name in ${name}`, () => {
      const subjects = rows(part).map(({ subject }) => subject);
      const missing = words(names).filter(
        word => !subjects.some(subject => new RegExp(`\`[^\`]*\\b${word}\\b[^\`]*\``).test(subject)),
      );
      assert.deepEqual(missing, []);
    });
  }

  it('has its four columns in every row', () => {
    for (const [line] of page.matchAll(/^\|.*$/gm)) assert.equal(line.match(/\|/g)?.length, 5, line);
    assert.ok(all.length > 100, 'the search finds what there is');
  });

  it('names tests that exist, at least one for everything that there is, and none for what there is not yet', () => {
    for (const { subject, here, tests } of all) {
      assert.notEqual(here, '', subject);
      assert.equal(tests.length > 0, !here.startsWith('**Not yet**'), subject);
      for (const file of tests) assert.ok(existsSync(join(packageFolder, 'test', file)), `${subject}: ${file}`);
    }
  });

  it('names examples that exist', () => {
    const examples = [...page.matchAll(/`(examples\/[^`]+)`/g)].map(([, file = '']) => file);
    assert.ok(examples.length > 0);
    for (const file of examples) assert.ok(existsSync(join(packageFolder, file)), file);
  });
});
