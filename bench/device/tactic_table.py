#!/usr/bin/env python3
"""tactic_table.py TIMES [--all]: from a timing cache, a line for each convolution and product: its extents, the best time of each
tactic with its config, flop/s of the best and how that stands to 790 Tflop/s, which one H200 reaches in 16 bits.
--all: every config too."""
import collections
import re
import sys

CEILING = 790e12
problems, every = collections.OrderedDict(), {}
for line in open(sys.argv[1]):
    fields = line.rstrip("\n").split("\t")
    if len(fields) < 6 or not re.match(r"(conv|matmul)\(", fields[5]):
        continue
    seconds, name, config, problem = float(fields[0]), fields[1], fields[3].split(",")[:2], fields[5]
    tactics = problems.setdefault(problem, {})
    every.setdefault(problem, []).append((seconds, name, config))
    if name not in tactics or seconds < tactics[name][0]:
        tactics[name] = (seconds, ",".join(config))


def describe(problem):
    shapes = [[int(d) for d in s.split(",")] for s in re.findall(r"(?:f16|bf16|f32)\[([\d,]+)\]", problem)]
    x, w, y = shapes[0], shapes[1], shapes[-1]
    count = 1
    for d in y:
        count *= d
    if problem.startswith("conv"):
        depth = w[1] * w[2] * w[3] if len(w) == 4 else w[1] * w[2]
        stride = re.search(r"strides=\[(\d+)", problem)
        text = "%dx%d %s>%d k%d s%s" % (x[0], x[2], x[1], w[0], w[2], stride.group(1) if stride else "1")
    else:
        depth = x[-1]
        text = "%s x %s" % ("x".join(map(str, x)), "x".join(map(str, w)))
    return text + (" +" + re.search(r'expr="?([^" ]*)', problem).group(1)[:18] if "expr=" in problem else ""), 2 * count * depth


print("%-44s %9s %6s %5s  %s" % ("problem", "us", "Tflops", "%", "tactics in us (config)"))
for problem, tactics in problems.items():
    text, flops = describe(problem)
    order = sorted(tactics.items(), key=lambda t: t[1][0])
    best = order[0][1][0]
    print("%-44s %9.2f %6.0f %5.1f  %s" % (text, best * 1e6, flops / best / 1e12, 100 * flops / best / CEILING,
          "; ".join("%s %.2f (%s)" % (name.replace("cuda.", ""), t[0] * 1e6, t[1]) for name, t in order)))
    if "--all" in sys.argv:
        print("   ", "; ".join("%s %s %.2f" % (n.replace("cuda.", ""), ",".join(c), s * 1e6) for s, n, c in sorted(every[problem])))
