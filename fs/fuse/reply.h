// SPDX-License-Identifier: MIT
// Answers to the kernel: the one place that sends an errno, and one overload for each kind of
// result.
//
// Each takes the request and ends it. A reply that the kernel no longer wants (the caller was
// killed meanwhile) is undone: lookups that it would have counted are forgotten, handles released.
#pragma once
#include "fs/fuse/connection.h"
#include "fs/union_fs.h"

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace oblea::fs {

// What an operation returns when it is more than a plain value of the union.
struct Found {
    std::optional<Entry> entry;  // nullopt: a name that the kernel may remember as missing
};
struct Opened {
    Ino ino = Ino::root;
    Handle handle{};
    enum class What {
        file,
        folder,
        placeholder,  // without a handle
    } what = What::file;
    fuse_file_info info{};
};
struct CreatedFile {
    UnionFs::Created created;
    fuse_file_info info{};
};
struct Written {
    std::size_t bytes = 0;
};
struct Offset {
    std::uint64_t at = 0;
};
struct XattrBytes {
    std::string bytes;
    std::size_t room = 0;  // of the caller; 0 asks for the size only
};
struct FolderPart {
    base::ByteView bytes;
    std::vector<Ino> counted;  // entries that the kernel will count as looked up
};
struct NoReply {};  // FORGET

// In fuse_file_info::fh, beside the inode's number: counted in Connection::backing.
inline constexpr std::uint64_t kTracked = std::uint64_t{1} << 63U;
// The open that Connection::early_cuts has emptied the file for.
inline constexpr std::uint64_t kCutEarly = std::uint64_t{1} << 62U;

// Ends what open() or create() began.
void end_open(Connection& connection, Ino ino, fuse_file_info const& info);

void reply_error(fuse_req_t req, Errno code);

void reply(fuse_req_t req, Connection& connection, Found const& found);
void reply(fuse_req_t req, Connection& connection, Entry const& entry);
void reply(fuse_req_t req, Connection& connection, Attr const& attr);
void reply(fuse_req_t req, Connection& connection, std::string const& link_target);
void reply(fuse_req_t req, Connection& connection, Opened const& opened);
void reply(fuse_req_t req, Connection& connection, CreatedFile const& file);
void reply(fuse_req_t req, Connection& connection, base::ByteView bytes);
void reply(fuse_req_t req, Connection& connection, Written written);
void reply(fuse_req_t req, Connection& connection, Offset offset);
void reply(fuse_req_t req, Connection& connection, XattrBytes const& xattr);
void reply(fuse_req_t req, Connection& connection, FolderPart const& part);
void reply(fuse_req_t req, Connection& connection, StatFs const& figures);
void reply(fuse_req_t req, Connection& connection, NoReply nothing);

struct stat stat_of(Attr const& attr);
fuse_entry_param param_of(Entry const& entry);

}  // namespace oblea::fs
