/* Reading words, strings and blanks; locating errors. */
#include "ir/lexer.h"

#include "base/format.h"

enum { MESSAGE_BYTES = 512, FOUND_BYTES = 40 };

void pn_lexer_advance(pn_lexer *lexer, size_t bytes) {
  lexer->rest.data += bytes;
  lexer->rest.size -= bytes;
}

void pn_lexer_skip_space(pn_lexer *lexer) {
  while (lexer->rest.size > 0 && (*lexer->rest.data == ' ' || *lexer->rest.data == '\t' || *lexer->rest.data == '\r'))
    pn_lexer_advance(lexer, 1);
}

void pn_lexer_skip_blank(pn_lexer *lexer) {
  for (;;) {
    pn_lexer_skip_space(lexer);
    if (lexer->rest.size == 0) return;
    if (*lexer->rest.data == '#')
      while (lexer->rest.size > 0 && *lexer->rest.data != '\n') pn_lexer_advance(lexer, 1);
    else if (*lexer->rest.data == '\n')
      pn_lexer_advance(lexer, 1);
    else
      return;
  }
}

char pn_lexer_peek(pn_lexer *lexer) {
  pn_lexer_skip_blank(lexer);
  return lexer->rest.size > 0 ? *lexer->rest.data : 0;
}

bool pn_lexer_accept(pn_lexer *lexer, const char *text) {
  pn_lexer_skip_blank(lexer);
  if (!pn_str_starts(lexer->rest, text)) return false;
  pn_lexer_advance(lexer, strlen(text));
  return true;
}

static bool is_word_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '/';
}

static pn_str word_at(pn_str text) {
  size_t size = 0;
  while (size < text.size && is_word_character(text.data[size])) size++;
  return (pn_str){text.data, size};
}

pn_str pn_lexer_peek_word(pn_lexer *lexer) {
  pn_lexer_skip_blank(lexer);
  return word_at(lexer->rest);
}

pn_str pn_lexer_word(pn_lexer *lexer) {
  const pn_str word = pn_lexer_peek_word(lexer);
  pn_lexer_advance(lexer, word.size);
  return word;
}

pelton_status pn_lexer_string(pn_lexer *lexer, pn_arena *arena, pn_str *out) {
  const char *wanted;
  pn_lexer_skip_blank(lexer);
  const pelton_status status = pn_str_unquote(&lexer->rest, arena, out, &wanted);
  if (status == PELTON_OUT_OF_MEMORY) return pn_fail_memory(lexer->diag, "a string");
  return status ? pn_lexer_expected(lexer, "%s", wanted) : PELTON_OK;
}

pelton_status pn_lexer_name(pn_lexer *lexer, pn_arena *arena, const char *what, pn_str *out) {
  if (pn_lexer_peek(lexer) == '"') {
    PN_TRY(pn_lexer_string(lexer, arena, out));
    return out->size > 0 ? PELTON_OK : pn_lexer_fail(lexer, "%s must not be empty", what);
  }
  *out = pn_lexer_peek_word(lexer);
  if (out->size == 0) return pn_lexer_expected(lexer, "%s", what);
  pn_lexer_advance(lexer, out->size);
  return PELTON_OK;
}

/* Behind the string that begins at |at|, or at its line's end when it is not closed. */
static size_t skip_string(pn_str text, size_t at) {
  const char quote = text.data[at++];
  while (at < text.size && text.data[at] != quote && text.data[at] != '\n')
    at += text.data[at] == '\\' && at + 1 < text.size && text.data[at + 1] != '\n' ? 2 : 1;
  return at < text.size && text.data[at] == quote ? at + 1 : at;
}

size_t pn_lexer_statement_bytes(const pn_lexer *lexer) {
  const pn_str text = lexer->rest;
  size_t at = 0, depth = 0;
  while (at < text.size) {
    const char c = text.data[at];
    if (depth == 0 && (c == '\n' || c == '#' || c == '}')) break;
    if (c == '#') {
      while (at < text.size && text.data[at] != '\n') at++;
    } else if (c == '"' || c == '\'') {
      at = skip_string(text, at);
    } else {
      if (c == '{') depth++;
      if (c == '}') depth--;
      at++;
    }
  }
  return at;
}

/* ---- errors ---------------------------------------------------------------------------------------------------- */

static unsigned line_of(const pn_lexer *lexer) {
  unsigned line = 1;
  for (const char *c = lexer->base; c < lexer->rest.data; c++) line += *c == '\n';
  return line;
}

pelton_status pn_lexer_fail(pn_lexer *lexer, const char *format, ...) {
  char message[MESSAGE_BYTES];
  va_list arguments;
  va_start(arguments, format);
  pn_format(message, sizeof message, format, arguments);
  va_end(arguments);
  lexer->reported = true;
  return pn_fail(lexer->diag, PELTON_INVALID_DATA, "line %u: %s", line_of(lexer), message);
}

pelton_status pn_lexer_expected(pn_lexer *lexer, const char *format, ...) {
  char message[MESSAGE_BYTES], found[FOUND_BYTES + 16];
  va_list arguments;
  va_start(arguments, format);
  pn_format(message, sizeof message, format, arguments);
  va_end(arguments);
  pn_lexer_skip_space(lexer);
  pn_str next = word_at(lexer->rest);
  if (next.size > FOUND_BYTES) next.size = FOUND_BYTES;
  if (next.size == 0 && lexer->rest.size > 0) next.size = 1;
  if (next.size == 0) pn_formatf(found, sizeof found, "the end of the text");
  else if (*next.data == '\n' || *next.data == '#') pn_formatf(found, sizeof found, "the end of the line");
  else pn_formatf(found, sizeof found, "'%.*s'", PN_STR_ARG(next));
  return pn_lexer_fail(lexer, "expected %s, found %s", message, found);
}

pelton_status pn_lexer_located(pn_lexer *lexer, uint32_t mark, pelton_status status) {
  if (status && !lexer->reported) {
    pn_diag_prefix(lexer->diag, mark, "line %u", line_of(lexer));
    lexer->reported = true;
  }
  return status == PELTON_INVALID_ARGUMENT ? PELTON_INVALID_DATA : status; /* it is the text that is wrong */
}
