// SPDX-License-Identifier: MIT
#include "tools/registry/transfer_blobs.h"

#include "store/base/mutex.h"

#include <algorithm>
#include <optional>
#include <thread>

namespace oblea::registry {

namespace {

using State = store::ImportProgress::State;

class Transfers {
public:
    Transfers(std::vector<BlobTransfer> transfers, TransferOptions const& options,
              TransferListener const& listener)
        : transfers_(std::move(transfers)), options_(options), listener_(listener),
          board_(listener.progress) {
        for (auto& transfer : transfers_) {
            slots_.push_back(nullptr);
            if (!transfer.id.empty()) {
                slots_.back() = &board_.add(transfer.id, transfer.blob.bytes);
                transfer.blob.progress_bytes = &slots_.back()->bytes;
            }
        }
    }

    Status run() {
        std::vector<std::jthread> helpers;
        for (std::size_t i = 1; i < std::min(options_.at_once, transfers_.size()); ++i) {
            helpers.emplace_back([this] { work(); });
        }
        work();
        helpers.clear();  // joined
        base::LockGuard const lock{mutex_};
        if (failure_.has_value()) {
            return std::unexpected<Error>(*failure_);
        }
        return {};
    }

private:
    void work() {
        for (std::size_t i = next_++; i < transfers_.size(); i = next_++) {
            auto* const slot = slots_[i];
            if (slot != nullptr) {
                slot->state = State::reading;
            }
            auto const put = options_.put(transfers_[i].blob);
            if (!put.has_value()) {
                next_ = transfers_.size();
                base::LockGuard const lock{mutex_};
                if (!failure_.has_value()) {
                    failure_ = put.error();
                }
                return;
            }
            if (slot != nullptr) {
                slot->state = put->outcome == PushedBlob::Outcome::uploaded ? State::done
                                                                            : State::already_there;
                tell(transfers_[i].id, words_for(*put, options_.arrived));
            }
        }
    }

    void tell(std::string const& id, std::string const& state) {
        if (listener_.event) {
            base::LockGuard const lock{mutex_};
            listener_.event(id, state);
        }
    }

    std::vector<BlobTransfer> transfers_;
    TransferOptions const& options_;
    TransferListener const& listener_;
    store::ProgressBoard board_;
    std::vector<store::ProgressBoard::Slot*> slots_;  // null for what is not talked of
    std::atomic<std::size_t> next_{0};
    base::Mutex mutex_;
    std::optional<Error> failure_ OBLEA_GUARDED_BY(mutex_);
};

}  // namespace

Status transfer_blobs(std::vector<BlobTransfer> transfers, TransferOptions const& options,
                      TransferListener const& listener) {
    Transfers all{std::move(transfers), options, listener};
    return all.run();
}

}  // namespace oblea::registry
