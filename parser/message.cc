// Emptying a message so that its memory can be used for the next one.
#include "parser/message.h"

namespace cassette {

void RequestMessage::clear() {
  method.clear();
  target.clear();
  version = {};
  headers.clear();
  body.clear();
  trailers.clear();
}

void ResponseMessage::clear() {
  status = 0;
  reason.clear();
  version = {};
  headers.clear();
  body.clear();
  trailers.clear();
}

}  // namespace cassette
