/* pelton/pelton.h: everything. Read in this order: base.h, run.h, serve.h, build.h, vision.h. */
#ifndef PELTON_PELTON_H
#define PELTON_PELTON_H
#include "pelton/base.h"
#include "pelton/run.h"
#include "pelton/serve.h"
#include "pelton/build.h"
#include "pelton/vision.h"
#endif
