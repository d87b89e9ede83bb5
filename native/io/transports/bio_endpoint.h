// A BIO of OpenSSL's own (memory, or one end of a pair) that JavaScript and connections share, and the news that it was
// used.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "io/reactor/reactor.h"
#include "openssl/library/handles.h"

namespace system_tls::io {

class BioEndpoint : public std::enable_shared_from_this<BioEndpoint> {
 public:
  // Called inside a turn; must only record.
  class Watcher {
   public:
    virtual ~Watcher() = default;
    virtual void readable() = 0;
    virtual void drained() = 0;
  };

  static std::shared_ptr<BioEndpoint> memory(Reactor& reactor);
  static std::pair<std::shared_ptr<BioEndpoint>, std::shared_ptr<BioEndpoint>> pair(Reactor& reactor, std::size_t size);

  std::size_t write(std::span<const std::uint8_t> bytes);
  // Bytes read; 0 with at_end() false: nothing there now.
  std::size_t read(std::span<std::uint8_t> to);
  bool at_end() const;
  // No more will be written here; `broken`: because what it stands for failed.
  void end(bool broken = false);
  bool ended() const { return ended_; }
  // Nothing will be read here any more: who writes on the other end learns it.
  void ignore();
  // What is written here goes nowhere: the other end of the pair was freed, or ignores it.
  bool unread() const;
  // The other end of a pair will write no more.
  bool far_ended() const;
  bool far_broken() const;
  std::size_t pending() const;
  // Bytes that can be written now.
  std::size_t room() const;

  // The connections that take their input from here, and put their output here.
  void set_reader(std::weak_ptr<Runnable> reader) { reader_ = std::move(reader); }
  void set_writer(std::weak_ptr<Runnable> writer) { writer_ = std::move(writer); }
  void set_watcher(Watcher* watcher) { watcher_ = watcher; }

 private:
  BioEndpoint(std::weak_ptr<Reactor> reactor, std::shared_ptr<BIO> bio)
      : reactor_(std::move(reactor)), bio_(std::move(bio)) {}
  void wake(const std::weak_ptr<Runnable>& runnable);
  // Where bytes written here can be read: the other end of a pair, or this BIO itself.
  std::shared_ptr<BioEndpoint> far_end();
  void bytes_arrived();
  void bytes_left();

  std::weak_ptr<Reactor> reactor_;
  std::shared_ptr<BIO> bio_;
  // OpenSSL keeps what was written in the end that wrote it, and it must stay readable when that end is gone.
  std::shared_ptr<BIO> far_bio_;
  std::weak_ptr<BioEndpoint> partner_;
  std::weak_ptr<Runnable> reader_;
  std::weak_ptr<Runnable> writer_;
  Watcher* watcher_ = nullptr;
  bool paired_ = false;
  bool ended_ = false;
  bool broken_ = false;
  bool ignores_ = false;
};

}  // namespace system_tls::io
