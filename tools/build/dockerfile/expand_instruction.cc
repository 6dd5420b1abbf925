// SPDX-License-Identifier: MIT
// Which parts of an instruction have variables.
#include "tools/build/dockerfile/dockerfile.h"
#include "tools/build/dockerfile/mount_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace oblea::tools::dockerfile {

namespace {

class InstructionExpander {
public:
    InstructionExpander(char escape, Lookup const& lookup) : escape_(escape), lookup_(lookup) {}

    Status operator()(Copy& copy) const { return transfer(copy); }
    Status operator()(Add& add) const {
        OBLEA_TRY(word(add.checksum));
        return transfer(add);
    }
    Status operator()(Env& env) const { return pairs(env.pairs); }
    Status operator()(Label& label) const { return pairs(label.pairs); }
    Status operator()(Volume& volume) const { return words(volume.paths); }
    Status operator()(Workdir& workdir) const { return word(workdir.path); }
    Status operator()(User& user) const { return word(user.user); }
    Status operator()(Stopsignal& stop) const { return word(stop.signal); }

    Status operator()(Run& run) const {
        run.mounts.clear();
        for (Run::MountOptions const& options : run.mount_options) {
            run.mounts.push_back(OBLEA_TRY(plan_mount(options, escape_, lookup_)));
        }
        return {};
    }

    Status operator()(Expose& expose) const {
        std::vector<std::string> ports;
        for (std::string const& text : expose.ports) {
            for (std::string const& spec : OBLEA_TRY(expand_words(text, escape_, lookup_))) {
                OBLEA_TRY(add_ports(ports, spec));
            }
        }
        expose.ports = std::move(ports);
        return {};
    }

    // Their words are the shell's or the config's; those of Arg depend on each other.
    Status operator()(Arg&) const { return {}; }
    Status operator()(Cmd&) const { return {}; }
    Status operator()(Entrypoint&) const { return {}; }
    Status operator()(Healthcheck&) const { return {}; }
    Status operator()(Maintainer&) const { return {}; }
    Status operator()(Onbuild&) const { return {}; }
    Status operator()(Shell&) const { return {}; }

private:
    Status word(std::string& text) const {
        text = OBLEA_TRY(expand_word(text, escape_, lookup_));
        return {};
    }

    Status words(std::vector<std::string>& texts) const {
        for (std::string& text : texts) {
            OBLEA_TRY(word(text));
        }
        return {};
    }

    Status pairs(std::vector<Pair>& list) const {
        for (Pair& pair : list) {
            OBLEA_TRY(word(pair.name));
            OBLEA_TRY(word(pair.value));
        }
        return {};
    }

    Status transfer(Transfer& transfer) const {
        OBLEA_TRY(words(transfer.sources));
        OBLEA_TRY(word(transfer.destination));
        OBLEA_TRY(word(transfer.chown));
        OBLEA_TRY(word(transfer.chmod));
        for (Heredoc& file : transfer.files) {
            file.content = heredoc_text(file);
            file.chomp = false;
            if (file.expand) {
                file.content = OBLEA_TRY(expand_text(file.content, lookup_));
                file.expand = false;
            }
        }
        return {};
    }

    static Result<std::uint16_t> port_number(std::string_view text, std::string_view spec) {
        std::uint16_t number = 0;
        auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc{} || end != text.data() + text.size()) {
            return fail(
                Errno::einval, "",
                fmt::format("invalid containerPort: {}; expected PORT[-PORT][/PROTOCOL]", spec));
        }
        return number;
    }

    // "8000-8002/udp" is "8000/udp", "8001/udp" and "8002/udp".
    static Status add_ports(std::vector<std::string>& ports, std::string_view spec) {
        auto const slash = std::min(spec.find('/'), spec.size());
        std::string_view const range = spec.substr(0, slash);
        std::string_view const protocol =
            slash == spec.size() ? std::string_view{"tcp"} : spec.substr(slash + 1);
        if (protocol != "tcp" && protocol != "udp" && protocol != "sctp") {
            return fail(Errno::einval, "",
                        fmt::format("invalid proto: {} in {}; there are tcp, udp and sctp",
                                    protocol, spec));
        }
        auto const dash = std::min(range.find('-'), range.size());
        unsigned const first = OBLEA_TRY(port_number(range.substr(0, dash), spec));
        unsigned const last =
            dash == range.size() ? first : OBLEA_TRY(port_number(range.substr(dash + 1), spec));
        if (last < first) {
            return fail(Errno::einval, "", fmt::format("invalid range of ports: {}", spec));
        }
        for (unsigned port = first; port <= last; ++port) {
            ports.push_back(fmt::format("{}/{}", port, protocol));
        }
        return {};
    }

    char escape_;
    Lookup const& lookup_;
};

}  // namespace

Result<Instruction> expand(Instruction instruction, char escape, Lookup const& lookup) {
    OBLEA_TRY(std::visit(InstructionExpander{escape, lookup}, instruction.what));
    return instruction;
}

Result<From> expand(From from, char escape, Lookup const& lookup) {
    from.image = OBLEA_TRY(expand_word(from.image, escape, lookup));
    from.platform = OBLEA_TRY(expand_word(from.platform, escape, lookup));
    if (from.image.empty()) {
        return fail(Errno::einval, "", "FROM: the image's name is empty");
    }
    return from;
}

}  // namespace oblea::tools::dockerfile
