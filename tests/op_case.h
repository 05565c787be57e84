/* One operator at a time, in text:

     op_gives("gather", "axis=1", "f32[1,3]{1,2,3} i64[2]{-1,0}", "f32[1,2]{3,1}");    check, infer, reference
     op_infers("reshape", "", "f32[n,3,h] i64[2]{0,-1}", "f32[n,h*3]");                check and infer alone
     op_refuses("gather", "", "f32[3]{1,2,3} i64[]{7}", "index 7");                    some stage says so

   A tensor is dtype[extents]{elements}; without elements they are not known, "-" is an absent one. Elements of integer
   tensors may be symbols ("{n,2*h}") for op_infers, which also prints what infer knows of a result's elements. The
   references are run once more for each of their allocations, which fails. */
#ifndef PELTON_TESTS_OP_CASE_H
#define PELTON_TESTS_OP_CASE_H

void op_gives(const char *op, const char *attributes, const char *operands, const char *results);
void op_infers(const char *op, const char *attributes, const char *operands, const char *results);
void op_refuses(const char *op, const char *attributes, const char *operands, const char *message);

#endif
