#include "engine/wire/ktls.h"

#include <openssl/bio.h>

#include <algorithm>
#include <cerrno>

namespace system_tls::engine {

namespace {
// The controls by which libssl speaks to a socket BIO. <openssl/bio.h> reserves the numbers and names two of them; the
// same from OpenSSL 3.0 to 3.6. openssl::has_ktls() tries kSetRecordType on the library in use.
constexpr int kSetKeys = 72;          // BIO_CTRL_SET_KTLS
constexpr int kSetRecordType = 74;    // BIO_CTRL_SET_KTLS_TX_SEND_CTRL_MSG
constexpr int kClearRecordType = 75;  // BIO_CTRL_CLEAR_KTLS_TX_CTRL_MSG
}  // namespace

long Ktls::control(int command, long number, void* pointer, ByteQueue& out) {
  if (!socket_) return command == BIO_C_GET_FD ? -1 : 0;
  switch (command) {
    case kSetKeys:
      return start(number, pointer, out);
    case kSetRecordType:
      next_type_ = static_cast<std::uint8_t>(number);
      return 0;
    case kClearRecordType:
      next_type_ = 0;
      return 0;
    case BIO_CTRL_GET_KTLS_SEND:
      return sends_ ? 1 : 0;
    case BIO_CTRL_GET_KTLS_RECV:
      return receives_ ? 1 : 0;
    case BIO_C_GET_FD:
      return BIO_ctrl(socket_.get(), command, number, pointer);
    default:
      return 0;
  }
}

// What was encrypted for the old keys must be gone: the kernel would encrypt it again. If it is not, OpenSSL goes on
// without the kernel.
long Ktls::start(long sending, void* keys, ByteQueue& out) {
  if (sending != 0) {
    if (transport_ != nullptr) transport_->flush(out);
    if (!out.empty()) return 0;
  }
  const long started = BIO_ctrl(socket_.get(), kSetKeys, sending, keys);
  if (started <= 0) return started;
  if (sending != 0) {
    sends_ = true;
    written_ = sent_ = 0;
  } else {
    receives_ = true;
  }
  return started;
}

void Ktls::wrote(std::size_t count) {
  if (!sends_) return;
  if (next_type_ != 0) records_.push({written_, count, next_type_});
  next_type_ = 0;
  written_ += count;
}

int Ktls::read(BIO* bio, std::span<std::uint8_t> to, std::size_t* count, EncIn& in) {
  *count = 0;
  if (!in.stopped() && allowance_ != 0 && socket_) {
    errno = 0;
    const int result = BIO_read_ex(socket_.get(), to.data(), to.size(), count);
    if (result == 1) {
      allowance_ -= std::min(allowance_, *count);
      return 1;
    }
    if (BIO_should_retry(socket_.get()) == 0) {
      if (BIO_eof(socket_.get()) != 0) in.set_eof();
      // A kernel that decrypts does not tell where in a record the end came.
      const bool hidden = in.at_eof() && in.end_is_hidden(receives_ ? EncIn::kHeader : to.size());
      if (in.at_eof() && !hidden) return 0;
      if (!in.at_eof()) {
        read_error_ = errno;
        return -1;  // libssl looks at errno: EBADMSG is a record that the kernel could not decrypt
      }
    }
  }
  allowance_ = 0;
  BIO_set_retry_read(bio);
  errno = EAGAIN;
  return -1;
}

Ktls::Run Ktls::next(std::size_t queued) {
  if (records_.empty()) return {queued, 0};
  const Record& record = records_.front();
  if (record.begin > sent_) return {static_cast<std::size_t>(record.begin - sent_), 0};
  return {static_cast<std::size_t>(record.begin + record.size - sent_), record.type};
}

void Ktls::sent(std::size_t count) {
  if (!sends_) return;
  sent_ += count;
  while (!records_.empty() && records_.front().begin + records_.front().size <= sent_) records_.pop();
}

int Ktls::send_record(std::uint8_t type, std::span<const std::uint8_t> bytes) {
  BIO_ctrl(socket_.get(), kSetRecordType, type, nullptr);
  return BIO_write(socket_.get(), bytes.data(), static_cast<int>(bytes.size()));
}

}  // namespace system_tls::engine
