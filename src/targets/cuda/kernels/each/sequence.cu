/* What runs along sequences: recurrent layers, linear attention, rotary embeddings. S is the form of sums. */
#define EACH(i) for (u32 i = BLOCK_X * THREADS + THREAD; i < a.count; i += BLOCKS_X * THREADS)

#if RECURRENT
/* The workspace: what inputs give to every gate at every step, [direction, batch, step, row]; then for each sequence h,
   the next h, c, and the reset gates. */
#define GIVEN  ((S *)a.workspace)
#define STATES ((S *)a.workspace + (u32)DIRECTIONS * (u32)SEQUENCES * (u32)STEPS * (u32)ROWS)

KERNEL(recurrent_inputs, struct each_arguments) {
  EACH(i) {
    u32 rest = divide(i, ROW), row = i - rest * ROW.divisor, line = divide(rest, STEP), t = rest - line * STEP.divisor;
    u32 d = line / (u32)SEQUENCES, b = line - d * (u32)SEQUENCES;
    u32 x = (BATCH_FIRST ? b * (u32)STEPS + t : t * (u32)SEQUENCES + b) * (u32)INPUTS;
    u32 w = (d * (u32)ROWS + row) * (u32)INPUTS;
    S sum = WITH_B ? (S)LOAD(B_TYPE, B, d * 2 * (u32)ROWS + row) : 0;
    for (u32 k = 0; k < (u32)INPUTS; k++) sum += (S)LOAD(X_TYPE, X, x + k) * (S)LOAD(W_TYPE, W, w + k);
    GIVEN[i] = sum;
  }
}

DEVICE S activate(int kind, S alpha, S beta, S x) {
  switch (kind) { /* pn_activation_kind */
  case 0: return 1 / (1 + EXP(-x));
  case 1: return TANH(x);
  case 2: return x > 0 ? x : 0;
  case 3: return alpha * x + beta;
  case 4: return x >= 0 ? x : alpha * x;
  case 5: return x >= alpha ? x : 0;
  case 6: return alpha * TANH(beta * x);
  case 7:
    x = alpha * x + beta;
    return x < 0 ? 0 : x > 1 ? 1 : x;
  case 8: return x >= 0 ? x : alpha * (EXP(x) - 1);
  case 9: return x / (1 + (x < 0 ? -x : x));
  default: return x > 0 ? x + LOG1P(EXP(-x)) : LOG1P(EXP(x));
  }
}
DEVICE S clipped(S x, S most) { return most > 0 ? (x < -most ? -most : x > most ? most : x) : x; }
#define PLAIN_ACT(which, x) activate(KIND(d * 3 + which), (S)ALPHA(d * 3 + which), (S)BETA(d * 3 + which), x)
#define ACT(which, x)       PLAIN_ACT(which, clipped(x, (S)CLIP))

/* A sequence in one direction a block; a thread keeps its hidden units. */
KERNEL(recurrent, struct each_arguments) {
  for (u32 line = BLOCK_X; line < a.count; line += BLOCKS_X) {
    u32 d = line / (u32)SEQUENCES, b = line - d * (u32)SEQUENCES, n = (u32)HIDDEN;
    u32 state = (BATCH_FIRST ? b * (u32)DIRECTIONS + d : line) * n;
    S *h = STATES + line * 4 * n, *next = h + n, *c = next + n, *reset = c + n;
    int backwards = REVERSE || d == 1;
    i64 length = WITH_LENGTHS ? (i64)LOAD(LENGTHS_TYPE, LENGTHS, b) : STEPS;
    if (length < 0 || length > STEPS) {
      TELL(FAULT_LENGTH, length, STEPS);
      length = 0;
    }
/* Row |row| of r with |from|, and its bias. */
#define FROM_STATE(sum, row, from)                                                               \
  S sum = WITH_B ? (S)LOAD(B_TYPE, B, (d * 2 + 1) * (u32)ROWS + (row)) : 0;                       \
  for (u32 k = 0; k < n; k++) sum += (from)[k] * (S)LOAD(R_TYPE, R, (d * (u32)ROWS + (row)) * n + k)
    for (u32 i = THREAD; i < n; i += THREADS) {
      h[i] = WITH_H0 ? (S)LOAD(H0_TYPE, H0, state + i) : 0;
      c[i] = WITH_C0 ? (S)LOAD(C0_TYPE, C0, state + i) : 0;
    }
    BARRIER();
    for (int step = 0; step < STEPS; step++) {
      u32 t = (u32)(backwards && step < length ? (int)length - 1 - step : step);
      const S *given = GIVEN + (line * (u32)STEPS + t) * (u32)ROWS;
      if (step < length) {
#if GATES == 3
        for (u32 i = THREAD; i < n; i += THREADS) {
          FROM_STATE(sum, n + i, h);
          reset[i] = ACT(0, given[n + i] + sum);
          c[i] = reset[i] * h[i]; /* what a reset keeps: gru has no cells */
        }
        BARRIER();
#endif
        for (u32 i = THREAD; i < n; i += THREADS) {
#if GATES == 1
          FROM_STATE(sum, i, h);
          next[i] = ACT(0, given[i] + sum);
#elif GATES == 3
          FROM_STATE(sum, i, h);
          FROM_STATE(fresh, 2 * n + i, LINEAR_BEFORE_RESET ? h : c);
          S update = ACT(0, given[i] + sum);
          fresh = ACT(1, given[2 * n + i] + (LINEAR_BEFORE_RESET ? reset[i] * fresh : fresh));
          next[i] = (1 - update) * fresh + update * h[i];
#else
          FROM_STATE(from_in, i, h);
          FROM_STATE(from_out, n + i, h);
          FROM_STATE(from_forget, 2 * n + i, h);
          FROM_STATE(from_fresh, 3 * n + i, h);
          S in = given[i] + from_in, out = given[n + i] + from_out, forget = given[2 * n + i] + from_forget;
          S fresh = ACT(1, given[3 * n + i] + from_fresh);
          if (WITH_P) in += (S)LOAD(P_TYPE, P, d * 3 * n + i) * c[i];
          in = ACT(0, in);
          if (WITH_P) forget += (S)LOAD(P_TYPE, P, (d * 3 + 2) * n + i) * c[i];
          forget = INPUT_FORGET ? 1 - in : ACT(0, forget);
          c[i] = forget * c[i] + in * fresh;
          if (WITH_P) out += (S)LOAD(P_TYPE, P, (d * 3 + 1) * n + i) * c[i];
          next[i] = ACT(0, out) * PLAIN_ACT(2, c[i]);
#endif
        }
        BARRIER();
      }
      u32 at = BATCH_FIRST ? (b * (u32)STEPS + t) * (u32)DIRECTIONS + d
                           : (t * (u32)DIRECTIONS + d) * (u32)SEQUENCES + b;
      for (u32 i = THREAD; i < n; i += THREADS) {
        if (step < length) h[i] = next[i];
        if (WITH_Y) STORE(X_TYPE, Y, at * n + i, (X_FORM)(step < length ? next[i] : 0));
      }
      BARRIER();
    }
    for (u32 i = THREAD; i < n; i += THREADS) {
      if (WITH_LAST_H) STORE(X_TYPE, LAST_H, state + i, (X_FORM)h[i]);
      if (WITH_LAST_C) STORE(X_TYPE, LAST_C, state + i, (X_FORM)c[i]);
    }
    BARRIER();
  }
}
#elif LINEAR_ATTENTION
/* A column of a head's state a thread, through all steps. */
KERNEL(linear_attention, struct each_arguments) {
  EACH(i) {
    u32 head = divide(i, COLUMNS), m = i - head * COLUMNS.divisor, n = head / (u32)HEADS, h = head - n * (u32)HEADS;
    u32 depth = (u32)DEPTH, columns = COLUMNS.divisor, first = head * depth * columns + m;
    S *state = (S *)a.workspace + first;
    for (u32 k = 0; k < depth; k++)
      state[k * columns] = WITH_STATE ? (S)LOAD(STATE_TYPE, STATE, first + k * columns) : 0;
    for (u32 t = 0; t < (u32)STEPS; t++) {
      u32 row = n * (u32)STEPS + t, key = (row * (u32)HEADS + h) * depth;
      S v = (S)LOAD(V_TYPE, V, (row * (u32)HEADS + h) * columns + m);
      if (WITH_DECAY)
        for (u32 k = 0; k < depth; k++)
          state[k * columns] *= EXP((S)LOAD(DECAY_TYPE, DECAY, DECAY_EACH ? key + k : row * (u32)HEADS + h));
      if (WITH_BETA) {
        S known = 0;
        for (u32 k = 0; k < depth; k++) known += state[k * columns] * (S)LOAD(KEYS_TYPE, KEYS, key + k);
        v = (v - known) * (S)LOAD(BETA_TYPE, BETA, BETA_EACH ? row * (u32)HEADS + h : row);
      }
      for (u32 k = 0; k < depth; k++) state[k * columns] += v * (S)LOAD(KEYS_TYPE, KEYS, key + k);
      for (u32 g = 0; g < (u32)GROUP; g++) {
        u32 q_head = row * (u32)HEADS * (u32)GROUP + h * (u32)GROUP + g;
        S sum = 0;
        for (u32 k = 0; k < depth; k++) sum += state[k * columns] * ((S)LOAD(Q_TYPE, Q, q_head * depth + k) * (S)SCALE);
        STORE(Y_TYPE, Y, q_head * columns + m, (Y_FORM)sum);
      }
    }
    if (WITH_LAST)
      for (u32 k = 0; k < depth; k++) STORE(LAST_TYPE, LAST, first + k * columns, (LAST_FORM)state[k * columns]);
  }
}
#elif ROTARY_EMBEDDING
KERNEL(rotary_embedding, struct each_arguments) {
  EACH(i) {
    u32 row = divide(i, DEPTH), e = i - row * DEPTH.divisor, half = (u32)HALF, start = row * DEPTH.divisor;
    u32 token = divide(row, FIRST_SPLIT); /* [N,heads,S,D]: by steps, then by heads; [N,S,heads*D]: by heads */
    if (BY_HEADS) token = divide(token, SECOND_SPLIT) * FIRST_SPLIT.divisor + (row - token * FIRST_SPLIT.divisor);
    if (e >= 2 * half) {
      ((X_WORD *)Y)[i] = ((const X_WORD *)X)[i];
      continue;
    }
    i64 place = WITH_POSITIONS ? (i64)LOAD(POSITIONS_TYPE, POSITIONS, token) : (i64)token;
    if (WITH_POSITIONS && place < 0) place += PLACES;
    if (WITH_POSITIONS && (place < 0 || place >= PLACES)) {
      TELL(FAULT_INDEX, GIVEN(place, PLACES), PLACES);
      continue;
    }
    u32 pair = INTERLEAVED ? e / 2 : e % half, second = INTERLEAVED ? e % 2 : e / half;
    u32 x_at = start + (INTERLEAVED ? 2 * pair : pair), angle = (u32)place * half + pair;
    S x = (S)LOAD(X_TYPE, X, x_at), y = (S)LOAD(X_TYPE, X, x_at + (INTERLEAVED ? 1 : half));
    S cosine = (S)LOAD(X_TYPE, COS, angle), sine = (S)LOAD(X_TYPE, SIN, angle);
    STORE(X_TYPE, Y, i, (X_FORM)(second ? sine * x + cosine * y : cosine * x - sine * y));
  }
}
#endif
