// SPDX-License-Identifier: MIT
// The sections of an opened index as typed spans: what Index's accessors and its check() share. For
// use inside of store/index alone.
//
// Only what open() proves holds here: the header is whole, each section lies within the file, is
// aligned, and has a size that its records divide. No number within a section is trusted.
#pragma once
#include "store/base/mapped_file.h"
#include "store/index/format.h"
#include "store/index/index.h"

namespace oblea::store {

struct IndexView {
    std::string name;  // for messages
    base::ByteView bytes;
    format::Header header{};
    std::span<format::InodeRecord const> inodes;
    std::span<format::DirentRecord const> dirents;
    std::span<std::uint32_t const> slots;
    std::string_view names;
    std::string_view strings;
    std::span<format::XattrSetRecord const> xattr_sets;
    std::span<format::XattrRecord const> xattrs;
    std::span<format::LinkRecord const> links;
    std::span<format::ContentRecord const> contents;
    std::span<Extent const> extents;
    std::span<Digest const> layers;
    std::span<Digest const> objects;
    std::span<std::uint32_t const> origins;

    [[nodiscard]] IndexKind kind() const { return IndexKind{header.kind}; }

    [[nodiscard]] std::unexpected<Error> damaged(std::string_view what) const {
        std::string text = name;
        text += ": damaged index: ";
        text += what;
        return fail(Errno::euclean, "", std::move(text));
    }

    [[nodiscard]] Result<format::InodeRecord const*> inode(InodeNo ino) const {
        auto const number = static_cast<std::uint32_t>(ino);
        if (number == 0 || number > inodes.size()) {
            return fail(Errno::einval, "inode number out of range");
        }
        return &inodes[number - 1];
    }

    // The record of a folder whose entries lie within the table.
    [[nodiscard]] Result<format::InodeRecord const*> directory(InodeNo ino) const;
    [[nodiscard]] Result<std::string_view> string(std::uint32_t offset, std::uint32_t bytes) const;
    [[nodiscard]] Result<std::string_view> name_of(format::DirentRecord const& record) const;
    [[nodiscard]] Result<Dirent> dirent(format::DirentRecord const& record) const;
    [[nodiscard]] Result<ContentView> content(format::ContentRecord const& record) const;
    // The xattrs of a set; kNone: none.
    [[nodiscard]] Result<std::span<format::XattrRecord const>>
    xattrs_of_set(std::uint32_t set) const;

    // Takes header and section table from `bytes`, whose beginning `header` is a copy of.
    Status attach(base::ByteView all, format::Header const& copy);
};

struct Index::Impl : IndexView {
    base::Bytes owned;
    base::MappedFile mapped;
};

}  // namespace oblea::store
