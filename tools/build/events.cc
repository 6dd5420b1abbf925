// SPDX-License-Identifier: MIT
#include "tools/build/events.h"

#include "store/base/sys.h"

#include <nlohmann/json.hpp>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

namespace oblea::tools::build {
namespace {

using nlohmann::json;
using Kind = Event::Kind;

// Far below what a socket takes at once; an instruction that is longer is shown in part.
constexpr std::size_t kTextBytesMax = 64U << 10U;
constexpr std::size_t kEventBytesMax = 160U << 10U;

constexpr std::array kKinds{
    std::pair{Kind::step, "step"},       std::pair{Kind::image, "image"},
    std::pair{Kind::cached, "cached"},   std::pair{Kind::running, "running"},
    std::pair{Kind::removed, "removed"}, std::pair{Kind::note, "note"},
    std::pair{Kind::done, "done"},       std::pair{Kind::failed, "failed"}};

}  // namespace

char const* kind_name(Event::Kind kind) {
    return std::ranges::find(kKinds, kind, &std::pair<Kind, char const*>::first)->second;
}

std::string encode_event(Event const& event) {
    json const document = {{"kind", kind_name(event.kind)},
                           {"step", event.step},
                           {"text", event.text.substr(0, kTextBytesMax)},
                           {"code", event.code},
                           {"names", event.names}};
    return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

Result<Event> parse_event(std::string_view text) {
    json const document = json::parse(text, nullptr, false);
    if (!document.is_object()) {
        return fail(Errno::einval, "", "an event of a stage cannot be read");
    }
    std::string const name = document.value("kind", "");
    auto const kind =
        std::ranges::find_if(kKinds, [&](auto const& one) { return one.second == name; });
    if (kind == kKinds.end()) {
        return fail(Errno::einval, "", "unknown event of a stage: " + name);
    }
    return Event{.kind = kind->first,
                 .step = document.value("step", std::size_t{0}),
                 .text = document.value("text", ""),
                 .code = document.value("code", 0),
                 .names = document.value("names", std::vector<std::string>{})};
}

void EventSender::send(Event const& event) const {
    std::string const text = encode_event(event);
    static_cast<void>(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL));
}

Result<std::optional<Event>> receive_event(int socket) {
    std::string text(kEventBytesMax, '\0');
    ssize_t const count = ::recv(socket, text.data(), text.size(), 0);
    if (count < 0) {
        return fail(base::sys::last_errno(), "recv");
    }
    if (count == 0) {
        return std::optional<Event>{};
    }
    return std::optional{
        OBLEA_TRY(parse_event(std::string_view{text}.substr(0, static_cast<std::size_t>(count))))};
}

}  // namespace oblea::tools::build
