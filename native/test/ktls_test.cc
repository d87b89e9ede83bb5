// A socket that OpenSSL reads from by itself, and the queue that the kernel makes records of. Where the kernel has TLS,
// it encrypts here too; where it has not, OpenSSL goes on without it, on the same transport.
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "io/transports/file.h"
#include "io/transports/ktls_transport.h"
#include "io/transports/socket.h"
#include "test/check.h"
#include "test/loop.h"
#include "test/temporary_file.h"

namespace system_tls::test {
namespace {

using engine::Operation;
using io::EventKind;

// What fits into the sockets of a connection whose buffers are as small as the system allows.
constexpr int kTiny = 1;

bool tcp_pair(io::Fd& near, io::Fd& far, int buffer) {
  sockaddr_in name{};
  socklen_t size = sizeof name;
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const io::Fd listener(::socket(AF_INET, SOCK_STREAM, 0));
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&name), size) != 0 || ::listen(listener.get(), 1) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0) {
    return false;
  }
  io::Fd client(::socket(AF_INET, SOCK_STREAM, 0));
  if (buffer != 0) ::setsockopt(client.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  if (::connect(client.get(), reinterpret_cast<sockaddr*>(&name), size) != 0) return false;
  io::Fd server(::accept(listener.get(), nullptr, nullptr));
  if (buffer != 0) ::setsockopt(server.get(), SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  const int on = 1;
  for (const io::Fd* end : {&client, &server}) ::setsockopt(end->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  openssl::FailurePtr failure;
  near = io::adopt_stream_socket(client.release(), true, failure);
  far = io::adopt_stream_socket(server.release(), true, failure);
  return near && far;
}

// Asks the kernel if it may be asked; the transport is the same whatever it says.
bool connect_ktls(Ends& ends, int buffer) {
  io::Fd near;
  io::Fd far;
  if (!tcp_pair(near, far, buffer)) return false;
  io::KtlsTransport::refused(near.get());
  io::KtlsTransport::refused(far.get());
  return !ends.client->set_ktls_socket(near, true) && !ends.server->set_ktls_socket(far, true);
}

bool kernel_is_bound_to() { return std::getenv("SYSTEM_TLS_KTLS") != nullptr; }

const Register kRefused("a socket that refuses bytes, in the handshake and after it", [] {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const int buffer : {0, kTiny}) {
      Loop loop;
      Ends ends = make_ends(loop, version);
      CHECK(connect_ktls(ends, buffer));
      CHECK(megabyte_both_ways(loop, ends));
      // With a buffer that cannot take the handshake's last flight, OpenSSL has to do without the kernel.
      const engine::Ktls& ktls = *ends.client->connection()->enc().ktls;
      if (kernel_is_bound_to() && buffer == 0) CHECK(ktls.sends());
      CHECK(ktls.reads_socket() == ktls.receives());
      {
        const io::Turn turn(*loop.reactor);
        ends.client->start(operation(3, Operation::Shutdown{true}));
        ends.server->start(operation(2, Operation::Shutdown{}));
      }
      CHECK(loop.run_until([&] { return loop.count(kClient, EventKind::end) == 1; }));
      CHECK(loop.run_until([&] { return loop.count(kServer, EventKind::end) == 1; }));
      CHECK(loop.count(kClient, EventKind::failed) == 0 && loop.count(kServer, EventKind::failed) == 0);
    }
  }
  return true;
});

const Register kVanish("a peer that vanishes from a socket that OpenSSL reads, at every point of a handshake", [] {
  for (int after = 0; after < 30; ++after) {
    Loop loop;
    Ends ends = make_ends(loop, after % 2 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION);
    CHECK(connect_ktls(ends, 0));
    CHECK(server_vanishes(loop, ends, after));
  }
  return true;
});

Operation file_operation(engine::OperationId id, int fd, std::uint64_t begin, std::size_t length) {
  openssl::FailurePtr failure;
  return {id, Operation::SendFile{io::File::open(fd, failure), begin, 0, length}};
}

struct Content {
  io::Fd file;
  std::string bytes;
};

bool make_content(Content& content) {
  auto [path, file] = make_temporary_file();
  if (!file) return false;
  ::unlink(path.c_str());
  for (int i = 0; i < 200'000; ++i) content.bytes += static_cast<char>(i * 7 + i / 256);
  content.file = std::move(file);
  const auto written = ::write(content.file.get(), content.bytes.data(), content.bytes.size());
  return written == static_cast<ssize_t>(content.bytes.size());
}

const Register kFile("files in the order of writes, through a socket that takes little", [] {
  Content content;
  CHECK(make_content(content));
  const int file = content.file.get();
  for (const int buffer : {0, kTiny}) {
    Loop loop;
    Ends ends = make_ends(loop, TLS1_3_VERSION);
    CHECK(connect_ktls(ends, buffer));
    {
      const io::Turn turn(*loop.reactor);
      ends.server->start_flow();
      ends.client->start(write_operation(1, "head"), false);
      ends.client->start(file_operation(2, file, 0, engine::kWholeFile), false);
      ends.client->start(write_operation(3, "between"), false);
      ends.client->start(file_operation(4, file, 199'999, 5), false);
      ends.client->start(write_operation(5, "tail"), false);
    }
    const std::string expected = "head" + content.bytes + "between" + content.bytes.back() + "tail";
    CHECK(loop.run_until([&] { return loop.received[kServer].size() >= expected.size(); }));
    CHECK(loop.received[kServer] == expected);
    CHECK(loop.run_until([&] { return loop.count(kClient, EventKind::operation_done) == 4; }));
    CHECK(loop.count(kClient, EventKind::operation_failed) == 1);  // the one that is too short
    CHECK(loop.count(kClient, EventKind::failed) == 0);
  }
  return true;
});

// sendfile(2) may be asked for more than the file has, and the kernel then waits for the rest of a record.
const Register kLastRecord("all of a file arrives although nothing follows it", [] {
  Content content;
  CHECK(make_content(content));
  for (const std::size_t length : {std::size_t{engine::kWholeFile}, std::size_t{50'000}, std::size_t{300'000}}) {
    Loop loop;
    Ends ends = make_ends(loop, TLS1_3_VERSION);
    CHECK(connect_ktls(ends, 0));
    {
      const io::Turn turn(*loop.reactor);
      ends.server->start_flow();
      ends.client->start(file_operation(1, content.file.get(), 0, length), false);
    }
    const std::string expected = content.bytes.substr(0, length);
    CHECK(loop.run_until([&] { return loop.received[kServer].size() >= expected.size(); }));
    CHECK(loop.received[kServer] == expected);
  }
  return true;
});

const Register kNoFile("what is no regular file is refused", [] {
  openssl::FailurePtr failure;
  CHECK(!io::File::open(-1, failure) && failure->system_error == EBADF);
  const io::Fd folder(::open("/tmp", O_RDONLY));
  CHECK(!io::File::open(folder.get(), failure) && failure->system_error == EISDIR);
  const io::Fd device(::open("/dev/zero", O_RDONLY));
  CHECK(!io::File::open(device.get(), failure) && failure->system_error == ESPIPE);
  return true;
});

const Register kLong("the length of a file that needs more than 31 bits", [] {
  Loop loop;
  Ends ends = make_ends(loop, TLS1_3_VERSION);
  constexpr std::int64_t kLength = 5'000'000'000;
  std::int64_t told = 0;
  loop.on_event = [&](const io::Event& event) {
    if (event.kind == EventKind::operation_done) told = event.b + (static_cast<std::int64_t>(event.c) << 31);
  };
  {
    const io::Turn turn(*loop.reactor);
    ends.client->operation_done(9, kLength);
  }
  CHECK(loop.run_until([&] { return told != 0; }));
  CHECK(told == kLength);
  return true;
});

}  // namespace
}  // namespace system_tls::test
