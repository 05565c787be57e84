/* The words of the graph language: where the parser stands in the text, and what it says when the text is wrong. */
#ifndef PN_IR_LEXER_H
#define PN_IR_LEXER_H

#include "base/alloc.h"
#include "base/str.h"

typedef struct pn_lexer {
  pn_str rest;      /* what is not read yet */
  const char *base; /* the whole text's begin: |rest| points into it, which gives line numbers */
  pelton_diag *diag;
  bool reported; /* an error that names its line was added: outer levels add nothing */
} pn_lexer;

/* Spaces and tabs; then also ends of lines and comments. */
void pn_lexer_skip_space(pn_lexer *lexer);
void pn_lexer_skip_blank(pn_lexer *lexer);
/* The next character behind blanks, 0 at the end. */
char pn_lexer_peek(pn_lexer *lexer);
/* Takes |text| when it comes next, behind blanks. */
bool pn_lexer_accept(pn_lexer *lexer, const char *text);
/* A run of letters, digits, '_', '.' and '/', perhaps empty, behind blanks. */
pn_str pn_lexer_word(pn_lexer *lexer);
/* The same, not taken. */
pn_str pn_lexer_peek_word(pn_lexer *lexer);
void pn_lexer_advance(pn_lexer *lexer, size_t bytes);
/* "..." with \" \\ \xNN; the result is in |arena|. */
pelton_status pn_lexer_string(pn_lexer *lexer, pn_arena *arena, pn_str *out) PN_CHECKED;
/* A word or a string, not empty. |what| is for the message: "a name". */
pelton_status pn_lexer_name(pn_lexer *lexer, pn_arena *arena, const char *what, pn_str *out) PN_CHECKED;
/* The end of the statement: the line's end or the comment at it, past subgraphs in braces and past strings. */
size_t pn_lexer_statement_bytes(const pn_lexer *lexer);

/* "line 7: expected <format>, found <what comes next>" */
pelton_status pn_lexer_expected(pn_lexer *lexer, const char *format, ...) PN_PRINTF(2, 3);
/* "line 7: <format>" */
pelton_status pn_lexer_fail(pn_lexer *lexer, const char *format, ...) PN_PRINTF(2, 3);
/* Puts "line 7: " in front of what a called reader reported since |mark|. */
pelton_status pn_lexer_located(pn_lexer *lexer, uint32_t mark, pelton_status status);

#endif
