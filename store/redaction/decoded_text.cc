// See decoded_text.h.
#include "store/redaction/decoded_text.h"

#include <algorithm>
#include <utility>

#include "store/formats/text.h"
#include "store/match/parameters.h"

namespace cassette {
namespace {

class Decoder {
 public:
  Decoder(std::string_view written, Writing writing) : in_(written), writing_(writing) {}

  DecodedText take() {
    out_.text.reserve(in_.size());
    out_.from.reserve(in_.size() + 1);
    std::size_t i = 0;
    while (i < in_.size()) {
      const std::size_t begin = i;
      i = next(i);
      out_.from.resize(out_.text.size(), i);
      if (mark_ < out_.from.size()) out_.from[mark_] = begin;
      mark_ = out_.text.size();
    }
    out_.from.push_back(in_.size());
    return std::move(out_);
  }

 private:
  /// Decodes what begins at `i`; gives what comes behind it.
  std::size_t next(std::size_t i) {
    switch (writing_) {
      case Writing::kPercent:
      case Writing::kForm:
        return percent(i);
      case Writing::kJsonString:
        return json(i);
      case Writing::kUtf16Little:
      case Writing::kUtf16Big:
        return utf16(i);
    }
    return in_.size();
  }

  std::size_t percent(std::size_t i) {
    if (in_[i] == '%' && i + 2 < in_.size()) {
      const int high = hex_digit(in_[i + 1]);
      const int low = hex_digit(in_[i + 2]);
      if (high >= 0 && low >= 0) {
        out_.text += static_cast<char>(high * 16 + low);
        return i + 3;
      }
    }
    out_.text += in_[i] == '+' && writing_ == Writing::kForm ? ' ' : in_[i];
    return i + 1;
  }

  std::size_t json(std::size_t i) {
    if (in_[i] != '\\' || i + 1 == in_.size()) {
      out_.text += in_[i];
      return i + 1;
    }
    constexpr std::string_view kLetters = "bfnrt";
    constexpr std::string_view kMeant = "\b\f\n\r\t";
    const char letter = in_[i + 1];
    if (letter != 'u') {
      const std::size_t known = kLetters.find(letter);
      out_.text += known == std::string_view::npos ? letter : kMeant[known];
      return i + 2;
    }
    std::uint32_t code = 0;
    if (!four_digits(i + 2, code)) {
      out_.text += letter;
      return i + 2;
    }
    std::uint32_t low = 0;
    if (code >> 10 == 0xD800 >> 10 && in_.substr(i + 6, 2) == "\\u" && four_digits(i + 8, low) &&
        low >> 10 == 0xDC00 >> 10) {
      append_utf8(out_.text, 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF));
      return i + 12;
    }
    append(code);
    return i + 6;
  }

  bool four_digits(std::size_t i, std::uint32_t& code) const {
    if (i + 4 > in_.size()) return false;
    for (std::size_t end = i + 4; i < end; ++i) {
      const int digit = hex_digit(in_[i]);
      if (digit < 0) return false;
      code = code * 16 + static_cast<std::uint32_t>(digit);
    }
    return true;
  }

  std::uint32_t unit(std::size_t i) const {
    const auto first = static_cast<unsigned char>(in_[i]);
    const auto second = static_cast<unsigned char>(in_[i + 1]);
    return static_cast<std::uint32_t>(writing_ == Writing::kUtf16Little ? first | second << 8
                                                                        : first << 8 | second);
  }

  std::size_t utf16(std::size_t i) {
    if (i + 2 > in_.size()) return in_.size();  // half a unit is nothing
    const std::uint32_t code = unit(i);
    if (code >> 10 == 0xD800 >> 10 && i + 4 <= in_.size() && unit(i + 2) >> 10 == 0xDC00 >> 10) {
      append_utf8(out_.text, 0x10000 + ((code & 0x3FF) << 10) + (unit(i + 2) & 0x3FF));
      return i + 4;
    }
    append(code);
    return i + 2;
  }

  /// Half a pair is no character, and in no secret.
  void append(std::uint32_t code) {
    if (code >= 0xD800 && code < 0xE000) {
      out_.text += '\x01';
    } else {
      append_utf8(out_.text, code);
    }
  }

  std::string_view in_;
  Writing writing_;
  DecodedText out_;
  std::size_t mark_ = 0;  ///< the first byte of the character that is being decoded
};

std::string written(std::string_view text, Writing writing) {
  constexpr std::string_view kHexDigits = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (writing) {
      case Writing::kPercent:
      case Writing::kForm:
        if (c == '%' || c == '&' || c == '+' || c == '"' || byte <= ' ') {
          result += {'%', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
        } else {
          result += c;
        }
        break;
      case Writing::kJsonString:
        if (c == '"' || c == '\\') result += '\\';
        result += c;
        break;
      case Writing::kUtf16Little:
        result += {c, '\0'};
        break;
      case Writing::kUtf16Big:
        result += {'\0', c};
        break;
    }
  }
  return result;
}

}  // namespace

DecodedText decode_text(std::string_view text, Writing writing) {
  return Decoder(text, writing).take();
}

Edit edit_as_written(const DecodedText& decoded, const Edit& edit, std::size_t begin,
                     Writing writing) {
  const std::size_t from = decoded.from[edit.offset];
  const std::size_t to = decoded.from[edit.offset + edit.length];
  return {begin + from, to - from, written(edit.replacement, writing)};
}

}  // namespace cassette
