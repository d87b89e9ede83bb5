// Which files are mapped into this process, and which of them a function comes from.
#pragma once

#include <string>
#include <vector>

namespace system_tls::openssl {

struct LoadedImage {
  std::string path;
  std::vector<std::string> needed;  // the libraries that it asks the loader for, by soname
};

// Empty where the platform offers no list.
std::vector<LoadedImage> loaded_images();

// The absolute path of the image that holds this address; empty if there is none.
std::string image_of(const void* address);

// The absolute path of the program itself.
std::string main_program();

// The last part of a path.
std::string file_name(const std::string& path);

// A function's address in the shape that dladdr wants.
template <typename Result, typename... Arguments>
const void* address_of(Result (*function)(Arguments...)) {
  return reinterpret_cast<const void*>(function);
}

// The program's own definition of a symbol, where it exports one; null otherwise. Node exports its bundled OpenSSL.
const void* program_definition(const char* symbol);

// A function that only newer libraries have, looked up in the image that holds `neighbour` and nowhere else.
// Null if it has none.
void* function_beside(const void* neighbour, const char* symbol);

}  // namespace system_tls::openssl
