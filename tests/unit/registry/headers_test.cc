// SPDX-License-Identifier: MIT
#include "tools/registry/http/headers.h"

#include "tests/support/catch.h"
#include "tools/registry/client/registry_error.h"
#include "tools/registry/client/retry.h"
#include "tools/registry/client/token.h"
#include "tools/registry/http/url.h"

using namespace oblea;
using namespace oblea::registry;

TEST_CASE("challenges are read from one field or several", "[registry][headers]") {
    auto const challenges = parse_challenges(
        {R"(Bearer realm="https://t/x",service="a b",scope="repository:n:pull,push", Basic realm="r")",
         R"(NEGOTIATE)"});
    REQUIRE(challenges.size() == 3);
    CHECK(challenges[0].scheme == "bearer");
    CHECK(challenges[0].parameters.at("realm") == "https://t/x");
    CHECK(challenges[0].parameters.at("service") == "a b");
    CHECK(challenges[0].parameters.at("scope") == "repository:n:pull,push");
    CHECK(challenges[1].scheme == "basic");
    CHECK(challenges[1].parameters.at("realm") == "r");
    CHECK(challenges[2].scheme == "negotiate");
}

TEST_CASE("challenges survive what is none", "[registry][headers]") {
    auto const field = GENERATE(R"()", R"(,,,)", R"(="x")", R"(Bearer realm="unended)",
                                R"(Bearer realm=)", R"("quoted" Bearer)", R"(Bearer realm="a\)");
    CAPTURE(field);
    CHECK(parse_challenges({field}).size() <= 2);
}

TEST_CASE("the next page is the link with that relation", "[registry][headers]") {
    CHECK(parse_next_link(R"(</v2/a/tags/list?n=2&last=x>; rel="next")") ==
          "/v2/a/tags/list?n=2&last=x");
    CHECK(parse_next_link(R"(</p>; rel="prev", <https://h/n,1>; title="x"; rel=next)") ==
          "https://h/n,1");
    CHECK_FALSE(parse_next_link(R"(</p>; rel="prev")").has_value());
    CHECK_FALSE(parse_next_link("").has_value());
    CHECK_FALSE(parse_next_link("<").has_value());
    CHECK_FALSE(parse_next_link("</p>; =; ; rel").has_value());
}

TEST_CASE("warnings, ranges, delays and media types", "[registry][headers]") {
    CHECK(parse_warning(R"(299 - "old \"tag\"")") == "old \"tag\"");
    CHECK(parse_warning("299 - \"a\x1b[31mb\"") == "a [31mb");
    CHECK_FALSE(parse_warning(R"(199 - "x")").has_value());
    CHECK(parse_content_range("bytes 5-9/10") == ContentRange{.begin = 5, .total_bytes = 10});
    CHECK(parse_content_range("bytes 5-9/*") == ContentRange{.begin = 5, .total_bytes = {}});
    CHECK_FALSE(parse_content_range("bytes */10").has_value());
    CHECK_FALSE(parse_content_range("5-9/10").has_value());
    CHECK(parse_rate_limit("76;w=21600") == RateLimit{.count = 76, .window_seconds = 21600});
    CHECK(parse_rate_limit("76") == RateLimit{.count = 76});
    CHECK_FALSE(parse_rate_limit("many").has_value());
    CHECK(parse_retry_after(" 7 ") == 7U);
    CHECK_FALSE(parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT").has_value());
    CHECK_FALSE(parse_retry_after("-1").has_value());
    CHECK(media_type_of("Text/HTML; charset=utf-8") == "text/html");
}

TEST_CASE("a URL is http or https and has no user", "[registry][url]") {
    CHECK(Url::parse("https://H.io:443/a?b#c")->string() == "https://H.io:443/a?b");
    CHECK(Url::parse("https://H.io:443/a")->authority() == "h.io");
    CHECK(Url::parse("http://h.io:443/a")->authority() == "h.io:443");
    auto const bad = GENERATE("ftp://h/x", "file:///etc/passwd", "/relative", "",
                              "https://user:pass@h/x", "https://user@h/x");
    CAPTURE(bad);
    CHECK_FALSE(Url::parse(bad).has_value());
}

TEST_CASE("a location is resolved against its request", "[registry][url]") {
    auto const base = Url::parse("https://h.io/v2/a/blobs/x").value();
    CHECK(base.resolve("/y?z=1")->string() == "https://h.io/y?z=1");
    CHECK(base.resolve("https://cdn/y")->string() == "https://cdn/y");
    CHECK_FALSE(base.resolve("file:///etc/passwd").has_value());
    CHECK(base.same_origin(base.resolve("//h.io:443/z").value()));
    CHECK_FALSE(base.same_origin(Url::parse("https://h.io:444/").value()));
    CHECK_FALSE(base.same_origin(Url::parse("http://h.io/").value()));
}

TEST_CASE("only this machine is loopback", "[registry][url]") {
    CHECK(is_loopback("127.0.0.1"));
    CHECK(is_loopback("localhost"));
    CHECK(is_loopback("[::1]"));
    CHECK_FALSE(is_loopback("127.evil.example"));
    CHECK_FALSE(is_loopback("localhost.example"));
}

TEST_CASE("the waiting time doubles to its bound, and obeys the server", "[registry][retry]") {
    using std::chrono::milliseconds;
    RetryPolicy const policy{.attempts_max = 8,
                             .first_delay = milliseconds{100},
                             .delay_max = milliseconds{1000},
                             .retry_after_max = std::chrono::seconds{60}};
    CHECK(plan_retry(policy, 1, std::nullopt, 0) == milliseconds{100});
    CHECK(plan_retry(policy, 3, std::nullopt, 0) == milliseconds{400});
    CHECK(plan_retry(policy, 7, std::nullopt, 0) == milliseconds{1000});
    CHECK(plan_retry(policy, 1, std::nullopt, 0.5) == milliseconds{75});
    CHECK(plan_retry(policy, 1, 5, 0.5) == milliseconds{5000});
    CHECK_FALSE(plan_retry(policy, 1, 61, 0).has_value());
    CHECK_FALSE(plan_retry(policy, 1, UINT64_MAX, 0).has_value());
    CHECK_FALSE(plan_retry(policy, 8, std::nullopt, 0).has_value());
}

TEST_CASE("refusals speak docker's words", "[registry][errors]") {
    auto const say = [](unsigned status, std::string_view body, Wanted wanted) {
        return refusal_error(parse_refusal(status, body), wanted, "alpine:nope", "alpine")
            .message();
    };
    CHECK(
        say(404,
            R"({"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]})",
            Wanted::manifest) ==
        "manifest for alpine:nope not found: manifest unknown: manifest unknown");
    CHECK(say(404, "<html>", Wanted::manifest) ==
          "manifest for alpine:nope not found: the registry answered with status 404");
    CHECK(say(404, R"({"errors":[{"code":"NAME_UNKNOWN","message":"x"}]})", Wanted::tags) ==
          "repository alpine not found: name unknown: x");
    CHECK(say(403, R"({"errors":[{"code":"DENIED","message":"no"}]})", Wanted::manifest) ==
          "pull access denied for alpine, repository does not exist or may require 'oblea login': "
          "denied: no");
    CHECK_THAT(say(429, R"({"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached"}]})",
                   Wanted::manifest),
               Catch::Matchers::StartsWith("toomanyrequests: You have reached"));
    CHECK(say(401, R"({"details":"incorrect username or password"})", Wanted::ping) ==
          "unauthorized: incorrect username or password");
    CHECK(say(503, "\x1b[2J", Wanted::manifest) ==
          "alpine:nope: the registry answered with status 503");
    CHECK(say(500, "{\"errors\":[{\"code\":\"A\\u001bB\",\"message\":\"\\n\"}]}", Wanted::blob)
              .find('\x1b') == std::string::npos);
}

TEST_CASE("a token is taken from every form of answer", "[registry][token]") {
    CHECK(parse_token(R"({"token":"a"})", "t")->value.reveal() == "a");
    CHECK(parse_token(R"({"token":"a"})", "t")->lifetime == std::chrono::seconds{60});
    auto const full =
        parse_token(R"({"access_token":"b","expires_in":300,"refresh_token":"r"})", "t");
    CHECK(full->value.reveal() == "b");
    CHECK(full->lifetime == std::chrono::seconds{300});
    CHECK(full->refresh.reveal() == "r");
    auto const bad = GENERATE("", "[]", "{}", R"({"token":""})", R"({"token":7})",
                              R"({"token":"secret\r\nX: y"})", "<html>");
    CAPTURE(bad);
    auto const parsed = parse_token(bad, "t.io");
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().message() == "t.io: the token server gave no token");
}

TEST_CASE("a token is asked for as the specification has it", "[registry][token]") {
    TokenQuestion const question{
        .realm = "https://t.io/token?x=1", .service = "s r", .scopes = {"repository:a:pull,push"}};
    auto const anonymous = token_request(question, nullptr);
    CHECK(anonymous->url.string() ==
          "https://t.io/token?x=1&service=s%20r&scope=repository%3Aa%3Apull%2Cpush");
    CHECK(anonymous->authorization.empty());
    Credential const user{.username = "u", .password = Secret{"p"}};
    CHECK(token_request(question, &user)->authorization.reveal() == "Basic dTpw");
    CHECK(token_request(question, &user)->url.string().ends_with("&account=u"));
    Credential const token{.identity_token = Secret{"i&d"}};
    auto const refreshed = token_request(question, &token);
    CHECK(refreshed->method == HttpRequest::Method::post);
    CHECK(refreshed->url.string() == "https://t.io/token?x=1");
    CHECK(
        refreshed->form.reveal() ==
        "grant_type=refresh_token&service=s%20r&client_id=oblea&scope=repository%3Aa%3Apull%2Cpush"
        "&refresh_token=i%26d");
}

TEST_CASE("no secret goes to a token server without TLS", "[registry][token]") {
    TokenQuestion question{.realm = "http://t.io/token", .service = "", .scopes = {}};
    Credential const user{.username = "u", .password = Secret{"p"}};
    auto const refused = token_request(question, &user);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == network_error::kProtocol);
    question.plain_http = TokenQuestion::PlainHttp::allowed;
    CHECK(token_request(question, &user).has_value());
    question.realm = "gopher://x";
    CHECK_FALSE(token_request(question, &user).has_value());
}
