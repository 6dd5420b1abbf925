// SPDX-License-Identifier: MIT
#include "tools/mount/served_mount.h"

#include "fs/mountinfo.h"
#include "fs/shared_memory.h"
#include "store/base/sys.h"
#include "tools/mount/life_line.h"
#include "tools/mount/rfc3339.h"
#include "tools/mount/successor.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace oblea::tools {
namespace {

namespace sys = base::sys;

}  // namespace

Status ServedMount::describe() {
    fs::MountTerms const terms = server_->terms();
    MountInfo& info = description_.info;
    info.mount_point = server_->mount_point();
    info.pid = ::getpid();
    info.protocol =
        fmt::format("{}.{}, {}", terms.protocol_major, terms.protocol_minor, terms.mode);
    info.data = terms.mode;
    info.reason = terms.reason;
    info.transport = terms.transport;
    info.transport_reason = terms.transport_reason;
    info.started = rfc3339_now();
    info.program = server_->can_resume() ? OBLEA_VERSION : "";
    description_.counters = server_->counters();
    auto const table = OBLEA_TRY(fs::read_mountinfo());
    if (auto const entry = fs::top_mount_at(table, info.mount_point)) {
        description_.device = entry->device;
    }
    return publish(encode_mount(description_));
}

Status ServedMount::adopt_description(std::string const& text) {
    auto description = parse_encoded_mount(text);
    if (!description.has_value()) {
        return fail(Errno::eio, "", "the mount's description cannot be read");
    }
    description_ = *std::move(description);
    return {};
}

void ServedMount::publish_again() {
    log_end(publish(encode_mount(description_)));
}

void ServedMount::serve(StopSignals& signals, Status resumed) {
    pid_t const holder = ::getppid();
    Status ended = std::move(resumed);
    if (ended.has_value()) {
        ended = signals.run(*server_, [this] {
            // The one who holds the mount is gone: this is the process to name and to wait for.
            description_.info.pid = ::getpid();
            description_.info.program.clear();
            description_.counters = server_->counters();
            publish_again();
        });
        log_end(ended);
        auto const left = end_serving(::getppid() == holder ? Holder::lives : Holder::gone);
        log_end(left);
        ended = ended.has_value() ? left : ended;
    } else {
        log_end(ended);
    }
    std::fflush(nullptr);
    ::_exit(ended.has_value() ? 0 : 1);
}

void ServedMount::serve_adopted(StopSignals& signals) {
    serve(signals, {});
}

// From the file that this program came from, whatever is there now. Why there is none is told when
// the next server starts.
void ServedMount::load_program() {
    ++description_.info.upgrades;
    description_.info.upgrade_error.clear();
    auto const path = program_of("self");
    auto opened = path.has_value() ? sys::open(path->c_str(), O_RDONLY)
                                   : Result<base::UniqueFd>{std::unexpected<Error>(path.error())};
    if (opened.has_value()) {
        program_ = *std::move(opened);
    } else {
        description_.info.upgrade_error = opened.error().message();
        publish_again();
    }
}

Result<ServedMount::Successor> ServedMount::start_successor(fs::Server::Crashed crashed) {
    LifeLine line = OBLEA_TRY(LifeLine::make());
    MountHandover what = handover();
    what.life = line.servers.get();
    what.description = encode_mount(description_);
    what.server = server_->handover();
    std::string const encoded = encode_handover(what);
    auto const text = OBLEA_TRY(fs::SharedMemory::make("oblea-handover", encoded.size()));
    std::ranges::copy(encoded, text.as<char>().begin());
    std::vector<int> kept = descriptors_of(what);
    kept.insert(kept.end(), {text.descriptor(), program_.get()});
    EndOfHolder const end;
    Child child = OBLEA_TRY(start_child(Parentage::own, kept, [&](Report& report) {
        end.inherit();
        kept.back() = report.fd();  // the program's own descriptor closes when it runs
        for (int const descriptor : kept) {
            ::fcntl(descriptor, F_SETFD, 0);
        }
        report.failure(exec_successor(program_.get(), text.descriptor(), report.fd(), crashed));
        return 1;
    }));
    return Successor{.process = {.pid = child.pid, .life = std::move(line.holders)},
                     .version = std::move(child.report)};
}

Result<ServerProcess> ServedMount::start_server(StopSignals& signals, First first,
                                                fs::Server::Crashed crashed) {
    if (program_.valid()) {
        auto child = start_successor(crashed);
        if (child.has_value()) {
            description_.info.program = child->version;
        } else {
            // What served before goes on: its memory is as it was.
            description_.info.upgrade_error = child.error().message();
            description_.info.program = OBLEA_VERSION;
            program_.reset();
            log_end(Status{std::unexpected<Error>(child.error())});
        }
        publish_again();
        if (child.has_value()) {
            return std::move(child->process);
        }
    }
    return fork_server(
        [&] { serve(signals, first == First::yes ? Status{} : server_->resume(crashed)); });
}

Status ServedMount::run(StopSignals& signals) {
    return keep_serving(*server_, signals,
                        {.start =
                             [&](First first, fs::Server::Crashed crashed) {
                                 return start_server(signals, first, crashed);
                             },
                         .upgrade = [this] { load_program(); }});
}

}  // namespace oblea::tools
