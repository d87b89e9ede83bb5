// What SSL_trace(3) writes about the messages of one connection, to the standard error of the process.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "openssl/library/handles.h"

namespace system_tls::engine {

class MessageTrace {
 public:
  // Null: this libssl was built without.
  static std::unique_ptr<MessageTrace> create();

  // As SSL_set_msg_callback(3) tells it. What cannot be written is lost, and no failure of the connection's.
  void message(int sent, int version, int content_type, std::span<const std::uint8_t> message, SSL* ssl);

 private:
  explicit MessageTrace(openssl::BioPtr text) : text_(std::move(text)) {}

  // A message at a time: SSL_trace writes a few bytes in each call, and loses those that a full pipe does not take.
  openssl::BioPtr text_;
};

}  // namespace system_tls::engine
