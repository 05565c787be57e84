#include "import/import.h"

enum { MOST_WARNINGS = 64 };

pn_model *pn_model_create(const pelton_allocator *allocator) {
  pn_model *model = pn_alloc(allocator, sizeof *model, _Alignof(pn_model));
  if (!model) return NULL;
  pn_arena_init(&model->arena, allocator);
  model->format = "";
  return model;
}

void pn_model_release(pn_model *model) {
  if (!model) return;
  const pelton_allocator *allocator = model->arena.allocator;
  for (uint32_t i = 0; i < model->files.count; i++) pn_file_unmap(&model->files.data[i]);
  pn_arena_deinit(&model->arena);
  pn_release(allocator, model);
}

bool pn_model_warn(pn_model *model, const char *text) {
  if (model->warnings.count < MOST_WARNINGS) return text && pn_list_push(&model->arena, &model->warnings, text);
  model->more_warnings++;
  return true;
}
