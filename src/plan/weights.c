/* A limit for the weights: what the steps of a plan read of constants, packed or as they are. Fast convolutions and
   products take several times the bytes of the filters they are made from, some for a gain that is hardly worth it. So
   where the limit is not held, a byte gets a price in seconds, each group takes the tactic of the least sum of both, and
   the least price that holds the limit decides: memory is given up first where it gains the least time. */
#include "plan/planner.h"

static size_t weight_bytes(const pn_planner *p, const pn_problem *problem, const pn_tactic *tactic,
                           const pn_config *config) {
  pn_sizes sizes = {0};
  if (tactic->sizes) tactic->sizes(problem, p->options->device, config, &sizes);
  size_t bytes = sizes.packed_bytes;
  for (uint32_t i = 0; i < problem->operand_count; i++)
    if (problem->operands[i].role == PN_OPERAND_CONSTANT && (!tactic->packs || !tactic->packs(problem, i)))
      bytes += pn_operand_bytes(&problem->operands[i]);
  return bytes;
}

double pn_planner_weight_cost(const pn_planner *p, const pn_problem *problem, const pn_tactic *tactic,
                              const pn_config *config) {
  return p->weight_price > 0 ? p->weight_price * (double)weight_bytes(p, problem, tactic, config) : 0;
}

static size_t all_bytes(const pn_planner *p) {
  size_t sum = 0;
  for (uint32_t g = 0; g < p->groups.count; g++) {
    const pn_group *group = &p->groups.data[g];
    if (!group->view) sum += weight_bytes(p, group->problem, group->choice.tactic, &group->choice.config);
  }
  return sum;
}

static pelton_status choose_at(pn_planner *p, double price, size_t *bytes) {
  p->weight_price = price;
  for (uint32_t g = 0; g < p->groups.count; g++)
    if (!p->groups.data[g].view)
      PN_TRY(pn_planner_measure(p, p->groups.data[g].problem, &p->groups.data[g].choice));
  *bytes = all_bytes(p);
  return PELTON_OK;
}

pelton_status pn_planner_limit_weights(pn_planner *p) {
  static const double first = 1e-12, last = 1e-3; /* seconds a byte: 1 TB/s, 1 KB/s */
  enum { HALVINGS = 12 };
  size_t limit = p->options->weight_limit_bytes, bytes = all_bytes(p);
  if (limit && bytes > limit) {
    double low = 0, high = first; /* |high| will hold the limit, |low| does not */
    PN_TRY(choose_at(p, high, &bytes));
    while (bytes > limit && high < last) {
      low = high;
      high *= 10;
      PN_TRY(choose_at(p, high, &bytes));
    }
    if (bytes > limit)
      return pn_fail(p->diag, PELTON_OUT_OF_MEMORY,
                     "the weights take %.6g MB at least, the limit is %.6g MB; raise it, or store them in fewer bits",
                     (double)bytes / 1e6, (double)limit / 1e6);
    for (int i = 0; i < HALVINGS; i++) {
      double middle = (low + high) / 2;
      PN_TRY(choose_at(p, middle, &bytes));
      if (bytes > limit)
        low = middle;
      else
        high = middle;
    }
    PN_TRY(choose_at(p, high, &bytes));
  }
  p->plan->weight_bytes = bytes;
  return PELTON_OK;
}
