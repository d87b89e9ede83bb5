#include "openssl/trust/system_store.h"

#include <sys/stat.h>

#include <cstdlib>
#include <mutex>
#include <string>

namespace system_tls::openssl {

namespace {

std::string location(const char* variable, const char* fallback) {
  const char* value = std::getenv(variable);
  return value != nullptr ? value : fallback;
}

// What tells one state of the system's store from another. The folder of single certificates needs no part in it but
// its name: OpenSSL looks into it whenever an issuer is missing.
std::string fingerprint() {
  const std::string file = location(X509_get_default_cert_file_env(), X509_get_default_cert_file());
  const std::string folder = location(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
  std::string text = file + '\n' + folder;
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return text;
  // An update may well keep the second and the size, hardly the inode as well.
  for (const auto part : {static_cast<long long>(status.st_dev), static_cast<long long>(status.st_ino),
                          static_cast<long long>(status.st_size), static_cast<long long>(status.st_mtime)}) {
    text += '\n' + std::to_string(part);
  }
  return text;
}

struct Cache {
  std::mutex mutex;
  std::string fingerprint;
  X509StorePtr store;
};

Cache& cache() {
  // Never destroyed: at exit other threads may still verify.
  static auto* const instance = new Cache;
  return *instance;
}

X509StorePtr share(X509_STORE* store) { return X509StorePtr(X509_STORE_up_ref(store) == 1 ? store : nullptr); }

// While it lasts no lookup in another thread adds to the store's objects.
class StoreLock {
 public:
  explicit StoreLock(X509_STORE* store) : store_(store) { X509_STORE_lock(store_); }
  ~StoreLock() { X509_STORE_unlock(store_); }
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;

 private:
  X509_STORE* store_;
};

bool copy_certificates(X509_STORE* from, X509_STORE* to) {
  const StoreLock lock(from);
  STACK_OF(X509_OBJECT)* objects = X509_STORE_get0_objects(from);
  for (int index = 0; index < sk_X509_OBJECT_num(objects); ++index) {
    X509* certificate = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(objects, index));
    if (certificate != nullptr && X509_STORE_add_cert(to, certificate) != 1) return false;
  }
  return true;
}

// The part of X509_STORE_set_default_paths(3) that reads nothing yet.
bool add_default_folder(X509_STORE* store) {
  X509_LOOKUP* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_hash_dir());
  if (lookup == nullptr) return false;
  X509_LOOKUP_add_dir(lookup, nullptr, X509_FILETYPE_DEFAULT);
  return true;
}

}  // namespace

X509StorePtr shared_system_store() {
  Cache& shared = cache();
  const std::lock_guard<std::mutex> guard(shared.mutex);
  std::string now = fingerprint();
  if (shared.store != nullptr && shared.fingerprint == now) return share(shared.store.get());
  X509StorePtr store(X509_STORE_new());
  if (store == nullptr || X509_STORE_set_default_paths(store.get()) != 1) return nullptr;
  shared.store = std::move(store);
  shared.fingerprint = std::move(now);
  return share(shared.store.get());
}

bool add_system_store(X509_STORE* own) {
  const X509StorePtr shared = shared_system_store();
  return shared != nullptr && copy_certificates(shared.get(), own) && add_default_folder(own);
}

}  // namespace system_tls::openssl
