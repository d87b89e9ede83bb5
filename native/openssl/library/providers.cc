#include "openssl/library/providers.h"

#include <dlfcn.h>

#include "openssl/library/headers.h"

#include <openssl/conf.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/provider.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>

#include "openssl/library/handles.h"
#include "openssl/library/init.h"
#include "openssl/library/isolation.h"
#include "openssl/library/loaded_images.h"

namespace system_tls::openssl {
namespace {

using ConfPtr = Owned<CONF, NCONF_free>;

std::string text(const char* value) { return value == nullptr ? std::string() : std::string(value); }

// As OpenSSL does: the environment of a privileged process is not to be trusted.
std::string environment(const char* name) {
#if defined(__GLIBC__)
  return text(secure_getenv(name));
#else
  return OPENSSL_issetugid() != 0 ? std::string() : text(std::getenv(name));
#endif
}

std::string provider_directory() {
  using GetPath = const char*(OSSL_LIB_CTX*);
  if (auto* search_path = find_function<GetPath>("OSSL_PROVIDER_get0_default_search_path")) {
    if (std::string chosen = text(search_path(nullptr)); !chosen.empty()) return chosen;
  }
  const std::string chosen = environment("OPENSSL_MODULES");
  return chosen.empty() ? text(OPENSSL_info(OPENSSL_INFO_MODULES_DIR)) : chosen;
}

std::string engine_directory() {
  const std::string chosen = environment("OPENSSL_ENGINES");
  return chosen.empty() ? text(OPENSSL_info(OPENSSL_INFO_ENGINES_DIR)) : chosen;
}

std::string extension() { return text(OPENSSL_info(OPENSSL_INFO_DSO_EXTENSION)); }

std::string in_directory(const std::string& directory, const std::string& path) {
  return path.rfind('/', 0) == 0 ? path : directory + "/" + path;
}

// A bare name gets the platform's extension; anything with a slash is taken as it is (DSO_convert_filename).
std::string provider_file(const std::string& name) {
  const bool is_path = name.find('/') != std::string::npos;
  return in_directory(provider_directory(), is_path ? name : name + extension());
}

// "providers.first" is also a "providers" section, and the provider "first.legacy" is named "legacy"
// (CONF_modules_load(3)).
bool is_kind(const char* name, const std::string& kind) {
  const std::string full = text(name);
  return full.substr(0, full.rfind('.')) == kind;
}

std::string without_prefix(const char* name) {
  const std::string full = text(name);
  return full.substr(full.find('.') + 1);
}

template <typename Visit>
void each_value(const CONF* config, const std::string& section, Visit visit) {
  const STACK_OF(CONF_VALUE)* values = NCONF_get_section(config, section.c_str());
  for (int i = 0; i < sk_CONF_VALUE_num(values); i++) visit(*sk_CONF_VALUE_value(values, i));
}

// Whether or not it is to be activated now: a later request by name takes the file from here as well.
void add_provider(const CONF* config, const CONF_VALUE& provider, std::vector<std::string>& files) {
  std::string name = without_prefix(provider.name);
  std::string module;
  each_value(config, text(provider.value), [&](const CONF_VALUE& setting) {
    const std::string key = without_prefix(setting.name);
    if (key == "identity") name = text(setting.value);
    if (key == "module") module = text(setting.value);
  });
  files.push_back(module.empty() ? provider_file(name) : in_directory(provider_directory(), module));
}

void add_engine(const CONF* config, const CONF_VALUE& engine, std::vector<std::string>& files) {
  std::string name = without_prefix(engine.name);
  std::string path;
  each_value(config, text(engine.value), [&](const CONF_VALUE& setting) {
    const std::string key = without_prefix(setting.name);
    if (key == "engine_id") name = text(setting.value);
    if (key == "dynamic_path") path = text(setting.value);
  });
  files.push_back(in_directory(engine_directory(), path.empty() ? name + extension() : path));
}

// The modules that were opened here, kept open for the life of the process: OpenSSL gives no word when it is done.
class OpenedModules {
 public:
  MaybeRefusal open(const std::string& file) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (opened_.count(file) != 0) return std::nullopt;
    if (is_mapped(file)) {
      return Refusal{"ERR_SYSTEM_TLS_NOT_ISOLATED",
                     file + " had been loaded without isolation, so its calls land in " + main_program(), file,
                     "import 'system-tls' before anything else that uses OpenSSL in this process"};
    }
#if defined(RTLD_DEEPBIND)
    // A module that cannot be opened is OpenSSL's to report, if it comes to need it.
    if (dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND) != nullptr) opened_.insert(file);
#endif
    return std::nullopt;
  }

 private:
  static bool is_mapped(const std::string& file) {
    void* handle = dlopen(file.c_str(), RTLD_LAZY | RTLD_NOLOAD);
    if (handle == nullptr) return false;
    dlclose(handle);
    return true;
  }

  std::mutex mutex_;
  std::set<std::string> opened_;
};

// Only beside a program that exports an OpenSSL is there anything to bind to wrongly.
MaybeRefusal open_isolated(const std::string& file) {
  static OpenedModules modules;
  if (!program_exports_openssl()) return std::nullopt;
#if defined(__APPLE__)
  static_cast<void>(file);
  return std::nullopt;
#else
  return modules.open(file);
#endif
}

}  // namespace

std::string default_config_file() {
  const OpensslMemory<char> file(CONF_get1_default_config_file());
  return text(file.get());
}

std::vector<std::string> configured_modules(const std::string& config_file) {
  std::vector<std::string> files;
  const ConfPtr config(NCONF_new(nullptr));
  long error_line = 0;
  // A file that is absent or malformed is OpenSSL's to judge when it reads it.
  if (config != nullptr && NCONF_load(config.get(), config_file.c_str(), &error_line) > 0) {
    const std::string root = text(NCONF_get_string(config.get(), nullptr, "openssl_conf"));
    if (!root.empty()) {
      each_value(config.get(), root, [&](const CONF_VALUE& kind) {
        each_value(config.get(), text(kind.value), [&](const CONF_VALUE& module) {
          if (is_kind(kind.name, "providers")) add_provider(config.get(), module, files);
          if (is_kind(kind.name, "engines")) add_engine(config.get(), module, files);
        });
      });
    }
  }
  ERR_clear_error();
  return files;
}

MaybeRefusal isolate_configured_modules() {
  const std::string config_file = default_config_file();
  if (config_file.empty()) return std::nullopt;
  for (const auto& file : configured_modules(config_file)) {
    if (MaybeRefusal refusal = open_isolated(file)) return refusal;
  }
  return std::nullopt;
}

MaybeRefusal load_provider(const std::string& name) {
  if (MaybeRefusal refusal = open_isolated(provider_file(name))) return refusal;
  ERR_clear_error();
  OSSL_PROVIDER* provider = OSSL_PROVIDER_try_load(nullptr, name.c_str(), 1);
  if (provider != nullptr) return std::nullopt;
  return Refusal{"ERR_SYSTEM_TLS_PROVIDER", "the provider " + name + " could not be loaded: " + drain_reasons(),
                 provider_file(name), "install it, or name the folder that holds it in OPENSSL_MODULES"};
}

std::vector<std::string> active_providers() {
  std::vector<std::string> names;
  const auto add = [](OSSL_PROVIDER* provider, void* list) {
    static_cast<std::vector<std::string>*>(list)->emplace_back(OSSL_PROVIDER_get0_name(provider));
    return 1;
  };
  OSSL_PROVIDER_do_all(nullptr, add, &names);
  return names;
}

bool provider_available(const std::string& name) { return OSSL_PROVIDER_available(nullptr, name.c_str()) == 1; }

}  // namespace system_tls::openssl
