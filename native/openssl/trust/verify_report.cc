#include "openssl/trust/verify_report.h"

#include <openssl/err.h>

#include "openssl/library/encoding.h"

namespace system_tls::openssl {

namespace {

struct Note {
  const X509* certificate;
  int depth;
  int error;
};

int notes_index() noexcept {
  static const int index = X509_STORE_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

// SSL_verify_cb. A later call that is content does not take an earlier error back, so the error counts only with `ok`
// 0.
int note_and_go_on(int ok, X509_STORE_CTX* store) {
  auto& notes = *static_cast<std::vector<Note>*>(X509_STORE_CTX_get_ex_data(store, notes_index()));
  const int error = ok == 1 ? X509_V_OK : X509_STORE_CTX_get_error(store);
  notes.push_back({X509_STORE_CTX_get_current_cert(store), X509_STORE_CTX_get_error_depth(store), error});
  return 1;
}

// Certificates by the place at which the report has them.
class Places {
 public:
  explicit Places(VerifyReport& report) : report_(report) {}

  int of(const X509* certificate) {
    if (certificate == nullptr) return -1;
    for (std::size_t place = 0; place < known_.size(); ++place) {
      if (X509_cmp(known_[place], certificate) == 0) return static_cast<int>(place);
    }
    known_.push_back(certificate);
    report_.certificates.push_back(to_der_bytes(certificate));
    return static_cast<int>(known_.size() - 1);
  }

 private:
  VerifyReport& report_;
  std::vector<const X509*> known_;
};

void write_report(X509_STORE_CTX* store, const std::vector<Note>& notes, VerifyReport& report) {
  Places places(report);
  const STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(store);
  for (int depth = 0; depth < sk_X509_num(chain); ++depth) places.of(sk_X509_value(chain, depth));
  report.chain_length = report.certificates.size();
  for (const Note& note : notes) report.findings.push_back({places.of(note.certificate), note.depth, note.error});
}

}  // namespace

bool examine(X509_STORE_CTX* store, VerifyReport& report) {
  std::vector<Note> notes;
  if (X509_STORE_CTX_set_ex_data(store, notes_index(), &notes) != 1) {
    X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
    return false;
  }
  ERR_set_mark();
  X509_STORE_CTX_set_verify_cb(store, note_and_go_on);
  const bool finished = X509_verify_cert(store) == 1;
  ERR_pop_to_mark();
  X509_STORE_CTX_set_ex_data(store, notes_index(), nullptr);
  if (finished) write_report(store, notes, report);
  return finished;
}

}  // namespace system_tls::openssl
