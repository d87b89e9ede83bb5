#include "binding/datagram_socket.h"

#include "binding/core/failure.h"
#include "binding/core/options_reader.h"
#include "binding/core/values.h"
#include "binding/core/wrap.h"
#include "io/transports/socket.h"

namespace system_tls::binding {

namespace {

napi_value connect_datagram(const Call& call) {
  io::DatagramOptions options;
  OptionsReader reader(call.env, call[0], "options");
  reader.read("address", options.address)
      .read("port", options.port)
      .read("localAddress", options.local_address)
      .read("localPort", options.local_port);
  if (!reader.ok()) return nullptr;
  openssl::FailurePtr failure;
  io::Fd fd = io::connect_datagram(options, failure);
  return fd ? to_js(call.env, fd.release()) : throw_failure(call.env, failure);
}

}  // namespace

bool define_datagram_socket(napi_env env, napi_value exports) {
  return define_function<connect_datagram>(env, exports, "connectDatagram");
}

}  // namespace system_tls::binding
