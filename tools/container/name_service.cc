// SPDX-License-Identifier: MIT
#include "tools/container/name_service.h"

#include "store/base/text.h"
#include "store/image/json_fields.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace oblea::tools {
namespace {

namespace fields = store::json_fields;
using nlohmann::json;

constexpr char const* kNamesOwner = "container.json";

bool is_address(std::string const& text) {
    std::array<unsigned char, sizeof(in6_addr)> address{};
    return ::inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
           ::inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

struct ExtraHost {
    std::string name;
    std::string address;
};

// "NAME:ADDRESS" or "NAME=ADDRESS"; an address of IPv6 may be in brackets.
ExtraHost split_host(std::string const& text) {
    auto const at = text.find_first_of(":=");
    ExtraHost host{.name = text.substr(0, at),
                   .address = at == std::string::npos ? "" : text.substr(at + 1)};
    if (host.address.starts_with('[') && host.address.ends_with(']')) {
        host.address = host.address.substr(1, host.address.size() - 2);
    }
    return host;
}

Status check_host(std::string const& text) {
    ExtraHost const host = split_host(text);
    auto const refuse = [&](std::string const& why) {
        return fail(Errno::einval, "",
                    fmt::format("invalid argument \"{}\" for \"--add-host\" flag: {}", text, why));
    };
    bool const has_name =
        !host.name.empty() && host.name.find_first_of(" \t\r\n#") == std::string::npos;
    if (!has_name || host.address.empty()) {
        return refuse(fmt::format("bad format for add-host: \"{}\"", text));
    }
    if (host.address == "host-gateway") {
        return refuse(
            "host-gateway is not known here: containers have the machine's network, where "
            "it is 127.0.0.1, or pasta's, whose gateway 'ip route' shows inside");
    }
    return is_address(host.address)
               ? Status{}
               : Status{
                     refuse(fmt::format("invalid IP address in add-host: \"{}\"", host.address))};
}

// What stands in a line of a file must not end it.
Status check_word(std::string_view option, std::string const& word) {
    if (word.empty() || word.find_first_of(" \t\r\n") != std::string::npos) {
        return fail(Errno::einval, "",
                    fmt::format("invalid argument \"{}\" for \"{}\" flag", word, option));
    }
    return {};
}

bool has_keyword(std::string_view line, std::string_view keyword) {
    return line.starts_with(keyword) && line.size() > keyword.size() &&
           (line[keyword.size()] == ' ' || line[keyword.size()] == '\t');
}

}  // namespace

Status check_name_service(NameService const& asked) {
    for (std::string const& host : asked.hosts) {
        OBLEA_TRY(check_host(host));
    }
    for (std::string const& server : asked.servers) {
        if (!is_address(server)) {
            return fail(
                Errno::einval, "",
                fmt::format("invalid argument \"{0}\" for \"--dns\" flag: {0} is not an ip address",
                            server));
        }
    }
    for (std::string const& domain : asked.search) {
        OBLEA_TRY(check_word("--dns-search", domain));
    }
    for (std::string const& option : asked.options) {
        OBLEA_TRY(check_word("--dns-option", option));
    }
    return {};
}

std::string hosts_text(std::string const& machine, std::string_view hostname,
                       NameService const& asked) {
    std::string text = machine;
    if (!text.empty() && !text.ends_with('\n')) {
        text += '\n';
    }
    text += fmt::format("127.0.1.1\t{}\n", hostname);
    for (std::string const& one : asked.hosts) {
        ExtraHost const host = split_host(one);
        text += host.address + '\t' + host.name + '\n';
    }
    return text;
}

std::string resolv_conf_text(std::string const& machine, NameService const& asked) {
    std::string text;
    for (std::string_view const line : base::split(machine, '\n')) {
        bool const replaced = (!asked.servers.empty() && has_keyword(line, "nameserver")) ||
                              (!asked.search.empty() &&
                               (has_keyword(line, "search") || has_keyword(line, "domain"))) ||
                              (!asked.options.empty() && has_keyword(line, "options"));
        if (!replaced && !line.empty()) {
            text += std::string{line} + '\n';
        }
    }
    for (std::string const& server : asked.servers) {
        text += "nameserver " + server + '\n';
    }
    if (!asked.search.empty() && asked.search != std::vector<std::string>{"."}) {
        text += fmt::format("search {}\n", fmt::join(asked.search, " "));
    }
    if (!asked.options.empty()) {
        text += fmt::format("options {}\n", fmt::join(asked.options, " "));
    }
    return text;
}

json encode_name_service(NameService const& asked) {
    return {{"hosts", asked.hosts},
            {"servers", asked.servers},
            {"search", asked.search},
            {"options", asked.options}};
}

Result<NameService> decode_name_service(json const& object) {
    NameService asked;
    asked.hosts = OBLEA_TRY(fields::texts(object, "hosts", kNamesOwner));
    asked.servers = OBLEA_TRY(fields::texts(object, "servers", kNamesOwner));
    asked.search = OBLEA_TRY(fields::texts(object, "search", kNamesOwner));
    asked.options = OBLEA_TRY(fields::texts(object, "options", kNamesOwner));
    return asked;
}

}  // namespace oblea::tools
