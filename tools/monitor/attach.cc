// SPDX-License-Identifier: MIT
#include "tools/monitor/attach.h"

#include "store/base/sys.h"
#include "tools/monitor/standard_streams.h"
#include "tools/monitor/terminal.h"
#include "tools/monitor/wire.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <csignal>

namespace oblea::tools {
namespace {

namespace sys = base::sys;
using base::UniqueFd;

// Those that are for the container.
std::vector<int> const kPassedSignals{SIGWINCH, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};

class Attached {
public:
    Attached(UniqueFd monitor, AttachRequest const& request, DetachKeys keys)
        : monitor_(std::move(monitor)), request_(request), keys_(std::move(keys)),
          raw_(request.input == AttachRequest::Input::all &&
               request.terminal == AttachRequest::Terminal::yes && ::isatty(STDIN_FILENO) != 0),
          signals_(kPassedSignals) {}

    Result<std::optional<int>> run() {
        std::optional<RawTerminal> raw;
        if (raw_) {
            raw.emplace();
        }
        OBLEA_TRY(send(Frame::Kind::attach, ""));
        OBLEA_TRY(send_size());
        if (request_.begin == AttachRequest::Begin::yes) {
            OBLEA_TRY(send(Frame::Kind::begin, ""));
        }
        if (request_.input == AttachRequest::Input::none) {
            OBLEA_TRY(send(Frame::Kind::input_end, ""));
        }
        input_ = request_.input == AttachRequest::Input::all ? Input::open : Input::ended;
        while (!exit_.has_value() && !detached_) {
            OBLEA_TRY(turn());
        }
        return exit_;
    }

private:
    Status send(Frame::Kind kind, std::string_view payload) {
        std::string const frame = encode_frame(kind, payload);
        auto sent = sys::write_all(monitor_.get(), base::bytes_of(frame));
        // Its last words may still be there to be read.
        return !sent.has_value() && sent.error().code == Errno::epipe ? Status{} : sent;
    }

    Status send_size() {
        winsize size{};
        if (request_.terminal == AttachRequest::Terminal::no ||
            ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) {
            return {};
        }
        return send(Frame::Kind::resize, fmt::format("{} {}", size.ws_row, size.ws_col));
    }

    Status turn() {
        std::array<pollfd, 3> waiting{pollfd{.fd = monitor_.get(), .events = POLLIN, .revents = 0},
                                      pollfd{.fd = signals_.fd(), .events = POLLIN, .revents = 0},
                                      pollfd{.fd = input_ == Input::open ? STDIN_FILENO : -1,
                                             .events = POLLIN,
                                             .revents = 0}};
        if (::poll(waiting.data(), waiting.size(), -1) < 0) {
            return {};
        }
        if (waiting[1].revents != 0) {
            OBLEA_TRY(pass_signals());
        }
        if (waiting[2].revents != 0) {
            OBLEA_TRY(pass_input());
        }
        return waiting[0].revents != 0 ? take_output() : Status{};
    }

    Status pass_signals() {
        signalfd_siginfo info{};
        while (::read(signals_.fd(), &info, sizeof(info)) == sizeof(info)) {
            if (info.ssi_signo == SIGWINCH) {
                OBLEA_TRY(send_size());
            } else {
                OBLEA_TRY(send(Frame::Kind::signal, std::to_string(info.ssi_signo)));
            }
        }
        return {};
    }

    Status pass_input() {
        std::array<std::byte, kStreamBytes> buffer{};
        auto const count = sys::read_some(STDIN_FILENO, buffer);
        if (!count.has_value() || *count == 0) {
            input_ = Input::ended;
            return send(Frame::Kind::input_end, "");
        }
        std::string_view const typed = base::text_of(base::ByteView{buffer}.first(*count));
        if (!raw_) {
            return send(Frame::Kind::input, typed);
        }
        DetachKeys::Fed const fed = keys_.feed(typed);
        detached_ = fed.detached;
        return fed.pass.empty() ? Status{} : send(Frame::Kind::input, fed.pass);
    }

    Status take_output() {
        std::array<std::byte, kStreamBytes> buffer{};
        auto const count = sys::read_some(monitor_.get(), buffer);
        if (!count.has_value() || *count == 0) {
            return fail(Errno::eio, "", "the container's monitor was lost");
        }
        received_ += base::text_of(base::ByteView{buffer}.first(*count));
        for (;;) {
            auto const frame = OBLEA_TRY(take_frame(received_));
            if (!frame.has_value()) {
                return {};
            }
            if (frame->kind == Frame::Kind::exit) {
                int code = 0;
                std::from_chars(frame->payload.data(),
                                frame->payload.data() + frame->payload.size(), code);
                exit_ = code;
            } else if (frame->kind == Frame::Kind::output || frame->kind == Frame::Kind::errors) {
                bool const errors = frame->kind == Frame::Kind::errors;
                OBLEA_TRY(sys::write_all(errors ? STDERR_FILENO : STDOUT_FILENO,
                                         base::bytes_of(frame->payload)));
            }
        }
    }

    UniqueFd monitor_;
    AttachRequest const& request_;
    DetachKeys keys_;
    bool raw_;
    BlockedSignals signals_;
    std::string received_;
    enum class Input { open, ended } input_ = Input::ended;
    std::optional<int> exit_;
    bool detached_ = false;
};

}  // namespace

Result<DetachKeys> DetachKeys::parse(std::string_view text) {
    std::string keys;
    std::string_view rest = text;
    while (!rest.empty()) {
        auto const comma = rest.find(',');
        std::string_view const key = rest.substr(0, comma);
        rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
        constexpr std::string_view kControl = "ctrl-";
        if (key.size() == 1) {
            keys += key;
            continue;
        }
        char const last = key.empty() ? '\0' : key.back();
        bool const letter = last >= 'a' && last <= 'z';
        bool const sign = last == '@' || (last >= '[' && last <= '_');
        if (key.size() != kControl.size() + 1 || !key.starts_with(kControl) || (!letter && !sign)) {
            return fail(Errno::einval, "", fmt::format("invalid detach keys ({})", text));
        }
        keys += static_cast<char>(letter ? last - 'a' + 1 : last - '@');
    }
    return DetachKeys{std::move(keys)};
}

DetachKeys::Fed DetachKeys::feed(std::string_view typed) {
    Fed fed;
    for (char const c : typed) {
        if (keys_.empty()) {
            fed.pass += c;
            continue;
        }
        if (c != keys_[matched_] && matched_ > 0) {
            fed.pass += keys_.substr(0, matched_);
            matched_ = 0;
        }
        if (c != keys_[matched_]) {
            fed.pass += c;
            continue;
        }
        if (++matched_ == keys_.size()) {
            fed.detached = true;
            return fed;
        }
    }
    return fed;
}

Status check_terminal(AttachRequest const& request) {
    if (request.input == AttachRequest::Input::all &&
        request.terminal == AttachRequest::Terminal::yes && ::isatty(STDIN_FILENO) == 0) {
        return fail(Errno::einval, "", "the input device is not a TTY");
    }
    return {};
}

Result<std::optional<int>> attach(UniqueFd monitor, AttachRequest const& request) {
    DetachKeys keys = OBLEA_TRY(DetachKeys::parse(request.detach_keys));
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    auto ended = Attached{std::move(monitor), request, std::move(keys)}.run();
    static_cast<void>(std::signal(SIGPIPE, SIG_DFL));
    return ended;
}

}  // namespace oblea::tools
