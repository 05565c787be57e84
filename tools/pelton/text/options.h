/* Options of a subcommand: a table of rows, from which parsing, checks and the text of --help are made. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "command.h"

/* Words of the command line, borrowed. */
typedef struct text_list {
  const char **data;
  uint32_t count;
} text_list;

/* What |target| of an option points to. */
typedef enum option_kind {
  OPTION_FLAG,         /* bool, set to true; takes no value */
  OPTION_TEXT,         /* const char * */
  OPTION_LIST,         /* text_list: may be given several times */
  OPTION_INTEGER,      /* int64_t within |low| and |high| */
  OPTION_NUMBER,       /* double within |low| and |high| */
  OPTION_SECONDS,      /* double, in seconds: 30, 30s, 500ms, 2m */
  OPTION_MILLISECONDS, /* double, in seconds too, but a bare number is milliseconds */
  OPTION_CHOICE,       /* const char *: one of the words in |value|, which are separated by '|' */
  OPTION_SIZE,         /* size_pair: 224x224 */
  OPTION_TRIPLE        /* number_triple: a,b,c or one number for all three */
} option_kind;

typedef struct size_pair {
  uint32_t width, height;
} size_pair;

typedef struct number_triple {
  double value[3];
} number_triple;

typedef struct option {
  const char *name; /* without "--" */
  char letter;      /* 0: none */
  option_kind kind;
  void *target;
  const char *value; /* what the help calls its value */
  const char *help;
  double low, high; /* both 0: any */
} option;

typedef struct option_table {
  const char *usage;   /* "run ENGINE|MODEL [options]" */
  const char *summary; /* one or more sentences */
  const option *rows;
  uint32_t count;
  uint32_t min_words, max_words; /* how many words that are no options */
} option_table;

enum { OPTIONS_GO_ON = -1 };

/* Fills in the options' targets and |words|, those arguments that are no options (in the order given; its array is for
   free()). Returns OPTIONS_GO_ON, or the exit code with which to end: --help was printed, or the usage was wrong. */
int options_parse(const option_table *table, int argc, char **argv, text_list *words);
/* The text of --help. */
void options_print_help(const option_table *table, FILE *file);
void text_list_add(text_list *list, const char *text);

#define OPTION_COUNT(rows) ((uint32_t)(sizeof(rows) / sizeof((rows)[0])))

/* How far apart two words are, for suggestions: insertions, deletions, replacements. */
uint32_t word_distance(const char *a, const char *b);

#endif
