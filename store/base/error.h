// SPDX-License-Identifier: MIT
// The error vocabulary of the whole project: Errno, Error, Result<T>, OBLEA_TRY.
//
// Everything that may fail at run time returns Result<T>; exceptions are left to bad_alloc and
// third parties. An Error has a code that fits an errno reply, a literal that names the failed
// step, and a text for people, which is empty on hot paths so that a negative answer allocates
// nothing.
#pragma once
#include <cerrno>
#include <concepts>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace oblea::base {

// The errno values that this project sends or tests for; any other value is legal too, as it comes
// from the kernel.
enum class Errno : int {
    eperm = EPERM,
    enoent = ENOENT,
    eintr = EINTR,
    eio = EIO,
    e2big = E2BIG,
    ebadf = EBADF,
    eagain = EAGAIN,
    enomem = ENOMEM,
    eacces = EACCES,
    ebusy = EBUSY,
    eexist = EEXIST,
    exdev = EXDEV,
    enxio = ENXIO,
    enodev = ENODEV,
    enotdir = ENOTDIR,
    eisdir = EISDIR,
    einval = EINVAL,
    enfile = ENFILE,
    emfile = EMFILE,
    enotty = ENOTTY,
    etxtbsy = ETXTBSY,
    efbig = EFBIG,
    enospc = ENOSPC,
    erofs = EROFS,
    emlink = EMLINK,
    epipe = EPIPE,
    erange = ERANGE,
    enametoolong = ENAMETOOLONG,
    enosys = ENOSYS,
    enotempty = ENOTEMPTY,
    eloop = ELOOP,
    enodata = ENODATA,
    eoverflow = EOVERFLOW,
    ebadmsg = EBADMSG,
    eopnotsupp = EOPNOTSUPP,
    estale = ESTALE,
    euclean = EUCLEAN,  // stored data contradicts itself
    edquot = EDQUOT,
    ecanceled = ECANCELED,
};

struct Error {
    Errno code = Errno::eio;
    char const* op = "";  // a string literal: the system call or the step that failed
    std::string detail;   // for people: which thing, why, and what to do; may be empty

    // "detail: op: strerror(code)", what a tool prints after "oblea: ". Without an op the detail
    // is a sentence of its own and stands alone; without a detail it is left out.
    [[nodiscard]] std::string message() const;
};

// The value of an operation, or why there is none.
template <typename T>
class [[nodiscard]] Result : public std::expected<T, Error> {
public:
    using std::expected<T, Error>::expected;
};

using Status = Result<void>;

// For `return fail(...)`: converts to any Result.
inline std::unexpected<Error> fail(Errno code, char const* op = "", std::string detail = {}) {
    return std::unexpected<Error>(Error{code, op, std::move(detail)});
}

// Puts `context` in front of the detail, as an error rises to where more is known.
inline Error with_context(Error error, std::string_view context) {
    std::string joined{context};
    if (!error.detail.empty()) {
        joined += ": ";
        joined += error.detail;
    }
    error.detail = std::move(joined);
    return error;
}

// The same for a whole result; a success passes through untouched. The context is built by `make`
// only on failure.
template <typename T, std::invocable F>
Result<T> with_context(Result<T> result, F&& make) {
    if (!result.has_value()) {
        return std::unexpected<Error>(
            with_context(std::move(result).error(), std::forward<F>(make)()));
    }
    return result;
}

namespace detail {
template <typename T>
T take(Result<T>&& result) {
    if constexpr (!std::is_void_v<T>) {
        return *std::move(result);
    }
}
}  // namespace detail

// The value of a Result, or an early return of its error. At most one in a statement where the
// order of effects counts; and not behind something that owns memory in a braced initialiser or an
// argument list, which the early return would leave undestroyed (g++, "Statement Exprs").
#define OBLEA_TRY(expression)                                                                      \
    __extension__({                                                                                \
        auto oblea_result = (expression);                                                          \
        if (!oblea_result.has_value()) [[unlikely]] {                                              \
            return std::unexpected<::oblea::base::Error>(std::move(oblea_result).error());         \
        }                                                                                          \
        ::oblea::base::detail::take(std::move(oblea_result));                                      \
    })

}  // namespace oblea::base

namespace oblea {
using base::Errno;
using base::Error;
using base::fail;
using base::Result;
using base::Status;
using base::with_context;
}  // namespace oblea
