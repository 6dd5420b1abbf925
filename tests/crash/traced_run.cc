// SPDX-License-Identifier: MIT
#include "tests/crash/traced_run.h"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/fs.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <exception>
#include <map>
#include <set>
#include <stdexcept>

namespace oblea::test {

namespace {

// Where the file is that a call changes, and what else is to be known of it.
enum class Form : std::uint8_t {
    fd,           // (fd, ...)
    write,        // (fd, buffer, bytes)
    pwrite,       // (fd, buffer, bytes, offset)
    truncate_fd,  // (fd, bytes)
    path,         // (path, ...), relative to the working folder
    at,           // (dir, path, ...)
    open_path,    // (path, flags)
    open_at,      // (dir, path, flags)
    open_how,     // (dir, path, how)
    two_paths,    // (path, path)
    two_at,       // (dir, path, dir, path, flags)
    symlink,      // (text, path)
    symlink_at,   // (text, dir, path)
    copy_range,   // (fd, offset, fd, offset, bytes)
    ioctl,        // (fd, request)
    shared_map,   // mmap
    all,          // whatever it touches
};

struct Watched {
    long number;
    char const* name;
    Form form;
};

// Every call of Linux 6.12 that can change a file system's contents, names, attributes, or what is
// durable of them. Those of the end are refused.
constexpr std::array kWatched = {
    Watched{SYS_open, "open", Form::open_path},
    Watched{SYS_creat, "creat", Form::path},
    Watched{SYS_openat, "openat", Form::open_at},
    Watched{SYS_openat2, "openat2", Form::open_how},
    Watched{SYS_write, "write", Form::write},
    Watched{SYS_pwrite64, "pwrite", Form::pwrite},
    Watched{SYS_writev, "writev", Form::fd},
    Watched{SYS_pwritev, "pwritev", Form::fd},
    Watched{SYS_pwritev2, "pwritev2", Form::fd},
    Watched{SYS_sendfile, "sendfile", Form::fd},
    Watched{SYS_splice, "splice", Form::copy_range},
    Watched{SYS_copy_file_range, "copy_file_range", Form::copy_range},
    Watched{SYS_truncate, "truncate", Form::path},
    Watched{SYS_ftruncate, "ftruncate", Form::truncate_fd},
    Watched{SYS_fallocate, "fallocate", Form::fd},
    Watched{SYS_rename, "rename", Form::two_paths},
    Watched{SYS_renameat, "renameat", Form::two_at},
    Watched{SYS_renameat2, "renameat2", Form::two_at},
    Watched{SYS_mkdir, "mkdir", Form::path},
    Watched{SYS_mkdirat, "mkdirat", Form::at},
    Watched{SYS_rmdir, "rmdir", Form::path},
    Watched{SYS_unlink, "unlink", Form::path},
    Watched{SYS_unlinkat, "unlinkat", Form::at},
    Watched{SYS_link, "link", Form::two_paths},
    Watched{SYS_linkat, "linkat", Form::two_at},
    Watched{SYS_symlink, "symlink", Form::symlink},
    Watched{SYS_symlinkat, "symlinkat", Form::symlink_at},
    Watched{SYS_mknod, "mknod", Form::path},
    Watched{SYS_mknodat, "mknodat", Form::at},
    Watched{SYS_chmod, "chmod", Form::path},
    Watched{SYS_fchmod, "fchmod", Form::fd},
    Watched{SYS_fchmodat, "fchmodat", Form::at},
    Watched{452, "fchmodat2", Form::at},
    Watched{SYS_chown, "chown", Form::path},
    Watched{SYS_lchown, "lchown", Form::path},
    Watched{SYS_fchown, "fchown", Form::fd},
    Watched{SYS_fchownat, "fchownat", Form::at},
    Watched{SYS_utime, "utime", Form::path},
    Watched{SYS_utimes, "utimes", Form::path},
    Watched{SYS_futimesat, "futimesat", Form::at},
    Watched{SYS_utimensat, "utimensat", Form::at},
    Watched{SYS_setxattr, "setxattr", Form::path},
    Watched{SYS_lsetxattr, "lsetxattr", Form::path},
    Watched{SYS_fsetxattr, "fsetxattr", Form::fd},
    Watched{SYS_removexattr, "removexattr", Form::path},
    Watched{SYS_lremovexattr, "lremovexattr", Form::path},
    Watched{SYS_fremovexattr, "fremovexattr", Form::fd},
    Watched{463, "setxattrat", Form::at},
    Watched{466, "removexattrat", Form::at},
    Watched{SYS_fsync, "fsync", Form::fd},
    Watched{SYS_fdatasync, "fdatasync", Form::fd},
    Watched{SYS_syncfs, "syncfs", Form::fd},
    Watched{SYS_sync, "sync", Form::all},
    Watched{SYS_sync_file_range, "sync_file_range", Form::fd},
    Watched{SYS_ioctl, "ioctl", Form::ioctl},
    Watched{SYS_mmap, "mmap", Form::shared_map},
    Watched{SYS_io_uring_setup, "io_uring_setup", Form::all},
    Watched{SYS_io_submit, "io_submit", Form::all},
};

Watched const* find_watched(long number) {
    for (Watched const& watched : kWatched) {
        if (watched.number == number) {
            return &watched;
        }
    }
    return nullptr;
}

[[noreturn]] void give_up(std::string const& what) {
    throw std::runtime_error(what + ": " + std::strerror(errno));
}

void install_filter() {
    std::vector<sock_filter> code;
    auto const load = [&](std::size_t offset) {
        code.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
    };
    load(offsetof(seccomp_data, arch));
    code.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0));
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS));
    load(offsetof(seccomp_data, nr));
    for (Watched const& watched : kWatched) {
        code.push_back(
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(watched.number), 0, 1));
        code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE));
    }
    code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    sock_fprog const program{static_cast<unsigned short>(code.size()), code.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
        ::_exit(121);
    }
}

int status_of(std::function<int()> const& body) {
    try {
        return body();
    } catch (std::exception const&) {
        return 122;
    }
}

// A stopped thread of the child: its registers, memory and descriptors.
class Stopped {
public:
    explicit Stopped(pid_t pid) : pid_(pid) {
        if (::ptrace(PTRACE_GETREGS, pid, nullptr, &registers_) != 0) {
            give_up("PTRACE_GETREGS");
        }
    }

    [[nodiscard]] long number() const { return static_cast<long>(registers_.orig_rax); }
    [[nodiscard]] std::uint64_t argument(int position) const {
        std::array const values{registers_.rdi, registers_.rsi, registers_.rdx,
                                registers_.r10, registers_.r8,  registers_.r9};
        return values.at(static_cast<std::size_t>(position));
    }
    [[nodiscard]] std::int64_t result() const { return static_cast<std::int64_t>(registers_.rax); }

    void fail_with(int error) {
        registers_.orig_rax = ~0ULL;  // no call
        registers_.rax = static_cast<unsigned long long>(-static_cast<long long>(error));
        if (::ptrace(PTRACE_SETREGS, pid_, nullptr, &registers_) != 0) {
            give_up("PTRACE_SETREGS");
        }
    }

    [[nodiscard]] std::string memory(std::uint64_t address, std::size_t bytes) const {
        std::string data(bytes, '\0');
        iovec const local{data.data(), bytes};
        iovec const remote{reinterpret_cast<void*>(address), bytes};
        ssize_t const count = ::process_vm_readv(pid_, &local, 1, &remote, 1, 0);
        data.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
        return data;
    }

    [[nodiscard]] std::string text(std::uint64_t address) const {
        std::string all;
        // Page by page, for the text may end just before one that is not there.
        while (all.size() < PATH_MAX) {
            std::string const piece = memory(address, 4096 - address % 4096);
            auto const end = piece.find('\0');
            all += piece.substr(0, end);
            if (piece.empty() || end != std::string::npos) {
                break;
            }
            address += piece.size();
        }
        return all;
    }

    [[nodiscard]] std::string link(std::string const& what) const {
        std::string target(PATH_MAX, '\0');
        std::string const path = "/proc/" + std::to_string(pid_) + '/' + what;
        ssize_t const size = ::readlink(path.c_str(), target.data(), target.size());
        target.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
        return target;
    }

    [[nodiscard]] std::string descriptor(std::uint64_t fd) const {
        return link("fd/" + std::to_string(static_cast<int>(fd)));
    }

    // `fd` may be AT_FDCWD.
    [[nodiscard]] std::string at(std::uint64_t fd, std::uint64_t name) const {
        std::string const relative = text(name);
        if (relative.starts_with('/')) {
            return relative;
        }
        std::string const folder = static_cast<int>(fd) == AT_FDCWD ? link("cwd") : descriptor(fd);
        if (relative.empty() || relative == ".") {
            return folder;
        }
        return folder + '/' + relative;
    }

    [[nodiscard]] std::uint64_t number_at(std::uint64_t address) const {
        std::string const bytes = memory(address, sizeof(std::uint64_t));
        std::uint64_t number = 0;
        std::memcpy(&number, bytes.data(), std::min(bytes.size(), sizeof(number)));
        return number;
    }

    // What a file of the child's holds.
    [[nodiscard]] std::string content(std::uint64_t fd, std::uint64_t offset,
                                      std::uint64_t bytes) const {
        std::string const path =
            "/proc/" + std::to_string(pid_) + "/fd/" + std::to_string(static_cast<int>(fd));
        std::string data;
        int const file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        struct stat info = {};
        if (file >= 0 && ::fstat(file, &info) == 0) {
            auto const size = static_cast<std::uint64_t>(info.st_size);
            data.resize(std::min(bytes, size - std::min(size, offset)));
            ssize_t const count =
                ::pread(file, data.data(), data.size(), static_cast<off_t>(offset));
            data.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
        }
        if (file >= 0) {
            ::close(file);
        }
        return data;
    }

    [[nodiscard]] std::uint64_t position(std::uint64_t fd) const {
        std::string const path =
            "/proc/" + std::to_string(pid_) + "/fdinfo/" + std::to_string(static_cast<int>(fd));
        unsigned long long at = 0;
        if (std::FILE* const file = std::fopen(path.c_str(), "re")) {
            if (std::fscanf(file, "pos: %llu", &at) != 1) {
                at = 0;
            }
            std::fclose(file);
        }
        return at;
    }

private:
    pid_t pid_;
    user_regs_struct registers_{};
};

struct Seen {
    FsCall call;
    bool counts = true;   // changes something
    bool unseen = false;  // can change files past the tracer
};

Seen look_at_open(Stopped const& child, std::string path, std::uint64_t flags) {
    Seen seen;
    seen.call.path = std::move(path);
    seen.call.creates = (flags & (O_CREAT | O_TRUNC)) != 0;
    bool const unnamed = (flags & O_TMPFILE) == O_TMPFILE;
    // An open that makes nothing is still one that may fail.
    seen.counts = seen.call.creates || unnamed;
    static_cast<void>(child);
    return seen;
}

Seen look(Stopped const& child, Watched const& watched, bool record) {
    auto const argument = [&](int position) { return child.argument(position); };
    Seen seen;
    switch (watched.form) {
    case Form::fd:
        seen.call.path = child.descriptor(argument(0));
        break;
    case Form::write:
    case Form::pwrite:
        seen.call.path = child.descriptor(argument(0));
        seen.call.bytes = argument(2);
        if (record) {
            seen.call.offset =
                watched.form == Form::pwrite ? argument(3) : child.position(argument(0));
            seen.call.data = child.memory(argument(1), argument(2));
        }
        break;
    case Form::truncate_fd:
        seen.call.path = child.descriptor(argument(0));
        seen.call.bytes = argument(1);
        break;
    case Form::path:
        seen.call.path = child.at(static_cast<std::uint64_t>(AT_FDCWD), argument(0));
        break;
    case Form::at:
        seen.call.path =
            argument(1) == 0 ? child.descriptor(argument(0)) : child.at(argument(0), argument(1));
        break;
    case Form::open_path:
        seen = look_at_open(child, child.at(static_cast<std::uint64_t>(AT_FDCWD), argument(0)),
                            argument(1));
        break;
    case Form::open_at:
        seen = look_at_open(child, child.at(argument(0), argument(1)), argument(2));
        break;
    case Form::open_how:
        seen =
            look_at_open(child, child.at(argument(0), argument(1)), child.number_at(argument(2)));
        break;
    case Form::two_paths:
        seen.call.path = child.at(static_cast<std::uint64_t>(AT_FDCWD), argument(0));
        seen.call.target = child.at(static_cast<std::uint64_t>(AT_FDCWD), argument(1));
        break;
    case Form::two_at:
        seen.call.path = child.at(argument(0), argument(1));
        seen.call.target = child.at(argument(2), argument(3));
        seen.call.exchanges =
            watched.number == SYS_renameat2 && (argument(4) & RENAME_EXCHANGE) != 0;
        break;
    case Form::symlink:
        seen.call.path = child.at(static_cast<std::uint64_t>(AT_FDCWD), argument(1));
        break;
    case Form::symlink_at:
        seen.call.path = child.at(argument(1), argument(2));
        break;
    case Form::copy_range:
        seen.call.path = child.descriptor(argument(2));
        seen.call.bytes = argument(4);
        if (record && argument(1) != 0 && argument(3) != 0) {
            seen.call.offset = child.number_at(argument(3));
            seen.call.data = child.content(argument(0), child.number_at(argument(1)), argument(4));
        }
        break;
    case Form::ioctl:
        seen.call.path = child.descriptor(argument(0));
        seen.counts = argument(1) == FICLONE || argument(1) == FICLONERANGE ||
                      argument(1) == FIDEDUPERANGE || argument(1) == FS_IOC_SETFLAGS;
        break;
    case Form::shared_map: {
        bool const writes = (argument(2) & PROT_WRITE) != 0 && (argument(3) & MAP_SHARED) != 0 &&
                            (argument(3) & MAP_ANONYMOUS) == 0;
        seen.counts = false;
        seen.unseen = writes;
        seen.call.path = writes ? child.descriptor(argument(4)) : "";
        break;
    }
    case Form::all:
        seen.unseen = watched.number != SYS_sync;
        break;
    }
    seen.call.name = watched.name;
    return seen;
}

class Tracer {
public:
    Tracer(pid_t child, TraceOptions const& options) : child_(child), options_(options) {}

    TraceResult run() {
        threads_.insert(child_);
        while (!threads_.empty()) {
            int status = 0;
            pid_t const pid = ::waitpid(-1, &status, __WALL);
            if (pid < 0) {
                if (errno == ECHILD) {
                    break;
                }
                give_up("waitpid");
            }
            if (WIFEXITED(status) || WIFSIGNALED(status)) {
                threads_.erase(pid);
                if (pid == child_) {
                    ended(status);
                }
                continue;
            }
            threads_.insert(pid);
            stopped(pid, status);
        }
        return std::move(result_);
    }

private:
    void ended(int status) {
        if (WIFEXITED(status)) {
            result_.end = TraceResult::End::exited;
            result_.status = WEXITSTATUS(status);
        } else {
            result_.end = killed_ ? TraceResult::End::killed : TraceResult::End::crashed;
            result_.status = WTERMSIG(status);
        }
    }

    void stopped(pid_t pid, int status) {
        int const event = status >> 16;
        int const signal = WSTOPSIG(status);
        if (event == PTRACE_EVENT_SECCOMP) {
            at_call(pid);
            return;
        }
        if (signal == (SIGTRAP | 0x80)) {
            at_return(pid);
            return;
        }
        bool const own = event != 0 || signal == SIGSTOP || signal == SIGTRAP;
        go_on(pid, PTRACE_CONT, own ? 0 : signal);
    }

    static void go_on(pid_t pid, int how, int signal = 0) {
        // A thread that was killed meanwhile is no fault.
        ::ptrace(static_cast<__ptrace_request>(how), pid, nullptr,
                 reinterpret_cast<void*>(static_cast<std::intptr_t>(signal)));
    }

    [[nodiscard]] bool is_below(std::string const& path) const {
        return path == options_.below || path.starts_with(options_.below + '/');
    }

    void at_call(pid_t pid) {
        Stopped child{pid};
        Watched const* const watched = find_watched(child.number());
        if (watched == nullptr) {
            go_on(pid, PTRACE_CONT);
            return;
        }
        Seen seen = look(child, *watched, options_.record);
        bool const ours = is_below(seen.call.path) || is_below(seen.call.target);
        if (seen.unseen && (ours || watched->form == Form::all)) {
            result_.unseen.push_back(seen.call.name + ' ' + seen.call.path);
        }
        // Of opens that make nothing only their failing is of interest.
        bool const fails_too = options_.fail_at.has_value() && ours &&
                               watched->form >= Form::open_path && watched->form <= Form::open_how;
        if (!ours || (!seen.counts && !fails_too)) {
            go_on(pid, PTRACE_CONT);
            return;
        }
        std::size_t const number = result_.calls.size();
        result_.calls.push_back(std::move(seen.call));
        if (options_.kill_at == number) {
            killed_ = true;
            ::kill(child_, SIGKILL);
            return;
        }
        if (options_.fail_at == number) {
            child.fail_with(options_.fail_with);
            go_on(pid, PTRACE_CONT);
            return;
        }
        if (options_.record) {
            pending_[pid] = number;
            go_on(pid, PTRACE_SYSCALL);
            return;
        }
        go_on(pid, PTRACE_CONT);
    }

    void at_return(pid_t pid) {
        auto const at = pending_.find(pid);
        if (at != pending_.end()) {
            result_.calls[at->second].result = Stopped{pid}.result();
            pending_.erase(at);
        }
        go_on(pid, PTRACE_CONT);
    }

    pid_t child_;
    TraceOptions const& options_;
    TraceResult result_;
    std::set<pid_t> threads_;
    std::map<pid_t, std::size_t> pending_;
    bool killed_ = false;
};

}  // namespace

int run_in_child(std::function<int()> const& body) {
    pid_t const child = ::fork();
    if (child < 0) {
        give_up("fork");
    }
    if (child == 0) {
        ::_exit(status_of(body));
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child) {
        give_up("waitpid");
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TraceResult run_traced(std::function<int()> const& body, TraceOptions const& options) {
    pid_t const child = ::fork();
    if (child < 0) {
        give_up("fork");
    }
    if (child == 0) {
        if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) {
            ::_exit(120);
        }
        ::raise(SIGSTOP);
        install_filter();
        ::_exit(status_of(body));
    }
    int status = 0;
    if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) {
        give_up("the child did not stop to be traced");
    }
    constexpr long kTraced = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
                             PTRACE_O_TRACEVFORK | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
    if (::ptrace(PTRACE_SETOPTIONS, child, nullptr, reinterpret_cast<void*>(kTraced)) != 0 ||
        ::ptrace(PTRACE_CONT, child, nullptr, nullptr) != 0) {
        give_up("ptrace");
    }
    return Tracer{child, options}.run();
}

}  // namespace oblea::test
