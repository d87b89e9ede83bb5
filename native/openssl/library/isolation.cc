#include "openssl/library/isolation.h"

#include <dlfcn.h>

#include "openssl/library/headers.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>

#include <algorithm>

#include "openssl/library/init.h"
#include "openssl/library/loaded_images.h"

namespace system_tls::openssl {
namespace {

bool names_library(const std::string& path, const char* library) { return file_name(path).rfind(library, 0) == 0; }

bool needs_openssl(const LoadedImage& image) {
  return std::any_of(image.needed.begin(), image.needed.end(), [](const std::string& soname) {
    return names_library(soname, "libssl.") || names_library(soname, "libcrypto.");
  });
}

// The images, other than this addon and OpenSSL's own, that ask for libssl or libcrypto: one of them was first.
std::string other_users_of_openssl(const std::string& own_path) {
  std::string users;
  for (const auto& image : loaded_images()) {
    if (image.path == own_path || names_library(image.path, "libssl.") || names_library(image.path, "libcrypto.")) {
      continue;
    }
    if (needs_openssl(image)) users += (users.empty() ? "" : ", ") + image.path;
  }
  return users;
}

std::string own_path() {
  static const char marker = 0;
  return image_of(&marker);
}

void blame_program(IsolationReport& report, const std::string& symbol, const std::string& image) {
  report.culprit = image;
  report.cause = symbol + " resolved to " + image + ", which has an OpenSSL of its own";
  if (loader_can_isolate()) {
    report.cure =
        "load the addon through `import 'system-tls'`, which opens it with RTLD_DEEPBIND, and see that nothing in this "
        "process, not even in another thread, opens " +
        own_path() + " by require() or process.dlopen() before that";
  } else {
    report.cure =
        "this C library has no RTLD_DEEPBIND: use a node that is linked to the system's OpenSSL, such as Alpine's own "
        "(apk add nodejs)";
  }
}

void blame_first_loader(IsolationReport& report, const std::string& library, const std::string& where) {
  const std::string users = other_users_of_openssl(own_path());
  report.culprit = users.empty() ? library : users;
  report.cause = "calls inside " + library + " land in " + where +
                 ": the library had been loaded without RTLD_DEEPBIND, by " + report.culprit;
  report.cure = "import 'system-tls' before anything that loads " + report.culprit +
                " (for instance by node --import system-tls), or run it in a process of its own";
}

// The code under test raises exactly one error; if the queue stays empty it went to another copy's queue.
template <typename Provoke>
unsigned long provoked_error(Provoke provoke) {
  ERR_clear_error();
  provoke();
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  return code;
}

// The stray error is not ours to leave in a queue that node's own crypto reads.
void clear_program_queue() {
  using Clear = void (*)();
  const void* clear = program_definition("ERR_clear_error");
  if (clear != nullptr) reinterpret_cast<Clear>(const_cast<void*>(clear))();
}

bool check_addresses(IsolationReport& report) {
  report.libssl = image_of(address_of(SSL_new));
  report.libcrypto = image_of(address_of(EVP_CIPHER_CTX_new));
  const std::string queue = image_of(address_of(ERR_peek_error));
  if (!names_library(report.libssl, "libssl.")) {
    blame_program(report, "SSL_new", report.libssl);
    return false;
  }
  if (!names_library(report.libcrypto, "libcrypto.")) {
    blame_program(report, "EVP_CIPHER_CTX_new", report.libcrypto);
    return false;
  }
  if (queue != report.libcrypto) {
    blame_program(report, "ERR_peek_error", queue);
    return false;
  }
  return true;
}

bool check_provoked_errors(IsolationReport& report) {
  const unsigned long inside_libssl = provoked_error([] { SSL_CTX_new(nullptr); });
  if (ERR_GET_LIB(inside_libssl) != ERR_LIB_SSL || ERR_GET_REASON(inside_libssl) != SSL_R_NULL_SSL_METHOD_PASSED) {
    clear_program_queue();
    blame_first_loader(report, report.libssl, main_program());
    return false;
  }
  const unsigned long inside_libcrypto = provoked_error([] { BIO_new_mem_buf(nullptr, 0); });
  if (ERR_GET_LIB(inside_libcrypto) != ERR_LIB_BIO) {
    clear_program_queue();
    blame_first_loader(report, report.libcrypto, main_program());
    return false;
  }
  report.error_seen = inside_libssl;
  return true;
}

IsolationReport prove() {
  IsolationReport report;
  if (!check_addresses(report)) return report;
  if (!forgo_exit_handler()) {
    report.cause = "libcrypto refused to initialise";
    report.culprit = report.libcrypto;
    report.cure = "check the installation of the system's OpenSSL: `openssl version -a` must work";
    return report;
  }
  report.isolated = check_provoked_errors(report);
  return report;
}

}  // namespace

const IsolationReport& isolation() {
  static const IsolationReport report = prove();
  return report;
}

bool program_exports_openssl() {
  static const bool exports = program_definition("CRYPTO_free") != nullptr;
  return exports;
}

bool loader_can_isolate() {
#if defined(RTLD_DEEPBIND) || defined(__APPLE__)
  return true;
#else
  return false;
#endif
}

}  // namespace system_tls::openssl
