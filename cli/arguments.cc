// CLI11 the way the commands need it. See arguments.h.
#include "cli/arguments.h"

#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <array>
#include <memory>
#include <utility>

namespace cassette {
namespace {

constexpr std::size_t kHelpWidth = 100;
constexpr std::size_t kFlagColumn = 34;

/// Breaks lines between words.
std::string wrapped(const std::string& text, std::size_t width) {
  std::string out;
  std::size_t line = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = std::min(text.find(' ', begin), text.size());
    std::size_t size = end - begin;
    if (line > 0 && line + 1 + size > width) {
      out += '\n';
      line = 0;
    } else if (line > 0) {
      out += ' ';
      ++line;
    }
    out.append(text, begin, size);
    line += size;
    begin = end + 1;
  }
  return out;
}

class HelpFormatter : public CLI::Formatter {
 public:
  explicit HelpFormatter(std::string usage) : usage_(std::move(usage)) {
    column_width(kFlagColumn);
  }

  std::string make_usage(const CLI::App*, std::string) const override {
    return "Usage: cassette " + usage_ + "\n";
  }
  std::string make_option_opts(const CLI::Option* option) const override {
    // Our placeholder alone; CLI11 would add "REQUIRED" and counts.
    return option->get_type_name().empty() ? "" : " " + option->get_type_name();
  }
  std::string make_option_desc(const CLI::Option* option) const override {
    return wrapped(option->get_description(), kHelpWidth - kFlagColumn);
  }

 private:
  std::string usage_;
};

bool takes_value(const CLI::Option* option) {
  return option != nullptr && option->get_items_expected_max() > 0;
}

}  // namespace

CommandLine::CommandLine(std::string usage, std::string description, std::string footer)
    : app_(std::move(description)), command_(usage.substr(0, usage.find(" ["))) {
  app_.name("cassette " + command_);
  app_.set_help_flag("-h,--help", "Prints this.");
  app_.footer(std::move(footer));
  app_.formatter(std::make_shared<HelpFormatter>(std::move(usage)));
  app_.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
}

std::optional<int> CommandLine::parse(const Arguments& arguments, int failed) {
  try {
    // CLI11 takes its arguments from the back.
    app_.parse(Arguments(arguments.rbegin(), arguments.rend()));
    return std::nullopt;
  } catch (const CLI::CallForHelp&) {
    return print(app_.help()) ? kOk : failed;
  } catch (const CLI::ParseError& error) {
    complain(command_ + ": " + error.what() + "; `cassette " + command_ +
             " --help` tells what is allowed");
    return failed;
  }
}

std::optional<std::string> value_problem(const std::string& flag, const SettingName& setting,
                                         const std::string& value) {
  if (setting_value_ok(setting, value.c_str())) return std::nullopt;
  std::array<char, 1024> message{};
  setting_error(message.data(), message.size(), flag.c_str(), setting, value.c_str());
  return message.data();
}

SplitArguments split_at_command(const CLI::App& app, const Arguments& arguments) {
  SplitArguments split;
  std::size_t i = 0;
  for (; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      ++i;
      break;
    }
    if (argument.size() < 2 || argument[0] != '-') break;
    std::string name = argument;
    bool wants_value = false;
    if (argument[1] == '-') {
      const std::size_t equals = argument.find('=');
      name = argument.substr(0, equals);
      wants_value = takes_value(app.get_option_no_throw(name));
      if (wants_value && equals != std::string::npos) {
        split.flags.push_back(name);
        split.flags.push_back(argument.substr(equals + 1));
        continue;
      }
    } else {
      // "-c PATH" or "-cPATH".
      wants_value = argument.size() == 2 && takes_value(app.get_option_no_throw(argument));
    }
    split.flags.push_back(argument);
    if (wants_value && i + 1 < arguments.size()) split.flags.push_back(arguments[++i]);
  }
  split.command.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i), arguments.end());
  return split;
}

}  // namespace cassette
