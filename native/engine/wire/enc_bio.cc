#include "engine/wire/enc_bio.h"

namespace system_tls::engine {

namespace {

EncSide& side_of(BIO* bio) { return *static_cast<EncSide*>(BIO_get_data(bio)); }

int read_enc(BIO* bio, char* to, std::size_t size, std::size_t* count) {
  EncSide& side = side_of(bio);
  EncIn& in = side.in;
  BIO_clear_retry_flags(bio);
  if (side.ktls && side.ktls->reads_socket()) {
    return side.ktls->read(bio, {reinterpret_cast<std::uint8_t*>(to), size}, count, in);
  }
  *count = in.readable() ? in.read({reinterpret_cast<std::uint8_t*>(to), size}) : 0;
  if (side.datagrams && *count != 0) {
    in.discard();
    *count = side.datagrams->admit({reinterpret_cast<std::uint8_t*>(to), *count});
  }
  if (*count != 0) return 1;
  if (!in.at_eof() || in.end_is_hidden(size)) BIO_set_retry_read(bio);
  return 0;
}

int write_enc(BIO* bio, const char* from, std::size_t size, std::size_t* count) {
  BIO_clear_retry_flags(bio);
  EncSide& side = side_of(bio);
  *count = size;
  if (side.muted) return 1;
  side.out.append({reinterpret_cast<const std::uint8_t*>(from), size});
  if (side.ktls) side.ktls->wrote(size);
  if (side.datagrams) side.datagrams->wrote(size);
  return 1;
}

// BIO_C_GET_FD and the controls of kernel TLS.
long control_socket(EncSide& side, int command, long number, void* pointer) {
  if (side.ktls) return side.ktls->control(command, number, pointer, side.out);
  return command == BIO_C_GET_FD ? -1 : 0;
}

long control_enc(BIO* bio, int command, long number, void* pointer) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;  // anything else fails the handshake
    case BIO_CTRL_EOF:
      // Without it a truncation is SSL_ERROR_SYSCALL with an empty error queue, as it is to be where the transport
      // broke: OpenSSL would call that an end, and answer it with an alert.
      return side_of(bio).in.at_eof() && !side_of(bio).in.failure() ? 1 : 0;
    case BIO_CTRL_PENDING:
      return static_cast<long>(side_of(bio).in.size());
    case BIO_CTRL_WPENDING:
      // libssl subtracts it from the MTU: what the next datagram holds already, and here each is complete.
      return side_of(bio).datagrams ? 0 : static_cast<long>(side_of(bio).out.size());
    default:
      if (side_of(bio).datagrams) return side_of(bio).datagrams->control(command, number);
      return control_socket(side_of(bio), command, number, pointer);
  }
}

// Immutable after it is made, hence safe to share between environments and threads.
const BIO_METHOD* enc_method() {
  static const openssl::BioMethodPtr method = [] {
    // A descriptor, for SSL_get_wfd(3), by which SSL_sendfile(3) finds the socket.
    constexpr int kType = BIO_TYPE_SOURCE_SINK | BIO_TYPE_DESCRIPTOR;
    openssl::BioMethodPtr made(BIO_meth_new(BIO_get_new_index() | kType, "system-tls enc"));
    if (!made) return made;
    BIO_meth_set_read_ex(made.get(), read_enc);
    BIO_meth_set_write_ex(made.get(), write_enc);
    BIO_meth_set_ctrl(made.get(), control_enc);
    return made;
  }();
  return method.get();
}

}  // namespace

openssl::BioPtr make_enc_bio(EncSide& side) {
  const BIO_METHOD* method = enc_method();
  openssl::BioPtr bio(method == nullptr ? nullptr : BIO_new(method));
  if (!bio) return bio;
  BIO_set_data(bio.get(), &side);
  BIO_set_init(bio.get(), 1);
  return bio;
}

}  // namespace system_tls::engine
