#include "openssl/library/loaded_images.h"

#include <dlfcn.h>
#if defined(__linux__)
#include <link.h>
#endif
#if defined(__APPLE__)
#include <mach-o/dyld.h>
#endif

#include <array>
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <memory>

namespace system_tls::openssl {
namespace {

std::string absolute(const char* path) {
  std::array<char, PATH_MAX> resolved{};
  return realpath(path, resolved.data()) == nullptr ? std::string(path) : std::string(resolved.data());
}

#if defined(__linux__)
std::vector<std::string> needed_by(const dl_phdr_info& info) {
  const ElfW(Dyn)* dynamic = nullptr;
  for (int i = 0; i < info.dlpi_phnum; i++) {
    const auto& header = info.dlpi_phdr[i];
    if (header.p_type == PT_DYNAMIC) dynamic = reinterpret_cast<const ElfW(Dyn)*>(info.dlpi_addr + header.p_vaddr);
  }
  std::vector<std::string> needed;
  if (dynamic == nullptr) return needed;

  ElfW(Addr) strings = 0;
  for (const auto* entry = dynamic; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_STRTAB) strings = entry->d_un.d_ptr;
  }
  if (strings == 0) return needed;
  // glibc relocates this address in place; musl and the vDSO leave it relative to the image.
  if (strings < info.dlpi_addr) strings += info.dlpi_addr;
  for (const auto* entry = dynamic; entry->d_tag != DT_NULL; entry++) {
    if (entry->d_tag == DT_NEEDED) needed.emplace_back(reinterpret_cast<const char*>(strings + entry->d_un.d_val));
  }
  return needed;
}

// The program is the first image in the list, whatever name the loader gives it.
std::string path_of(const dl_phdr_info& info, bool is_first) {
  return is_first || info.dlpi_name == nullptr || info.dlpi_name[0] == '\0' ? main_program() : absolute(info.dlpi_name);
}

int append_image(dl_phdr_info* info, size_t, void* list) {
  auto& images = *static_cast<std::vector<LoadedImage>*>(list);
  images.push_back({path_of(*info, images.empty()), needed_by(*info)});
  return 0;
}

struct AddressSearch {
  ElfW(Addr) address = 0;
  bool is_first = true;
  std::string path;
};

int find_address(dl_phdr_info* info, size_t, void* data) {
  auto& search = *static_cast<AddressSearch*>(data);
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto& header = info->dlpi_phdr[i];
    const ElfW(Addr) start = info->dlpi_addr + header.p_vaddr;
    if (header.p_type == PT_LOAD && search.address >= start && search.address < start + header.p_memsz) {
      search.path = path_of(*info, search.is_first);
      return 1;
    }
  }
  search.is_first = false;
  return 0;
}
#endif

struct HandleCloser {
  void operator()(void* handle) const noexcept { dlclose(handle); }
};
using Handle = std::unique_ptr<void, HandleCloser>;

}  // namespace

std::vector<LoadedImage> loaded_images() {
  std::vector<LoadedImage> images;
#if defined(__linux__)
  dl_iterate_phdr(append_image, &images);
#elif defined(__APPLE__)
  for (uint32_t i = 0; i < _dyld_image_count(); i++) images.push_back({absolute(_dyld_get_image_name(i)), {}});
#endif
  return images;
}

std::string main_program() {
#if defined(__linux__)
  return absolute("/proc/self/exe");
#elif defined(__APPLE__)
  std::array<char, PATH_MAX> path{};
  uint32_t size = path.size();
  return _NSGetExecutablePath(path.data(), &size) == 0 ? absolute(path.data()) : std::string();
#else
  return {};
#endif
}

std::string image_of(const void* address) {
#if defined(__linux__)
  // Not dladdr: it names the program as it was started, by a path that may be relative to another folder.
  AddressSearch search;
  search.address = reinterpret_cast<ElfW(Addr)>(address);
  dl_iterate_phdr(find_address, &search);
  return search.path;
#else
  Dl_info info{};
  if (address == nullptr || dladdr(address, &info) == 0 || info.dli_fname == nullptr) return {};
  return absolute(info.dli_fname);
#endif
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

const void* program_definition(const char* symbol) {
  // Not RTLD_DEFAULT, which searches the way this image was loaded: with DEEPBIND that is our own libraries first.
  const Handle program(dlopen(nullptr, RTLD_LAZY));
  const void* address = program == nullptr ? nullptr : dlsym(program.get(), symbol);
  return image_of(address) == main_program() ? address : nullptr;
}

void* function_beside(const void* neighbour, const char* symbol) {
  Dl_info info{};
  if (neighbour == nullptr || dladdr(neighbour, &info) == 0) return nullptr;
  const Handle image(dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD));
  return image == nullptr ? nullptr : dlsym(image.get(), symbol);
}

}  // namespace system_tls::openssl
