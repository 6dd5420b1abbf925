// SPDX-License-Identifier: MIT
// An HTTP server on a free port of loopback, in a thread, whose answers a test writes; and a client
// for it that waits for nothing.
#pragma once
#include "tests/support/catch.h"
#include "tools/registry/client/registry_client.h"

#include <httplib.h>

#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace oblea::test {

class MockRegistry {
public:
    using Handler = httplib::Server::Handler;

    MockRegistry() {
        // Keep-alive would hold the server's threads when it stops.
        server_.set_keep_alive_max_count(1);
        port_ = server_.bind_to_any_port("127.0.0.1");
        REQUIRE(port_ > 0);
    }
    MockRegistry(MockRegistry const&) = delete;
    MockRegistry& operator=(MockRegistry const&) = delete;
    ~MockRegistry() {
        server_.stop();
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    void get(std::string const& pattern, Handler handler) {
        server_.Get(pattern, recorded(std::move(handler)));
    }
    void post(std::string const& pattern, Handler handler) {
        server_.Post(pattern, recorded(std::move(handler)));
    }
    void put(std::string const& pattern, Handler handler) {
        server_.Put(pattern, recorded(std::move(handler)));
    }
    // The handler reads the body itself.
    void patch(std::string const& pattern, httplib::Server::HandlerWithContentReader handler) {
        server_.Patch(pattern, std::move(handler));
    }
    // After the last handler.
    void start() {
        thread_ = std::thread{[this] { server_.listen_after_bind(); }};
        // stop() does nothing to a server that does not run yet.
        while (!server_.is_running()) {
            std::this_thread::yield();
        }
    }

    [[nodiscard]] std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
    [[nodiscard]] std::string url(std::string const& path) const {
        return "http://" + host() + path;
    }
    [[nodiscard]] int port() const { return port_; }
    // Those that handlers got, in order.
    [[nodiscard]] std::vector<httplib::Request> requests() {
        std::lock_guard const lock{mutex_};
        return requests_;
    }

private:
    // Before the answer goes out: whoever has it finds the request.
    Handler recorded(Handler handler) {
        return [this, handler = std::move(handler)](httplib::Request const& request,
                                                    httplib::Response& response) {
            {
                std::lock_guard const lock{mutex_};
                requests_.push_back(request);
            }
            handler(request, response);
        };
    }

    httplib::Server server_;
    int port_ = 0;
    std::thread thread_;
    std::mutex mutex_;
    std::vector<httplib::Request> requests_;
};

// What a client did beside its requests.
struct ClientLog {
    std::vector<std::chrono::milliseconds> sleeps;
    std::vector<std::string> warnings;
};

inline registry::ClientOptions client_options(ClientLog& log) {
    registry::ClientOptions options;
    options.familiar_repository = "demo";
    options.sleep = [&log](std::chrono::milliseconds delay) -> Status {
        log.sleeps.push_back(delay);
        return {};
    };
    options.warn = [&log](std::string const& text) { log.warnings.push_back(text); };
    return options;
}

inline registry::Endpoint endpoint_of(std::string host) {
    return {.host = std::move(host),
            .repository = "demo",
            .security = registry::Endpoint::Security::insecure};
}

}  // namespace oblea::test
