// SPDX-License-Identifier: MIT
// What Go's own templates cannot show (tests/template compares with those): records, tables,
// limits.
#include "tools/template/rows.h"
#include "tools/template/template.h"

#include "tests/support/catch.h"
#include "tools/output/columns.h"

#include <string>

using namespace oblea;
using namespace oblea::tools;
using namespace oblea::tools::templates;

namespace {

Record web() {
    Record record{.type = "*formatter.sampleContext"};
    record.set("Name", "web");
    record.set("Size", "1.5MB");
    record.set("Ports", "80/tcp");
    record.methods["Label"] = [](std::string const& key) -> Result<Value> {
        return Value(key == "com.example.tier-name" ? "front" : "");
    };
    return record;
}

RowFormat sample_format(std::string format) {
    return {.format = std::move(format),
            .default_table = "{{.Name}}\t{{.Size}}",
            .titles = {{"Name", "NAME"}, {"Size", "SIZE"}, {"Ports", "PORTS"}}};
}

std::string rendered(std::string const& format) {
    std::vector<Record> const rows{web(), web()};
    auto const text = render_rows(sample_format(format), rows);
    return text.has_value() ? *text : "error: " + text.error().message();
}

}  // namespace

TEST_CASE("a list has one line for each row, in the form that was asked for", "[template]") {
    CHECK(rendered("") == "NAME      SIZE\nweb       1.5MB\nweb       1.5MB\n");
    CHECK(rendered("table") == rendered(""));
    CHECK(rendered("table {{.Ports}}\\t{{.Name}}") ==
          "PORTS     NAME\n80/tcp    web\n80/tcp    web\n");
    CHECK(rendered("{{.Name}}") == "web\nweb\n");
    CHECK(rendered("{{.Name}}\\t{{.Size}}") == "web\t1.5MB\nweb\t1.5MB\n");
    CHECK(rendered("json") == "{\"Name\":\"web\",\"Ports\":\"80/tcp\",\"Size\":\"1.5MB\"}\n"
                              "{\"Name\":\"web\",\"Ports\":\"80/tcp\",\"Size\":\"1.5MB\"}\n");
    CHECK(rendered("table {{upper .Name}}\t{{.Size | lower}}") ==
          "NAME      SIZE\nWEB       1.5mb\nWEB       1.5mb\n");
    CHECK(rendered("table {{.Label \"com.example.tier-name\"}}\t{{.Name}}") ==
          "tier name   NAME\nfront       web\nfront       web\n");
}

TEST_CASE("a wrong format is refused in docker's words", "[template]") {
    CHECK(rendered("{{.Foo}}") ==
          "error: template parsing error: template: :1:2: executing \"\" at <.Foo>: can't evaluate "
          "field Foo in type *formatter.sampleContext");
    CHECK(rendered("{{.Name") == "error: template parsing error: template: :1: unclosed action");
    CHECK(rendered("{{.Label}}").ends_with("wrong number of args for Label: want 1 got 0"));
    CHECK(rendered("{{.Label 5}}").ends_with("expected string; found 5"));
    CHECK(rendered("{{.Name 5}}").ends_with("wrong number of args for Name: want 0 got 1"));
}

TEST_CASE("a field is made only when a template asks for it", "[template]") {
    int made = 0;
    Record record{.type = "sample"};
    record.set("Name", "web");
    record.fields["Size"] = [&]() -> Result<Value> {
        ++made;
        return Value(5);
    };
    record.fields["Broken"] = []() -> Result<Value> {
        return fail(Errno::eio, "", "disk on fire");
    };
    auto run = [&](char const* text) { return Template::parse(text)->execute(Value(record)); };
    CHECK(run("{{.Name}}") == "web");
    CHECK(made == 0);
    CHECK(run("{{.Size}}") == "5");
    CHECK(made == 1);
    auto const broken = run("{{.Broken}}");
    REQUIRE_FALSE(broken.has_value());
    CHECK(broken.error().code == Errno::eio);
}

TEST_CASE("a template that would never end is stopped", "[template]") {
    auto const error_of = [](std::string const& text) {
        auto const parsed = Template::parse(text);
        auto const result = parsed.has_value()
                                ? parsed->execute(Value())
                                : Result<std::string>(std::unexpected(parsed.error()));
        return result.has_value() ? "none" : result.error().message();
    };
    CHECK_THAT(error_of("{{define \"a\"}}{{template \"a\"}}{{end}}{{template \"a\"}}"),
               Catch::Matchers::Contains("exceeded maximum template depth"));
    CHECK_THAT(error_of("{{range 100000}}{{range 100000}}{{end}}{{end}}"),
               Catch::Matchers::Contains("too many steps"));
    CHECK_THAT(error_of("{{range 100000}}{{printf \"%900000d\" 1}}{{end}}"),
               Catch::Matchers::Contains("prints too much"));
    std::string deep;
    for (int i = 0; i < 5000; ++i) {
        deep += '(';
    }
    CHECK_THAT(error_of("{{" + deep), Catch::Matchers::Contains("nested too deeply"));
}

TEST_CASE("a key that is missing is an error where that is asked for", "[template]") {
    Value const data(Map{.entries = {{"Name", "web"}}});
    auto const parsed = Template::parse("{{.Nmae}}");
    REQUIRE(parsed.has_value());
    CHECK(parsed->execute(data) == "<no value>");
    auto const strict = parsed->execute(data, Template::MissingKey::error);
    REQUIRE_FALSE(strict.has_value());
    CHECK(strict.error().message() ==
          "template: :1:2: executing \"\" at <.Nmae>: map has no entry for key \"Nmae\"");
}

TEST_CASE("columns are as wide as their widest cell, block by block", "[columns]") {
    CHECK(align_columns("a\tb\nlonger than ten\tc\n") ==
          "a                 b\nlonger than ten   c\n");
    CHECK(align_columns("a\tb\nno tab\na longer one\tb\n") ==
          "a         b\nno tab\na longer one   b\n");
    CHECK(align_columns("añ\tb") == "añ        b");
    CHECK(align_columns("").empty());
}
