// SPDX-License-Identifier: MIT
// Tars made by hand, block by block, right or wrong as a test wants them:
//   std::string tar = TarBuilder{}.file("a", "text").pax({{"mtime", "1.5"}}).folder("d").end();
#pragma once
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace oblea::test {

struct TarFields {
    std::string name;
    char type = '0';
    std::string link_name = {};
    std::string mode = "0000644";
    std::string uid = "0000000";
    std::string gid = "0000000";
    std::string size = {};  // empty: that of the body, in octal
    std::string mtime = "00000000000";
    std::string device_major = {};
    std::string device_minor = {};
    std::string magic = std::string{"ustar\0"
                                    "00",
                                    8};
    std::string prefix = {};
    std::string tail = {};  // over everything from byte 345 on, when not empty
    enum class Checksum { as_unsigned, as_signed, wrong } checksum = Checksum::as_unsigned;
};

inline std::string octal(std::uint64_t value, int digits) {
    char text[32];
    std::snprintf(text, sizeof(text), "%0*llo", digits, static_cast<unsigned long long>(value));
    return text;
}

// Two's complement, as GNU tar writes numbers that octal digits cannot hold.
inline std::string base256(std::int64_t value, std::size_t width) {
    std::string field(width, value < 0 ? '\xff' : '\0');
    auto bits = static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < 8 && i < width; ++i) {
        field[width - 1 - i] = static_cast<char>(bits & 0xffU);
        bits >>= 8U;
    }
    field[0] = static_cast<char>(static_cast<unsigned char>(field[0]) | 0x80U);
    return field;
}

class TarBuilder {
public:
    using Records = std::vector<std::pair<std::string, std::string>>;

    TarBuilder& member(TarFields const& fields, std::string_view body = {}) {
        bytes_ += header(fields, body.size());
        return data(body);
    }
    TarBuilder& file(std::string const& name, std::string_view body) {
        return member({.name = name}, body);
    }
    TarBuilder& folder(std::string const& name) {
        return member({.name = name, .type = '5', .mode = "0000755"});
    }
    TarBuilder& soft_link(std::string const& name, std::string const& target) {
        return member({.name = name, .type = '2', .link_name = target, .mode = "0000777"});
    }
    TarBuilder& hard_link(std::string const& name, std::string const& target) {
        return member({.name = name, .type = '1', .link_name = target});
    }
    TarBuilder& pax(Records const& records, char type = 'x') {
        std::string body;
        for (auto const& [key, value] : records) {
            body += pax_record(key, value);
        }
        return member({.name = "PaxHeaders/x", .type = type}, body);
    }
    // type 'L' for the name of the next member, 'K' for the target of a link.
    TarBuilder& gnu_long(char type, std::string const& text) {
        return member({.name = "././@LongLink", .type = type}, text + '\0');
    }
    // Bytes, padded to whole blocks.
    TarBuilder& data(std::string_view body) {
        bytes_ += body;
        bytes_.resize((bytes_.size() + 511) / 512 * 512, '\0');
        return *this;
    }
    TarBuilder& raw(std::string_view bytes) {
        bytes_ += bytes;
        return *this;
    }
    [[nodiscard]] std::string end() const { return bytes_ + std::string(1024, '\0'); }
    [[nodiscard]] std::string const& bytes() const { return bytes_; }

    static std::string pax_record(std::string const& key, std::string const& value) {
        std::size_t const rest = key.size() + value.size() + 3;
        std::size_t length = rest + 1;
        while (std::to_string(length).size() + rest != length) {
            ++length;
        }
        return std::to_string(length) + ' ' + key + '=' + value + '\n';
    }

private:
    static void put(std::string& block, std::size_t at, std::size_t room, std::string_view text) {
        block.replace(at, std::min(room, text.size()), text.substr(0, room));
    }

    static std::string header(TarFields const& fields, std::size_t body_bytes) {
        std::string block(512, '\0');
        put(block, 0, 100, fields.name);
        put(block, 100, 8, fields.mode);
        put(block, 108, 8, fields.uid);
        put(block, 116, 8, fields.gid);
        put(block, 124, 12, fields.size.empty() ? octal(body_bytes, 11) : fields.size);
        put(block, 136, 12, fields.mtime);
        block[156] = fields.type;
        put(block, 157, 100, fields.link_name);
        put(block, 257, 8, fields.magic);
        put(block, 329, 8, fields.device_major);
        put(block, 337, 8, fields.device_minor);
        put(block, 345, 155, fields.prefix);
        put(block, 345, 167, fields.tail);
        block.replace(148, 8, "        ");
        std::int64_t sum = 0;
        for (char const c : block) {
            sum += fields.checksum == TarFields::Checksum::as_signed
                       ? static_cast<signed char>(c)
                       : static_cast<unsigned char>(c);
        }
        sum += fields.checksum == TarFields::Checksum::wrong ? 1 : 0;
        block.replace(148, 8, octal(static_cast<std::uint64_t>(sum), 6) + std::string{"\0 ", 2});
        return block;
    }

    std::string bytes_;
};

}  // namespace oblea::test
