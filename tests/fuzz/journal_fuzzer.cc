// Any bytes as a journal: nothing may crash, every byte is accounted for, and what was read is written
// so that it reads back the same. When the first byte is odd the rest is lines, each the payload of a
// record (\1 stands for its line end), under the right checksum: arbitrary bytes seldom have one.
#include "store/journal/journal.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "tests/fuzz/input.h"

using cassette::fuzzing::must;

namespace {

void append_number(std::string& out, std::uint64_t number) {
  out.append(reinterpret_cast<const char*>(&number), sizeof number);
}

std::string sealed(std::string payload) {
  std::replace(payload.begin(), payload.end(), '\1', '\n');
  std::string head = "cassjnl1";
  append_number(head, payload.size());
  const std::string summed = head + payload;
  append_number(head, XXH64(summed.data(), summed.size(), 0));
  std::string record = head + payload;
  append_number(record, record.size() + 8);
  return record;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = cassette::fuzzing::text_of(data, size);
  std::string bytes;
  if (cassette::fuzzing::take_byte(rest) % 2 == 1) {
    while (!rest.empty()) bytes += sealed(std::string(cassette::fuzzing::take_until(rest, '\n')));
  } else {
    bytes = rest;
  }
  const cassette::JournalContents read = cassette::read_journal(bytes, "in.journal");
  std::size_t counted = read.damaged_bytes + read.closing_bytes;
  for (auto [offset, length] : read.unknown) counted += length;
  std::string written;
  for (const cassette::JournalRecord& record : read.records) {
    counted += record.size;
    written += cassette::encode_record(record);
  }
  must(counted == bytes.size(), "every byte belongs to a record or is damage");
  must(read.whole_end <= bytes.size(), "the last whole record ends inside");

  const cassette::JournalContents again = cassette::read_journal(written, "written.journal");
  must(again.damaged_bytes == 0 && again.unknown.empty() &&
           again.records.size() == read.records.size(),
       "what was written can be read");
  std::string rewritten;
  for (const cassette::JournalRecord& record : again.records) {
    rewritten += cassette::encode_record(record);
  }
  must(rewritten == written, "what was read is written the same");
  return 0;
}
