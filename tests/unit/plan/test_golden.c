/* Golden plans: each file of tests/golden holds a network, a line "---", and the plan that the null target gets for it:
   steps with their tactics, problems (layouts stand in them) and places, then results and memory. A change of planning
   shows as a difference to be looked at; PELTON_UPDATE_GOLDEN=1 writes the files anew. */
#include "harness.h"
#include "planned.h"

#include "base/file.h"

#include <dirent.h>
#include <stdio.h>

static const char folder[] = "tests/golden";

static void print_place(const pn_place *place, pn_text *out) {
  static const char *const kinds[] = {"nowhere", "arena", "constant", "input", "output"};
  pn_text_printf(out, "%s", kinds[place->kind]);
  if (place->kind == PN_PLACE_INPUT || place->kind == PN_PLACE_OUTPUT) pn_text_printf(out, " %u", place->index);
  if (place->kind == PN_PLACE_CONSTANT)
    pn_text_printf(out, ", %zu bytes\n", place->bytes);
  else
    pn_text_printf(out, " [%zu, %zu)\n", place->offset, place->offset + place->bytes);
}

static void print_step(const pn_plan_step *step, pn_text *out) {
  static const char *const roles[] = {"reads", "reads", "writes"};
  pn_text_printf(out, "\nstep %.*s: %s", PN_STR_ARG(step->name), step->tactic->name);
  for (uint32_t i = 0; i < PN_CONFIG_VALUES; i++)
    if (step->config.value[i]) pn_text_printf(out, " %u:%d", i, step->config.value[i]);
  pn_text_printf(out, "\n  ");
  pn_problem_print(step->problem, out);
  pn_text_printf(out, "\n");
  for (uint32_t i = 0; i < step->problem->operand_count; i++) {
    pn_operand_role role = step->problem->operands[i].role;
    if (role == PN_OPERAND_INTERNAL) continue;
    pn_text_printf(out, "  %s ", roles[role]);
    print_place(&step->places[i], out);
  }
}

static void print_plan(const planned *p, pn_text *out) {
  const pn_plan *plan = p->plan;
  pn_text_printf(out, "target %s: %zu bytes of activations, %zu of workspace\n", plan->target->name, plan->arena_bytes,
                 plan->workspace_bytes);
  for (uint32_t i = 0; i < plan->steps.count; i++) print_step(&plan->steps.data[i], out);
  pn_text_printf(out, "\n");
  for (uint32_t i = 0; i < plan->output_count; i++) {
    pn_text_printf(out, "result %.*s: ", PN_STR_ARG(pn_graph_value(p->graph, plan->outputs[i].value)->name));
    print_place(&plan->outputs[i].place, out);
  }
}

static void update(const char *path, const pn_text *text) {
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_file_writer writer;
  REQUIRE_OK(pn_file_writer_open(&writer, path, &diag), &diag);
  REQUIRE_OK(pn_file_writer_add(&writer, text->data, text->size, &diag), &diag);
  REQUIRE_OK(pn_file_writer_close(&writer, &diag), &diag);
}

static void check_file(const char *name) {
  static const char mark[] = "\n---\n";
  char path[512], why[256] = "";
  pelton_diag diag = PELTON_DIAG_INIT;
  pn_file file;
  pn_text whole, plan;
  planned p;
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  REQUIRE_OK(pn_file_map(path, &file, &diag), &diag);
  pn_text_init(&whole, NULL);
  pn_text_init(&plan, NULL);
  pn_text_add(&whole, (pn_str){(const char *)file.data, file.size});
  pn_file_unmap(&file);
  char *line = whole.data ? strstr(whole.data, mark) : NULL;
  REQUIRE(line != NULL);
  line[1] = 0; /* the network is a text of its own; what was the plan begins behind the mark */
  const char *expected = line + sizeof mark - 1;
  planned_open(&p, whole.data, planned_target("null"));
  planned_make(&p, NULL);
  EXPECT(planned_check(&p, 1, why, sizeof why));
  EXPECT_STR(why, "");
  print_plan(&p, &plan);
  const char *wanted = getenv("PELTON_UPDATE_GOLDEN");
  if (wanted && strcmp(wanted, "1") == 0) {
    pn_text text;
    pn_text_init(&text, NULL);
    pn_text_printf(&text, "%s---\n", whole.data);
    pn_text_add(&text, (pn_str){plan.data, plan.size});
    update(path, &text);
    pn_text_deinit(&text);
    fprintf(stderr, "%s: written\n", path);
  } else {
    if (strcmp(plan.data, expected) != 0)
      fprintf(stderr, "%s: the plan is another now; PELTON_UPDATE_GOLDEN=1 accepts it\n", path);
    EXPECT_STR(plan.data, expected);
  }
  planned_close(&p);
  pn_text_deinit(&whole);
  pn_text_deinit(&plan);
}

TEST(plans_are_as_they_were) {
  uint32_t count = 0;
  DIR *d = opendir(folder);
  REQUIRE(d != NULL);
  for (const struct dirent *e; (e = readdir(d));) {
    size_t length = strlen(e->d_name);
    if (length < 4 || strcmp(e->d_name + length - 4, ".txt") != 0) continue;
    check_file(e->d_name);
    count++;
  }
  (void)closedir(d);
  EXPECT(count >= 4);
}

TEST_MAIN(T(plans_are_as_they_were))
